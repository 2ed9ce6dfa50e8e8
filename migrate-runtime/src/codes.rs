//! The codes of errors at run time, for `cargo migrate explain`.

use migrate_model::code::Code;

/// The database cannot be reached.
pub static CONNECTION: Code = Code::new(
    "connection",
    "The database could not be reached, or it rejected the user or the password. The message comes from the database or from the operating system, and it never contains the password. In a container, `cargo migrate wait` (or `Migrator::wait_for_database`) \
     waits until the database accepts connections.",
);

/// The migrations are for another kind of database.
pub static WRONG_DIALECT: Code = Code::new(
    "wrong-dialect",
    "The migrations are written for one kind of database (`database` in `migrate.toml`), but the connection is to \
     another kind. SQL is split into statements differently for each kind, so the run was aborted before anything \
     ran.",
);

/// Another process holds the lock.
pub static LOCK_NOT_OBTAINED: Code = Code::new(
    "lock-not-obtained",
    "The run timed out waiting for the migration lock of the service (`--lock-wait`). Another process holds the lock: that process is running migrations, or it hangs. A session-level lock is released when its connection ends, so terminating the connection releases it. A lease is released when it expires. \
     The message shows the connection and how to terminate it, if the database reveals this. On SQLite, there is no migration lock: another process was writing to the database for longer than the wait time.",
);

/// The lock was lost.
pub static LOCK_LOST: Code = Code::new(
    "lock-lost",
    "The migration lock was lost during the run. The run checks the lock at the start of each transaction and before each \
     statement outside a transaction; with a lease, it also checks the lock before each commit. If the lock is lost, the transaction is rolled back and not recorded in the history. \
     Possible causes: a migration released the lock (`pg_advisory_unlock_all()`, `DISCARD ALL`, `RELEASE_ALL_LOCKS()`); a pooler \
     assigned the session to another client, which `lock = \"lease\"` in `migrate.toml` prevents; a lease expired, because \
          its holder was suspended for longer than the duration of the lease (`lease` in `migrate.toml` [default: 30s]).",
);

/// The database is read-only.
pub static READ_ONLY: Code = Code::new(
    "read-only",
    "The database is read-only, so nothing was applied. The database is a replica (PostgreSQL in recovery or with \
     `default_transaction_read_only`, MySQL or MariaDB with `read_only`), or a SQLite file without write permission or on a \
     read-only disk. Connect to the primary. `status`, `verify` and `plan` also work on a read-only database.",
);

/// The connection goes through a pooler.
pub static NEEDS_SESSION: Code = Code::new(
    "needs-session",
    "A migration changes its session (it changes a setting, creates a temporary table, or calls a function that may \
     do so), and a later statement runs in another transaction. A pooler may run the later statement in another server session, where the change is missing. The pooler could also assign the changed session to other clients. The run was aborted before anything ran. This error occurs on connections through a pooler. On PostgreSQL, it also occurs on connections that the application passes to a run, because the run cannot determine whether they go through a pooler. \
     Connect to the server directly (many providers offer a second URL for this purpose), or put the change and the later statements into one transaction. If there is no pooler, or the pooler assigns each client a session of its own (`pool_mode = session`), set \
     `lock = \"session\"` in `migrate.toml`.\n\nThe error also occurs if a migration changes a session that other code continues to use, and the change cannot be undone: a setting such as `app.tenant` on PostgreSQL, or a named lock on MySQL. Use `SET LOCAL`, or pass a pool \
     or a URL, so that the run opens its own session.",
);

/// A database that others use is to be dropped.
pub static SHARED_DATABASE: Code = Code::new(
    "shared-database",
    "`cargo migrate db drop` and `cargo migrate db reset` drop a whole database. In this database, services that are not selected, or other migration tools, have applied migrations, and their tables and data would be lost. Select all services that use the database, with `--workspace` or `-p NAME`, or confirm the loss with `--with-others`.",
);

