//! The session of a run: opened, or taken over from the application; what it starts with, and how it is reset.

use super::connector::{self, PARAMETER, PgConnector};
use super::lent_session::{self, LentSession};
use super::lock::advisory_lock;
use super::session_state::SessionComparison;
use super::{Charset, Postgres, SYSTEM, endpoint, pooled_session, read_connecting_error, table_list};
use crate::backend::{Backend, UnitRun};
use crate::backend_error::BackendError;
use crate::backends::connect_instead;
use crate::first_run::{UNLOCATED, UNLOCATED_HELP};
use crate::history_sql::HistorySql;
use crate::lease::Lease;
use crate::mentions::{Mention, Mentions};
use crate::session::{first, only_row, session_statements};
use futures_util::FutureExt;
use migrate_model::dialect::Dialect;
use migrate_model::lock_settings::{LockSettings, LockStrategy};
use migrate_model::session_effect::SessionEffect;
use migrate_model::token::Quoting;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

/// Settings that scripts are known to change without a reset. `session_replication_role` is not among them: setting it needs a
/// privilege, even to its current value.
const SETTINGS: [&str; 20] = [
    "role",
    "search_path",
    "timezone",
    "datestyle",
    "intervalstyle",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "client_min_messages",
    "client_encoding",
    "check_function_bodies",
    "row_security",
    "default_tablespace",
    "default_table_access_method",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "standard_conforming_strings",
    "bytea_output",
    "xmloption",
    "synchronous_commit",
];

/// Settings that the driver sends when it connects, which overrule those of the database and the role.
const DRIVER_SETTINGS: [&str; 3] = ["timezone", "datestyle", "extra_float_digits"];

/// Finds temporary objects only by names that nothing else has. Without `pg_temp`, they come first.
const TEMPORARY_LAST: &str = "SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', \
    CASE WHEN pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) '' \
    THEN pg_catalog.current_setting('search_path') END, 'pg_temp'), false);\n";

/// Resets a session that belongs to this run alone. A new session of the same user has the same settings.
const RESET_SESSION: &str = "SET SESSION AUTHORIZATION DEFAULT;\nRESET ROLE;\nRESET ALL;\n";

