//! How a second connection to a PostgreSQL server is opened, and whether connections go through a pooler.
//!
//! A pooler does not identify itself. But it opens its server sessions before a client connects, so a start-up parameter of the
//! client is rejected or does not reach them.

use crate::connection::is_code;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

/// How a connection was opened, and with it how to open a second one.
#[derive(Debug)]
pub enum PgConnector {
    /// Opened here, with [`PARAMETER`] as a start-up parameter.
    Opened(PgConnectOptions),
    /// Opened here without the parameter, which the endpoint rejected; so the endpoint is not a server.
    Refused(PgConnectOptions),
    /// Taken from a pool of the application with these options: only until the run opens a connection of its own.
    Pooled(PgConnectOptions),
    /// Borrowed from the application; a second connection cannot be opened.
    Lent,
}

impl PgConnector {
    /// Whether start-up parameters reach the server session, which has this value of [`PARAMETER`]. `None` if that cannot be
    /// determined.
    pub fn passes_parameters(&self, value: Option<&str>) -> Option<bool> {
        match self {
            PgConnector::Opened(_) => Some(value == Some("1")),
            PgConnector::Refused(_) => Some(false),
            PgConnector::Pooled(_) | PgConnector::Lent => None,
        }
    }

    /// The options for another connection.
    pub fn options(&self) -> Option<&PgConnectOptions> {
        match self {
            PgConnector::Opened(options) | PgConnector::Refused(options) | PgConnector::Pooled(options) => Some(options),
            PgConnector::Lent => None,
        }
    }
}

/// The start-up parameter that shows whether a session was started for this client.
pub const PARAMETER: &str = "migrate.direct";

/// Opens a connection with [`PARAMETER`], or without it if the endpoint rejects start-up parameters.
///
/// # Errors
/// When the endpoint cannot be reached, or rejects the connection for another reason.
pub async fn open(options: PgConnectOptions) -> Result<(PgConnection, PgConnector), sqlx::Error> {
    match options.clone().options([(PARAMETER, "1")]).connect().await {
        Ok(connection) => Ok((connection, PgConnector::Opened(options))),
        Err(error) if rejects_parameters(&error) => {
            let options = options.extra_float_digits(None);
            Ok((options.connect().await?, PgConnector::Refused(options)))
        }
        Err(error) => Err(error),
    }
}

/// Whether the server allows no further connection, in all or of this role.
pub fn is_full(error: &sqlx::Error) -> bool {
    // too_many_connections
    is_code(error, "53300")
}

/// Whether an error may be the rejection of a start-up parameter. PgBouncer answers 08P01; other poolers use other codes. If the
/// cause is another one, the attempt without the parameter fails as well.
fn rejects_parameters(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("08P01" | "42704" | "22023" | "0A000" | "42501"))
}