/// A script drops the schema or the database of its history.
pub static DROPS_HISTORY: Code = Code::new(
    "drops-history",
    "A migration drops or renames the schema (MySQL: drops the database) that contains the history of the migrations; or it creates, drops, renames or writes a table of the history, as a dump of a whole database does. After that, the migration could not be recorded, and on MySQL the database would be lost without a way to continue. The run was aborted before anything ran. Drop the objects in the schema instead of the schema, store the history in another schema (`schema` under `[history]` in `migrate.toml`), or, to drop the database, create it again and apply all migrations, run `cargo migrate db reset`.",
);

/// A connection that the application has lent is in a transaction.
pub static IN_TRANSACTION: Code = Code::new(
    "in-transaction",
    "The connection that the application passed to the run is in a transaction. A run commits each migration, so it would also commit the transaction of the application, and an error of a migration would abort this transaction. The run was aborted before it executed any statement, and the transaction is unchanged. Commit or roll back first, or pass a pool or a URL. The error also occurs if a connection of MySQL or MariaDB holds table locks (`LOCK TABLES`); then run `UNLOCK TABLES` first.",
);

/// Records of the history are missing.
pub static RECORDS_LOST: Code = Code::new(
    "records-lost",
    "According to the table `schema_versions` or the log `migration_events`, more migrations are applied than \
     `migration_records` contains: rows of `migration_records` were deleted, or only this table was dropped, truncated or restored. The error also occurs if the count in `schema_versions` is not a number. `up` would apply the missing migrations again, and `down` would revert migrations other \
     than the newest ones, so nothing was run. Restore the missing rows. If the whole database was restored to an earlier state, and `migration_records` shows this state, run `cargo migrate repair`, which accepts the existing rows after confirmation.",
);

/// A table of the history is not trusted.
pub static UNTRUSTED_HISTORY: Code = Code::new(
    "untrusted-history",
    "A history table is not an ordinary table, or its owner is not trusted. Reading a view, a foreign table or a \
     column whose type another user has defined can run code of that user with the privileges of the reader. Rules and triggers can also run such code when a run writes to the table. Every command therefore requires ordinary tables without rules. \
     A run also requires a trusted owner, no trigger that runs a function of an untrusted user, passes arguments, or runs before a row is written (such a trigger can leave out the row), and \
     no foreign key from a table of an untrusted owner. The tables must not be unlogged (PostgreSQL), and their storage engine must support transactions (MySQL). The following roles are trusted: the current user, superusers, the owner of the database, roles of which the current user is a member, and, if `schema` is set under `[history]`, the owner of this schema. Find out which role owns the table. If this role is meant to apply the migrations, run as this role or as a member of \
     it, or transfer the table with `ALTER TABLE ... OWNER TO`.",
);

/// A statement of the setting `session` was rejected.
pub static SESSION_REJECTED: Code = Code::new(
    "session-rejected",
    "The database rejected a statement of the setting `session` in `migrate.toml`. These statements run before the history is read and before migrations run. Nothing else ran. Correct the statement, or grant the database user the privileges that the statement needs, such as membership in the role that `SET ROLE` specifies.",
);

/// The migration files do not match the database history.
pub static HISTORY_MISMATCH: Code = Code::new(
    "history-mismatch",
    "The migration files do not match the database history, so the run was aborted before it applied anything. Each mismatch \
     has its own code, which `cargo migrate explain` explains.",
);

/// A migration failed.
pub static MIGRATION_FAILED: Code = Code::new(
    "migration-failed",
    "The database rejected a statement of a migration. The message shows the file and the line, the error of the database, and which statements are already done. A migration in a transaction was rolled back as a whole: correct the file and run the same \
     command again. For a migration outside a transaction, the history records the number of completed statements, and the next run resumes at the failed statement.",
);

/// The connection was lost while a migration ran.
pub static CONNECTION_LOST: Code = Code::new(
    "connection-lost",
    "The connection was lost during a run, so the outcome of the last statement is unknown. Run the same command again. A transaction is either committed and recorded as a whole, or rolled back. Outside a transaction, the history records each completed statement. The next run determines the outcome of the last statement and resumes at the right statement. If it cannot determine the outcome, it requires `cargo migrate resolve`.",
);