impl Postgres<'_> {
    /// Opens the session of a run, or takes it over, and asks the server what the run depends on.
    pub(super) async fn prepare_session(
        &mut self,
        history_sql: &mut HistorySql,
        session: &[String],
        locking: LockSettings,
    ) -> Result<(), BackendError> {
        self.open_own().await?;
        history_sql.require_new_session(None);
        // The statements of `session` may decide where the history is.
        let is_lent = self.is_lent();
        let is_known = (session.is_empty() && !is_lent) || history_sql.schema().is_some();
        let place = if is_known { table_list::place(history_sql) } else { "NULL::pg_catalog.text".to_owned() };
        let settings: Vec<String> = SETTINGS.iter().map(|name| format!("pg_catalog.current_setting('{name}')")).collect();
        let sql = format!(
            "SELECT pg_catalog.version(), pg_catalog.current_setting('{PARAMETER}', true), \
             pg_catalog.current_setting('transaction_read_only'), pg_catalog.current_setting('server_encoding'), \
             pg_catalog.current_database()::pg_catalog.text, {place}, {}, {}",
            DRIVER_SETTINGS.map(database_setting).join(", "),
            settings.join(", "),
        );
        let mut columns = only_row(self.rows(&sql).await?).ok_or_else(BackendError::unanswered)?.into_iter();
        let (version, parameter) = (columns.next().flatten().unwrap_or_default(), columns.next().flatten());
        self.read_only = columns.next().flatten().as_deref() == Some("on");
        // A database with SQL_ASCII stores the bytes as they are.
        let stores_all = matches!(columns.next().flatten().as_deref(), Some("UTF8" | "SQL_ASCII"));
        self.charset = if stores_all { Charset::All } else { Charset::Some };
        self.detect_endpoint(history_sql, locking, &version, parameter.as_deref());
        self.database = columns.next().flatten().unwrap_or_default();
        if let Some(schema) = columns.next().flatten() {
            history_sql.set_schema(schema);
        }
        self.driver_settings = self.driver_settings_sql(history_sql, &mut columns);
        self.session = self.driver_settings.clone();
        self.session.extend(session_statements(session, Dialect::Postgres));
        let columns: Vec<Option<String>> = columns.collect();
        let conforming = SETTINGS.iter().zip(&columns).find(|(name, _)| **name == "standard_conforming_strings");
        let read_only = SETTINGS.iter().zip(&columns).find(|(name, _)| **name == lent_session::READ_ONLY);
        self.must_not_write = is_lent && read_only.is_some_and(|(_, value)| value.as_deref() == Some("on"));
        let backslashes = conforming.is_some_and(|(_, value)| value.as_deref() == Some("off"));
        self.server_quoting = Quoting::new(backslashes, false);
        let columns = columns.into_iter();
        self.prepare_reset(history_sql, columns).await?;
        self.run_session(history_sql).await?;
        self.find_place(history_sql).await
    }

    /// SQL that resets the session before the record is written. Empty in the middle of a script, whose later units rely on its
    /// settings.
    pub(super) fn reset_after(&self, unit_run: &UnitRun<'_>) -> String {
        if self.endpoint.preserves_session() {
            // A trigger may have created a temporary table.
            let objects = if unit_run.session_effect == SessionEffect::None { pooled_session::REMOVE_OWN_OBJECTS } else { "" };
            return if unit_run.last && self.owns_session() {
                format!("{}{objects}", self.reset.prepared)
            } else if unit_run.last {
                self.reset.prepared.clone()
            } else {
                self.own_role_sql()
            };
        }
        self.reset_pooled(reset_authorization(unit_run.mentions))
    }

    /// The same after statements of this crate: an event trigger may call any function.
    pub(super) fn reset_after_own(&self) -> String {
        if !self.endpoint.preserves_session() {
            return self.reset_pooled("");
        }
        let objects = if self.owns_session() { pooled_session::REMOVE_OWN_OBJECTS } else { "" };
        format!("{}{objects}", self.reset.prepared)
    }

    /// Resets a server session that belongs to others, too.
    fn reset_pooled(&self, authorization: &str) -> String {
        let is_lent = self.is_lent();
        let [objects, settings] = pooled_session::reset_sql(is_lent);
        let rest = pooled_session::remove_sql(is_lent);
        format!("{objects}{authorization}{settings}{}{rest}", self.reset.prepared)
    }

    /// SQL that notes what the statements of a transaction have changed in the session; that fails, where the next transaction may
    /// run in another one.
    pub(super) fn session_changes(&self, comparison: Option<&SessionComparison>) -> String {
        let preserves = self.endpoint.preserves_session();
        let sql = comparison.map(|state| if preserves { state.compare_sql() } else { state.check_sql() });
        sql.map_or_else(String::new, |sql| format!("{sql};\n"))
    }

    /// Opens a connection of our own in place of one from a pool, whose session the application uses.
    pub(super) async fn open_own(&mut self) -> Result<(), BackendError> {
        match &self.connector {
            PgConnector::Pooled(options) => self.reconnect(options.clone()).await,
            _ => Ok(()),
        }
    }

    pub(super) async fn reconnect(&mut self, options: PgConnectOptions) -> Result<(), BackendError> {
        let options = options.disable_statement_logging();
        let open = move || connector::open(options.clone()).boxed();
        let opened = connect_instead(&mut self.connection, open, connector::is_full).await;
        let (connection, connector) = opened.map_err(read_connecting_error)?;
        self.connection.replace(connection).await;
        self.connector = connector;
        Ok(())
    }

    /// What the `session` statements name: they take precedence over our limits.
    pub(super) fn session_mentions(&self) -> Mentions {
        let all = self.session.iter().map(|statement| Mentions::of(statement, Dialect::Postgres));
        all.fold(Mentions::default(), Mentions::and)
    }

    /// Statements that set what the driver has overruled: the settings of the `options` of the connection, or else those of the
    /// database and the role, which are the next columns of a row.
    fn driver_settings_sql(&self, history_sql: &HistorySql, columns: &mut impl Iterator<Item = Option<String>>) -> Vec<String> {
        let options = self.connector.options().and_then(PgConnectOptions::get_options).unwrap_or_default();
        let mut statements = Vec::new();
        for name in DRIVER_SETTINGS {
            let of_database = columns.next().flatten();
            // `SET`, because a query would come before `SET TRANSACTION` of a script.
            let set = |value: String| format!("SET {name} = {}", history_sql.text(&value));
            statements.extend(option_value(options, name).or(of_database).map(set));
        }
        statements
    }

    /// Asks again for the settings that the driver has overruled, in a new session: a migration may have changed those of the
    /// database.
    pub(super) async fn renew_driver_settings(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        let settings = DRIVER_SETTINGS.map(database_setting).join(", ");
        let row = only_row(self.rows(&format!("SELECT {settings}")).await?).ok_or_else(BackendError::unanswered)?;
        let settings = self.driver_settings_sql(history_sql, &mut row.into_iter());
        if settings != self.driver_settings {
            self.session.splice(0..self.driver_settings.len(), settings.iter().cloned());
            self.driver_settings = settings;
            if self.owns_session() {
                self.reset_as_owner();
            }
        }
        Ok(())
    }

    /// SQL that gives a session which belongs to this run alone the settings that a migration starts with.
    fn reset_as_owner(&mut self) {
        self.reset.prepared = RESET_SESSION.to_owned();
        self.session.iter().for_each(|statement| self.reset.add(statement));
    }

    /// Finds the schema of the history, as the `session` statements leave the search path.
    pub(super) async fn find_place(&mut self, history_sql: &mut HistorySql) -> Result<(), BackendError> {
        if history_sql.schema().is_some() {
            return Ok(());
        }
        let place = format!("SELECT {}", table_list::place(history_sql));
        let rows = if self.session.is_empty() || self.endpoint.preserves_session() {
            self.rows(&place).await
        } else {
            let session: String = self.session.iter().map(|statement| format!("{statement}\n;\n")).collect();
            let rows = self.rows(&format!("BEGIN;\n{session}{place};\nROLLBACK")).await;
            if rows.is_err() {
                self.roll_back().await;
            }
            rows.map(|rows| rows.into_iter().next_back().into_iter().collect())
        };
        match first(rows?) {
            Some(schema) => {
                history_sql.set_schema(schema);
                Ok(())
            }
            None => {
                let mut error = BackendError::own(UNLOCATED);
                error.hint = Some(UNLOCATED_HELP.into());
                Err(error)
            }
        }
    }

    pub(super) fn set_role(&mut self, history_sql: &HistorySql, role: Option<String>) {
        self.role = role.filter(|role| role != "none").map_or_else(|| "NONE".to_owned(), |role| history_sql.name(&role));
    }

    /// Builds the SQL that resets the session. `values` are those of [`SETTINGS`].
    pub(super) async fn prepare_reset(
        &mut self,
        history_sql: &HistorySql,
        values: impl Iterator<Item = Option<String>> + Send,
    ) -> Result<(), BackendError> {
        let values: Vec<Option<String>> = values.collect();
        // The first setting is the role.
        self.set_role(history_sql, values.first().cloned().flatten());
        if self.owns_session() {
            self.reset_as_owner();
            return Ok(());
        }
        let set_config = |name: &str, value: &str| format!("pg_catalog.set_config('{name}', {}, false)", history_sql.text(value));
        // `values` are missing only if the server did not return them; an empty value then fails and is reported.
        let settings = SETTINGS.iter().zip(values).map(|(name, value)| set_config(name, &value.unwrap_or_default()));
        self.reset.original = format!("SELECT {};\n", settings.collect::<Vec<_>>().join(", "));
        self.reset.prepared = self.reset.original.clone();
        if self.is_lent() {
            self.take_over(history_sql).await?;
        }
        Ok(())
    }

    /// Gives a lent session the settings of a new one, whatever the application has set: the script is to find the session of
    /// any other run.
    pub(super) async fn take_over(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        self.original = self.snapshot(history_sql).await?;
        let resets = self.original.resets(&[]);
        self.execute(&resets).await?;
        self.set_role(history_sql, None);
        if self.original.settings().any(|(name, _)| name == "standard_conforming_strings") {
            let conforming = first(self.rows("SELECT pg_catalog.current_setting('standard_conforming_strings')").await?);
            self.server_quoting = Quoting::new(conforming.as_deref() == Some("off"), false);
        }
        // What the application has created in its session takes the place of nothing.
        let has_temporary = first(self.rows("SELECT CAST(pg_catalog.pg_my_temp_schema() AS pg_catalog.text)").await?);
        let temporary_last = if has_temporary.as_deref() == Some("0") { "" } else { TEMPORARY_LAST };
        self.execute(temporary_last).await?;
        let resets = format!("{resets}{temporary_last}");
        if self.endpoint.preserves_session() {
            self.reset.prepared = resets;
            self.session.iter().for_each(|statement| self.reset.add(statement));
        } else {
            // Through a pooler, the next transaction may be in a session that has them still.
            self.reset.prepared = self.original.resets(&SETTINGS);
            // One by one: the number of statements shows which one of a message has failed.
            let resets = resets.lines().map(|line| line.trim_end_matches(';').to_owned());
            self.session.splice(0..0, resets);
        }
        Ok(())
    }

    /// Runs the `session` statements, unless each transaction does.
    pub(super) async fn run_session(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        if !self.endpoint.preserves_session() {
            return Ok(());
        }
        for statement in self.session.clone() {
            if let Err(error) = self.execute(&statement).await {
                self.restore_original(history_sql).await?;
                return Err(error.of_session(&statement));
            }
        }
        if !self.session.is_empty() {
            let role = first(self.rows("SELECT pg_catalog.current_setting('role')").await?);
            self.set_role(history_sql, role);
        }
        Ok(())
    }

    /// What the session contains, apart from our own lock.
    pub(super) async fn snapshot(&mut self, history_sql: &HistorySql) -> Result<LentSession, BackendError> {
        let (high, low) = self.lock_key_halves(history_sql);
        let own_lock = advisory_lock(high, low);
        Ok(LentSession::read(self.rows(&lent_session::snapshot_sql(&own_lock)).await?))
    }

    /// Puts a lent session back. An advisory lock may have been acquired several times.
    pub(super) async fn put_back(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        for _ in 0..16 {
            let statements = self.snapshot(history_sql).await?.back_to(&self.original);
            if statements.is_empty() {
                return Ok(());
            }
            for statement in statements {
                self.execute(&statement).await?;
            }
        }
        Err(BackendError::own("the session could not be restored to its earlier state"))
    }

    /// Determines the endpoint from `version()` and the start-up parameter of this session, and with it the kind of lock.
    pub(super) fn detect_endpoint(
        &mut self,
        history_sql: &HistorySql,
        locking: LockSettings,
        version: &str,
        parameter: Option<&str>,
    ) {
        // `lock = "session"` states that the session belongs to this connection alone.
        if locking.strategy != LockStrategy::Session {
            let passes_parameters = self.connector.passes_parameters(parameter);
            self.endpoint = endpoint::detect(version, passes_parameters);
        }
        if locking.strategy == LockStrategy::Lease || !self.endpoint.supports_session_locks() {
            tracing::info!(endpoint = %self.endpoint, "using a lease as the migration lock");
            self.lease = Some(Lease::new(history_sql, locking.lease));
        }
    }
}

