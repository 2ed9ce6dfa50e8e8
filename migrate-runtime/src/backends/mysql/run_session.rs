//! The session of a run: opened, or taken over from the application; what it starts with, and how it is reset.

use super::address::with_settings_of_server;
use super::lent_session::{self, read_variables};
use super::role::{self, CurrentRole};
use super::{MAX_IDLE, MySql, OWN_TRANSACTIONS, endpoint, is_full, is_missing, read_error, with_autocommit};
use crate::backend::Backend;
use crate::backend_error::BackendError;
use crate::backends::connect_instead;
use crate::connection::TextRow;
use crate::history_sql::HistorySql;
use crate::lease::Lease;
use crate::mentions::Mentions;
use crate::session::{only_row, session_statements};
use futures_util::FutureExt;
use migrate_model::dialect::Dialect;
use migrate_model::lock_settings::{LockSettings, LockStrategy};
use migrate_model::token::Quoting;
use sqlx::ConnectOptions;
use sqlx::mysql::MySqlConnectOptions;

/// Settings that scripts are known to change without a reset.
const SETTINGS: [&str; 14] = [
    "sql_mode",
    "foreign_key_checks",
    "unique_checks",
    "time_zone",
    "autocommit",
    "lock_wait_timeout",
    "innodb_lock_wait_timeout",
    "wait_timeout",
    "group_concat_max_len",
    "sql_safe_updates",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
];

/// Removes the limit of rows that a `SELECT` without `LIMIT` returns.
const NO_ROW_LIMIT: &str = "SET SESSION sql_select_limit = 18446744073709551615";

/// What earlier statements have left for the next one.
const NO_VALUES: &str = "SET SESSION timestamp = DEFAULT, SESSION insert_id = 0, SESSION last_insert_id = 0";

/// Those values in a lent session. A time that the application has fixed does not advance.
const VALUES: &str = "SELECT IF(ABS(TIMESTAMPDIFF(SECOND, NOW(), SYSDATE())) > 1, CAST(@@SESSION.timestamp AS CHAR), 'DEFAULT'), \
    CAST(@@SESSION.insert_id AS CHAR), CAST(LAST_INSERT_ID() AS CHAR)";

/// Removes the limit of rows, and keeps what it was in a variable.
const SAVE_ROW_LIMIT: &str =
    "SET @migrate_row_limit = @@SESSION.sql_select_limit, SESSION sql_select_limit = 18446744073709551615";

/// The driver asks for IGNORE_SPACE, which changes how SQL is parsed and is stored in routines and triggers. The character
/// set of the messages is that of the driver, with the default collation of the server. A limit of rows, whether of the server, of
/// `init_connect` or of the account, would hide rows of the history.
const SETTINGS_OF_SERVER: &str = "SET NAMES utf8mb4, SESSION sql_mode = IF(FIND_IN_SET('IGNORE_SPACE', @@GLOBAL.sql_mode), \
    @@SESSION.sql_mode, TRIM(BOTH ',' FROM REPLACE(CONCAT(',', @@SESSION.sql_mode, ','), ',IGNORE_SPACE,', ','))), \
    SESSION sql_select_limit = 18446744073709551615";