/// A migration exceeded its time limit.
pub static TIMED_OUT: Code = Code::new(
    "timed-out",
    "A migration exceeded its time limit, and the run closed the connection. The server then ends the statement and rolls back an open transaction, unless it was already committing. Run the same command again: it determines the outcome. The limit is set by `-- migrate: timeout` in the file, by `--timeout`, or by `timeout` in `migrate.toml` [default: 10m].",
);

/// A gate did not return true.
pub static GATE_CLOSED: Code = Code::new(
    "gate-closed",
    "A gate is a query that must return true before its migration starts: `-- migrate: gate SELECT ...`. The query failed, or \
     did not return exactly one true value, so the migration did not start. Change the data or the schema so that the query returns true, or correct the query. Then run the same command again.",
);

/// The requested version is unknown.
pub static UNKNOWN_VERSION: Code = Code::new(
    "unknown-version",
    "Neither the migration files nor the history contain the requested version, or the version is not in the state that the command requires. `cargo migrate status` lists all versions and their states.",
);

/// The run was stopped on request.
pub static STOPPED: Code = Code::new(
    "stopped",
    "A signal or the application requested a stop. The current statement finished and was recorded, and the lock was released. \
     Run the same command again to resume. A second signal aborts the process immediately. The server then rolls back or \
     finishes the statement, and the next run determines the outcome.",
);

/// SQL that only the history contains would run.
pub static STORED_SQL: Code = Code::new(
    "stored-sql",
    "No file contains the down migration of an applied version, so a revert would run the SQL that was stored in the \
     table `migration_records` when the version was applied. Every user who can write to that table could have \
     changed this SQL. `down` and `redo` therefore show the SQL and ask for confirmation. `--yes` does not confirm this SQL: without a terminal, both `--stored` and `--yes` are required. Read the SQL (`cargo migrate down --dry-run` shows it), or \
     revert with the version of the application that contains the files.\n\nA note with this code lists the untrusted roles that can write to `migration_records`. As long as they can, `cargo migrate` cannot confirm that the stored SQL is the SQL of the migrations. Revoke these privileges: an application \
     only needs SELECT.",
);

/// The history cannot be read or written.
pub static HISTORY: Code = Code::new(
    "history",
    "The history tables could not be read or written. A command that reads the history requires SELECT on these tables. The first run also requires the privilege to create the tables. `up` requires INSERT and UPDATE, and `down` also requires DELETE. If another program created a table with the name of a history table, that table is not changed. Find out which \
     program created it. If that program has applied these migrations, a run with other history tables would apply the migrations again. Otherwise rename the existing table, or set `schema` under `[history]` in `migrate.toml`.",
);

/// The program has no Tokio runtime.
pub static NO_RUNTIME: Code = Code::new(
    "no-runtime",
    "The connection to the database needs a Tokio runtime with timers and I/O, but the program called the run outside of one, for example from an executor of another library. Nothing was run. Call it from `#[tokio::main]`, or build a runtime with `tokio::runtime::Builder` and `enable_all()`.",
);

/// A name is not valid.
pub static BAD_NAME_FOR_HISTORY: Code = Code::new(
    "unusable-name",
    "The name of a service, schema or table is too long for the database, or contains a character that the database cannot \
     store. PostgreSQL truncates names to 63 bytes, so two long names could refer to the same table; MySQL rejects names of \
     more than 64 characters.",
);

/// All codes of this crate.
pub static ALL: &[&Code] = &[
    &CONNECTION,
    &CONNECTION_LOST,
    &HISTORY_MISMATCH,
    &GATE_CLOSED,
    &HISTORY,
    &IN_TRANSACTION,
    &LOCK_LOST,
    &LOCK_NOT_OBTAINED,
    &DROPS_HISTORY,
    &NEEDS_SESSION,
    &NO_RUNTIME,
    &READ_ONLY,
    &MIGRATION_FAILED,
    &RECORDS_LOST,
    &SESSION_REJECTED,
    &SHARED_DATABASE,
    &STOPPED,
    &STORED_SQL,
    &TIMED_OUT,
    &UNKNOWN_VERSION,
    &BAD_NAME_FOR_HISTORY,
    &UNTRUSTED_HISTORY,
    &WRONG_DIALECT,
];