/// The value of a setting in the `options` of a connection: `-c name=value` or `--name=value`, of which the last one counts. A
/// backslash escapes the next character (PostgreSQL 15 manual, 34.1.2).
fn option_value(options: &str, name: &str) -> Option<String> {
    let mut words = vec![String::new()];
    let mut letters = options.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => words.last_mut()?.extend(letters.next()),
            letter if letter.is_ascii_whitespace() => words.push(String::new()),
            letter => words.last_mut()?.push(letter),
        }
    }
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut last = None;
    while let Some(word) = words.next() {
        let assignment = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") => words.next().unwrap_or_default(),
            Some(assignment) => assignment.to_owned(),
            None => continue,
        };
        if let Some((setting, value)) = assignment.split_once('=')
            && setting.replace('-', "_").eq_ignore_ascii_case(name)
        {
            last = Some(value.to_owned());
        }
    }
    last
}

/// What `ALTER DATABASE` or `ALTER ROLE` has set for new sessions of this user in this database, as an expression.
fn database_setting(name: &str) -> String {
    let equal = SYSTEM.equal;
    let zero = "0::pg_catalog.oid";
    format!(
        "(SELECT pg_catalog.substr(setting, pg_catalog.length('{name}=') OPERATOR(pg_catalog.+) 1) \
         FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS setting \
         WHERE pg_catalog.lower(pg_catalog.split_part(setting, '=', 1)) {equal} '{name}' \
         AND s.setdatabase {equal} ANY (ARRAY[{zero}, (SELECT oid FROM pg_catalog.pg_database \
         WHERE datname {equal} pg_catalog.current_database())]) \
         AND s.setrole {equal} ANY (ARRAY[{zero}, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname {equal} SESSION_USER)]) \
         ORDER BY CASE WHEN s.setrole {equal} {zero} THEN 1 ELSE 0 END, \
         CASE WHEN s.setdatabase {equal} {zero} THEN 1 ELSE 0 END LIMIT 1)"
    )
}

