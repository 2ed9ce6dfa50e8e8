//! The way to a PostgreSQL server: how a second connection is made, and whether a pooler stands in between.

use crate::connection::rows;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

/// How a second connection is made, and what is known of the way there.
#[derive(Debug)]
pub enum PgConnector {
    /// Opened here, with a parameter that tells.
    Opened(PgConnectOptions),
    /// Opened here; what is at the other end refused the parameter, so it is no server.
    Refused(PgConnectOptions),
    /// From a pool with these options.
    Pooled(PgConnectOptions),
    /// Lent: there is no way to a second one.
    Lent,
}

impl PgConnector {
    /// Whether start-up parameters reach the server's sessions, as far as it can be found out.
    pub async fn reached(&self, given: Option<&str>) -> Option<bool> {
        match self {
            PgConnector::Opened(_) => Some(given == Some("1")),
            PgConnector::Refused(_) => Some(false),
            PgConnector::Pooled(options) => {
                let (mut probe, access) = open(options.clone()).await.ok()?;
                let asked = rows(&mut probe, &format!("SELECT pg_catalog.current_setting('{PARAMETER}', true)")).await;
                let _ = probe.close().await;
                let given = asked.ok()?.into_iter().next()?.into_iter().next()?;
                Some(matches!(access, PgConnector::Opened(_)) && given.as_deref() == Some("1"))
            }
            PgConnector::Lent => None,
        }
    }

    /// How a second connection is made.
    pub fn options(&self) -> Option<&PgConnectOptions> {
        match self {
            PgConnector::Opened(options) | PgConnector::Refused(options) | PgConnector::Pooled(options) => Some(options),
            PgConnector::Lent => None,
        }
    }
}

/// A session has it from its beginning, or from a pooler, which has begun its sessions before, not at all.
pub const PARAMETER: &str = "migrate.direct";

/// Opens a connection, and finds out whether start-up parameters are let through.
pub async fn open(options: PgConnectOptions) -> Result<(PgConnection, PgConnector), sqlx::Error> {
    match options.clone().options([(PARAMETER, "1")]).connect().await {
        Ok(connection) => Ok((connection, PgConnector::Opened(options))),
        Err(error) if refuses_parameters(&error) => {
            let options = options.extra_float_digits(None);
            Ok((options.connect().await?, PgConnector::Refused(options)))
        }
        Err(error) => Err(error),
    }
}

/// PgBouncer: `unsupported startup parameter` (08P01). Others have their own words for a parameter that they do not know.
fn refuses_parameters(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("08P01" | "42704" | "22023" | "0A000" | "42501"))
}