impl MySql<'_> {
    /// Opens the session of a run, or takes it over, and asks the server what the run depends on.
    pub(super) async fn prepare_session(
        &mut self,
        history_sql: &mut HistorySql,
        session: &[String],
        locking: LockSettings,
    ) -> Result<(), BackendError> {
        self.open_own().await?;
        history_sql.require_new_session(None);
        let is_lent = self.options.is_none();
        let first = if is_lent { self.take_over().await? } else { vec![SETTINGS_OF_SERVER.to_owned()] };
        for statement in &first {
            self.execute(statement).await?;
        }
        let settings: Vec<String> = SETTINGS.iter().map(|name| format!("CAST(@@SESSION.{name} AS CHAR)")).collect();
        let row = self.rows(&format!("SELECT DATABASE(), CAST(@@max_allowed_packet AS CHAR), {}", settings.join(", "))).await?;
        let mut columns = only_row(row).ok_or_else(BackendError::unanswered)?.into_iter();
        let database = columns.next().flatten();
        // MySQL 5.5 to 5.7 and MariaDB 5.5 accept no more than 1 MiB to 4 MiB by default.
        self.max_packet = columns.next().flatten().and_then(|bytes| bytes.parse().ok()).unwrap_or(1 << 20);
        let columns: Vec<Option<String>> = columns.collect();
        // The mode is the first setting. If the server does not return it, the mode is that of a server with its defaults.
        let mode = columns.first().cloned().flatten().unwrap_or_default();
        self.server_quoting = sql_mode_quoting(&mode);
        self.save_settings(history_sql, database.as_deref(), columns.into_iter());
        self.database = database.unwrap_or_default();
        let has_stated_place = history_sql.schema().is_some();
        if !has_stated_place {
            if self.database.is_empty() {
                let mut error = BackendError::own("the URL contains no database name, so the history tables cannot be located");
                error.hint = Some("add the database name to the URL: `mysql://user@host/DATABASE`".into());
                return Err(error);
            }
            history_sql.set_schema(self.database.clone());
        }
        let own_settings = self.detect_endpoint(history_sql, locking).await?;
        self.reset.prepared = format!("{}{own_settings}", self.reset.original);
        let statements = session_statements(session, Dialect::MySql);
        let statements: Vec<String> = statements.iter().map(|statement| with_autocommit(statement).into_owned()).collect();
        statements.iter().for_each(|statement| self.reset.add(statement));
        // A limit would hide rows of the history.
        let no_limit = Some(NO_ROW_LIMIT.to_owned()).filter(|_| !statements.is_empty());
        let statements: Vec<String> = statements.into_iter().chain(no_limit).collect();
        self.session = first.into_iter().chain([own_settings.clone()]).chain(statements.iter().cloned()).collect();
        let mentions = self.session.iter().map(|statement| Mentions::of(statement, Dialect::MySql));
        self.session_mentions = mentions.fold(Mentions::default(), Mentions::and);
        for statement in [own_settings].iter().chain(&statements) {
            if let Err(error) = self.execute(statement).await {
                self.restore_original(history_sql).await?;
                return Err(error.of_session(statement));
            }
        }
        // Another statement with these letters costs one query.
        let uses = statements.iter().find(|statement| statement.to_ascii_uppercase().contains("USE"));
        match uses.filter(|_| !has_stated_place) {
            Some(statement) => self.refuse_other_database(history_sql, statement).await,
            None => Ok(()),
        }
    }

    /// The history is in the database that the URL names. With another one for the tables, a run with the URL of that database would
    /// find no history there and apply everything again.
    async fn refuse_other_database(&mut self, history_sql: &HistorySql, statement: &str) -> Result<(), BackendError> {
        // Without a database, its name is that of no database, so the run is refused.
        let selected = self.first_value("SELECT DATABASE()").await?.unwrap_or_default();
        if selected == self.database {
            return Ok(());
        }
        self.restore_original(history_sql).await?;
        let message = format!(
            "the setting `session` selects the database `{selected}`, but the history is in `{}`, the database of the URL",
            self.database
        );
        let mut error = BackendError::own(message).of_session(statement);
        error.hint = Some(format!("name `{selected}` in the URL instead; or set `schema` under `[history]` in `migrate.toml`"));
        Err(error)
    }

    /// Opens a connection of our own in place of one from a pool, whose session the application uses and the driver has changed.
    pub(super) async fn open_own(&mut self) -> Result<(), BackendError> {
        match self.options.clone().filter(|_| !self.connection.is_owned()) {
            Some(options) => self.reconnect(with_settings_of_server(options)).await,
            None => Ok(()),
        }
    }

    pub(super) async fn reconnect(&mut self, options: MySqlConnectOptions) -> Result<(), BackendError> {
        let copy = options.clone();
        let open = move || {
            let options = copy.clone();
            async move { options.connect().await }.boxed()
        };
        let opened = connect_instead(&mut self.connection, open, is_full).await;
        let connection = opened.map_err(read_error)?;
        self.connection.replace(connection).await;
        self.options = Some(options);
        self.lock_timeout_sql.clear();
        // `SET DEFAULT ROLE` of a script holds for new sessions.
        if let Some(run_role) = self.role.set_own_sql() {
            self.execute(&run_role).await?;
        }
        self.role.current = CurrentRole::OfRun;
        Ok(())
    }

    /// Saves the variables of a lent session. Returns statements that give it those of a new session.
    pub(super) async fn take_over(&mut self) -> Result<Vec<String>, BackendError> {
        // With a limit, the server returns fewer rows of every answer, also of this one.
        self.execute(SAVE_ROW_LIMIT).await?;
        let limit = self.first_value("SELECT CAST(@migrate_row_limit AS CHAR)").await?;
        self.execute("SET @migrate_row_limit = NULL").await?;
        let values = only_row(self.rows(VALUES).await?).ok_or_else(BackendError::unanswered)?;
        self.original_role = Some(self.current_role().await?).filter(|role| !role.is_empty());
        self.original = read_variables(self.rows("SHOW SESSION VARIABLES").await?);
        let values =
            ["timestamp", "insert_id", "last_insert_id"].map(str::to_owned).into_iter().zip(values.into_iter().flatten());
        self.original.extend(values);
        self.original.extend(limit.map(|limit| ("sql_select_limit".to_owned(), limit)));
        let global = read_variables(self.rows("SHOW GLOBAL VARIABLES").await?);
        let mut statements = vec![SETTINGS_OF_SERVER.to_owned(), NO_VALUES.to_owned()];
        self.execute(NO_VALUES).await?;
        // A limit of the server would hide rows, too.
        let differences = lent_session::differences(&self.original, &global).into_iter();
        for (name, value) in differences.filter(|(name, _)| name != "sql_select_limit") {
            let sql = lent_session::set_sql(&name, &value);
            // What this session cannot set, the application cannot have set, except with other privileges: it then stays as
            // the application has set it.
            match self.execute(&sql).await {
                Ok(()) => statements.push(sql),
                Err(error) if error.is_connection_lost() => return Err(error),
                Err(error) => tracing::debug!(name, message = error.message, "a variable keeps its value"),
            }
        }
        Ok(statements)
    }

    /// Notes the names that a script leaves in a lent session, with the values that the application has given them.
    pub(super) async fn note_names(&mut self, sql: &str) -> Result<(), BackendError> {
        if self.options.is_some() {
            return Ok(());
        }
        for name in lent_session::prepared_statements(sql) {
            self.left.entry(format!("PREPARE {name}")).or_insert_with(|| format!("DEALLOCATE PREPARE {name}"));
        }
        for name in lent_session::user_variables(sql) {
            // Another spelling is the same variable.
            let key = name.to_lowercase().replace(['`', '"', '\''], "");
            if !self.left.contains_key(&key) {
                let value = self.value_of_variable(&name).await?;
                self.left.insert(key, format!("SET {name} = {value}"));
                // A script starts without the variables of the application.
                if value != "NULL" {
                    self.execute(&format!("SET {name} = NULL")).await?;
                }
            }
        }
        for name in lent_session::temporary_tables(sql) {
            // One that the application has created stays.
            let definition = match self.rows(&format!("SHOW CREATE TABLE {name}")).await {
                Err(error) if is_missing(&error) => Vec::new(),
                // Whose table it is must be known: a table of the application would be dropped.
                definition => definition?,
            };
            let is_own = |column: &String| column.starts_with("CREATE TEMPORARY");
            if !definition.iter().flatten().flatten().any(is_own) {
                let sql = format!("DROP TEMPORARY TABLE IF EXISTS {name}");
                self.left.entry(name).or_insert(sql);
            }
        }
        Ok(())
    }

    /// The value of a user variable as an expression. A number stays one; the bytes of a string and its collation are kept.
    async fn value_of_variable(&mut self, name: &str) -> Result<String, BackendError> {
        let sql = format!(
            "SELECT CASE WHEN {name} IS NULL THEN 'NULL' WHEN CHARSET({name}) <> 'binary' \
             THEN CONCAT('_', CHARSET({name}), ' x\"', HEX({name}), '\" COLLATE ', COLLATION({name})) \
             WHEN CAST({name} AS CHAR) REGEXP '^-?[0-9]+([.][0-9]+)?(e[-+]?[0-9]+)?$' THEN CAST({name} AS CHAR) \
             ELSE CONCAT('x\"', HEX({name}), '\"') END"
        );
        let value = self.first_value(&sql).await?.unwrap_or_else(|| "NULL".to_owned());
        Ok(value.replace('"', "'"))
    }

    /// Puts a lent session back as it was before `prepare`.
    pub(super) async fn put_back(&mut self) -> Result<(), BackendError> {
        if let Some(role) = self.original_role.clone() {
            self.execute(&role::set_sql(&role)).await?;
        }
        for sql in std::mem::take(&mut self.left).into_values() {
            match self.execute(&sql).await {
                // ER_UNKNOWN_STMT_HANDLER: the script has deallocated it, or failed before.
                Err(error) if error.code.as_deref() == Some("1243") => {}
                outcome => outcome?,
            }
        }
        self.execute(&self.reset.original.clone()).await?;
        let current = read_variables(self.rows("SHOW SESSION VARIABLES").await?);
        for (name, value) in lent_session::differences(&current, &self.original) {
            self.execute(&lent_session::set_sql(&name, &value)).await?;
        }
        let names = ["client", "connection", "results"].map(|name| format!("character_set_{name}"));
        for name in names.iter().map(String::as_str).chain(["collation_connection"]) {
            if let Some(value) = self.original.get(name).filter(|value| !value.is_empty()) {
                self.execute(&lent_session::set_sql(name, value)).await?;
            }
        }
        let value = |name: &str| Some(format!("SESSION {name} = {}", self.original.get(name)?));
        let values: Vec<String> = ["timestamp", "insert_id", "last_insert_id"].into_iter().filter_map(value).collect();
        if values.is_empty() { Ok(()) } else { self.execute(&format!("SET {}", values.join(", "))).await }
    }

    /// Builds the SQL that resets the session, from the current value of each setting.
    pub(super) fn save_settings(
        &mut self,
        history_sql: &HistorySql,
        database: Option<&str>,
        values: impl Iterator<Item = Option<String>>,
    ) {
        let values: Vec<Option<String>> = values.collect();
        let lock_timeouts = SETTINGS.iter().zip(&values).filter(|(name, _)| name.ends_with("lock_wait_timeout"));
        let lock_timeouts: Vec<String> =
            lock_timeouts.filter_map(|(name, value)| Some(format!("SESSION {name} = {}", value.as_ref()?))).collect();
        self.lock_timeouts_before =
            if lock_timeouts.is_empty() { String::new() } else { format!("SET {}", lock_timeouts.join(", ")) };
        let settings = SETTINGS.iter().zip(values).map(|(name, value)| {
            // A variable without a value is set to an empty one; a server that refuses that says so.
            let value = value.unwrap_or_default();
            let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            // The server rejects a string for a numeric setting.
            format!("SESSION {name} = {}", if is_number { value } else { history_sql.text(&value) })
        });
        // The current value of `timestamp` advances. `DEFAULT` undoes a script that has fixed it. The ID that an earlier migration
        // has made is not to be read by the next one.
        let row_limit = "SESSION sql_select_limit = 18446744073709551615";
        let values = ["SESSION timestamp = DEFAULT", "SESSION last_insert_id = 0", row_limit].map(str::to_owned);
        let set = format!("SET {};\n", settings.chain(values).collect::<Vec<_>>().join(", "));
        self.reset.original = match database {
            Some(database) => format!("USE {};\n{set}", history_sql.name(database)),
            None => set,
        };
    }

    /// Determines the endpoint from the variables of the server, and with it the kind of lock. Returns SQL for the settings that
    /// our own statements rely on.
    pub(super) async fn detect_endpoint(
        &mut self,
        history_sql: &HistorySql,
        locking: LockSettings,
    ) -> Result<String, BackendError> {
        // The pool of the application may have disabled it.
        let mut own_settings = format!("{OWN_TRANSACTIONS};\n");
        if locking.strategy != LockStrategy::Session {
            let names = endpoint::VARIABLES.iter().map(|name| history_sql.text(name)).collect::<Vec<_>>().join(", ");
            let rows = self.rows(&format!("SHOW SESSION VARIABLES WHERE Variable_name IN ('wsrep_sync_wait', {names})")).await?;
            let pair = |row: &TextRow| Some((row.first()?.clone()?, row.get(1)?.clone()?));
            let variables: Vec<(String, String)> = rows.iter().filter_map(pair).collect();
            self.endpoint = endpoint::detect(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            if self.endpoint == endpoint::GALERA
                && let Some((_, original)) = variables.iter().find(|(name, _)| name == "wsrep_sync_wait")
            {
                // Queries on this node must see what another node has committed.
                self.reset.original.push_str(&format!("SET SESSION wsrep_sync_wait = {original};\n"));
                own_settings.push_str("SET SESSION wsrep_sync_wait = 7;\n");
            }
        }
        if locking.strategy == LockStrategy::Lease || !self.endpoint.supports_session_locks() {
            tracing::info!(endpoint = %self.endpoint, "using a lease as the migration lock");
            self.lease = Some(Lease::new(history_sql, locking.lease));
            // If this process is suspended in a transaction, the server ends the session and so unlocks the row of the lease.
            own_settings.push_str(&format!("SET SESSION wait_timeout = {};\n", MAX_IDLE.as_secs()));
        }
        Ok(own_settings)
    }
}

/// How strings are read with this `sql_mode`. The server lists the parts of a combined mode, such as `ANSI`.
fn sql_mode_quoting(mode: &str) -> Quoting {
    let has = |name: &str| mode.split(',').any(|part| part.eq_ignore_ascii_case(name));
    Quoting::new(!has("NO_BACKSLASH_ESCAPES"), has("ANSI_QUOTES"))
}