/// SQL that resets the session user and `session_replication_role`, if the script may have changed them: other users may lack
/// the privilege for it.
fn reset_authorization(mentions: Mentions) -> &'static str {
    match (mentions.has(Mention::SessionAuthorization), mentions.has(Mention::ReplicationRole)) {
        (false, false) => "",
        (true, false) => "RESET SESSION AUTHORIZATION;\n",
        (false, true) => "RESET session_replication_role;\n",
        (true, true) => "RESET SESSION AUTHORIZATION;\nRESET session_replication_role;\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_in_the_options_of_a_connection() {
        for (options, expected) in [
            ("", None),
            ("-c timezone=Europe/Berlin -c work_mem=7MB", Some("Europe/Berlin")),
            ("-c work_mem=7MB -cTimeZone=Asia/Tokyo", Some("Asia/Tokyo")),
            ("--timezone=UTC --timezone=Asia/Tokyo", Some("Asia/Tokyo")),
            ("-c timezone=Etc/GMT\\ 1", Some("Etc/GMT 1")),
            ("-c my.timezone=UTC -c", None),
        ] {
            assert_eq!(option_value(options, "timezone").as_deref(), expected, "{options}");
        }
        assert_eq!(option_value("-c datestyle=SQL,DMY", "datestyle").as_deref(), Some("SQL,DMY"));
    }
}
