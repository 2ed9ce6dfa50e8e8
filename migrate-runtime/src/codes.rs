//! The codes of errors at run time, for `cargo migrate explain`.

use migrate_model::code::Code;

/// The database cannot be reached.
pub static CONNECTION: Code = Code::new(
    "connection",
    "The database could not be reached, or it rejected the user or the password. The message is that of the database or the \
     operating system; it never contains the password. In a container, `cargo migrate wait` (or `Migrator::wait_for_database`) \
     waits until the database accepts connections.",
);

/// The migrations are for another kind of database.
pub static WRONG_DIALECT: Code = Code::new(
    "wrong-dialect",
    "The migrations were compiled for one kind of database (`database` in `migrate.toml`), but the connection is to another. \
     Each kind splits SQL into statements differently, so the run was aborted before anything ran.",
);

/// Another process holds the lock.
pub static LOCK_NOT_OBTAINED: Code = Code::new(
    "lock-not-obtained",
    "The run timed out waiting for the lock of this history (`--lock-wait`). Another process holds it: that process is \
     running migrations, or it has hung. The lock is released when its connection ends, so terminating the connection releases it; a lease expires. \
     The message shows the connection and how to terminate it, as far as the database reveals them. On SQLite, another process \
     was writing to the database.",
);

/// The lock was lost.
pub static LOCK_LOST: Code = Code::new(
    "lock-lost",
    "The lock of this history was lost during the run. The run checks the lock before each statement outside a transaction, \
     and in each transaction before its record is committed. A transaction without the lock is rolled back and not recorded. \
     Possible causes: a script released the lock (`pg_advisory_unlock_all()`, `DISCARD ALL`, `RELEASE_ALL_LOCKS()`); a pooler \
     assigned the session to another client, which `lock = \"lease\"` in `migrate.toml` prevents; a lease expired, because \
          its holder was suspended for longer than the duration of the lease (`lease` in `migrate.toml` [default: 30s]).",
);

/// The database is read-only.
pub static READ_ONLY: Code = Code::new(
    "read-only",
    "The database is read-only, so nothing was applied. It is a replica (PostgreSQL in recovery or with \
     `default_transaction_read_only`, MySQL or MariaDB with `read_only`), or a SQLite file without write permission or on a \
     read-only disk. Connect to the primary. `status`, `verify` and `plan` also work on a read-only database.",
);

/// The connection goes through a pooler.
pub static NEEDS_SESSION: Code = Code::new(
    "needs-session",
    "A migration changes its session (a setting, a temporary table, a call of a function that may do so), and a later statement \
     runs in another transaction. A pooler may run it in another server session, where the change is missing, and the change \
     would affect other clients. The run was aborted before anything ran. This concerns connections through a pooler, and \
     connections that the application lends on PostgreSQL, because it cannot be determined whether those go through a pooler. \
     Connect to the server directly (most environments have a second URL for migrations), or change the session inside a \
     transaction. If no pooler is involved, or it assigns each client a session of its own (`pool_mode = session`), set \
     `lock = \"session\"` in `migrate.toml`.\n\nThe code also reports a migration that leaves something in a session that others \
     use, and that cannot be removed: a setting such as `app.tenant` on PostgreSQL, a named lock on MySQL. Use `SET LOCAL`, or \
     run it over a pool or a URL, where a run opens a session of its own.",
);

/// A connection that the application has lent is in a transaction.
pub static IN_TRANSACTION: Code = Code::new(
    "in-transaction",
    "The connection that the application has lent is in a transaction. A run commits each migration with its record, so it would \
     commit that transaction, and an error would abort it. The run was aborted before it did anything, and the transaction is \
     unchanged. Commit or roll back first, or pass a pool or a URL.",
);

/// Records of the history are missing.
pub static RECORDS_LOST: Code = Code::new(
    "records-lost",
    "By the table `schema_versions` or by the log `migration_events`, more migrations are applied than `migration_records` contains: \
     rows were deleted, or the table was dropped, truncated or restored alone. `up` would apply those migrations again, and `down` \
     would revert others than the newest, so nothing was run. Restore the missing rows. If the database itself was restored to the \
     state of the records, `cargo migrate repair` accepts the records, after a question.",
);

/// A table of the history is not trusted.
pub static UNTRUSTED_HISTORY: Code = Code::new(
    "untrusted-history",
    "A table of the history is not an ordinary table that a trusted user owns. To read a view, a foreign table or a column of a type \
     that another user has defined can run code with the rights of the reader, and so can a rule or a trigger when a run writes. Every \
     command requires ordinary tables without rules. A run also requires that their owner is trusted: the current user, a superuser, \
     the owner of the database or of the schema, or a role that the current user is a member of; and that no trigger runs a function of \
     another user. Find out who created the table. If that user applies the migrations, run as that user or as a member of that role, \
     or transfer the table with `ALTER TABLE ... OWNER TO`.",
);

/// A statement of the setting `session` was rejected.
pub static SESSION_REJECTED: Code = Code::new(
    "session-rejected",
    "The database rejected a statement of the setting `session` in `migrate.toml`, which runs before the history is read and before \
     migrations run. Nothing else ran. Correct the statement, or grant the database user what it needs, such as membership in the \
     role of `SET ROLE`.",
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
    "The database rejected a statement of a migration. The message contains the file and the line, the answer of the database, \
     and what is already done. A migration in a transaction was rolled back as a whole: correct the file and run the same \
     command again. For a migration outside a transaction, the history records the number of completed statements, and the \
     next run resumes at the failed one.",
);

/// The connection was lost while a migration ran.
pub static CONNECTION_LOST: Code = Code::new(
    "connection-lost",
    "The connection was lost during a run, so the outcome of the last statement is unknown. Run the same command again. A \
     transaction is either committed and recorded as a whole, or rolled back. Outside a transaction, each statement has a \
     checkpoint: the next run determines the outcome of the last statement, and resumes there or asks for `cargo migrate \
     resolve`.",
);

/// A migration exceeded its time limit.
pub static TIMED_OUT: Code = Code::new(
    "timed-out",
    "A migration exceeded its time limit and was aborted. The limit is `timeout` in the file, `--timeout`, or `timeout` in \
     `migrate.toml` [default: 10m].",
);

/// A gate did not return true.
pub static GATE_CLOSED: Code = Code::new(
    "gate-closed",
    "A gate is a query that must return true before its migration starts: `-- migrate: gate SELECT ...`. The query failed, or \
     did not return exactly one true value, so the migration did not start. Make the condition of the query true, or \
     correct the query, then run the same command again.",
);

/// The requested version is unknown.
pub static UNKNOWN_VERSION: Code = Code::new(
    "unknown-version",
    "Neither the migration files nor the history contain the requested version, or it is not in the state that the command \
     requires. `cargo migrate status` lists all versions and their states.",
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
    "No file contains the down migration of an applied version, so a revert would run the SQL that was stored in the table \
     `migration_records` when the version was applied. Any user who may write that table may have changed it. `down` and `redo` \
     therefore show it and ask; without a terminal they require `--stored`, and `--yes` does not suffice. Read the SQL (`cargo \
     migrate down --dry-run` shows it), or revert with the release that contains the files.\n\nAs a note, the code reports which \
     roles may write `migration_records` besides those that the current user has reason to trust, so that stored SQL cannot be \
     confirmed to be that of the migrations. Revoke these privileges: an application only needs SELECT.",
);

/// The history cannot be read or written.
pub static HISTORY: Code = Code::new(
    "history",
    "The history tables could not be read or written. Reading requires SELECT on them; the first run also requires the \
     privilege to create them. Applying requires INSERT and UPDATE, and reverting also DELETE. A table of the same name that belongs to \
     something else is not changed. Find out what has created it: if that has applied these migrations, a run under another name \
     would apply them again. Otherwise rename the table, or set `schema` under `[history]` in `migrate.toml`.",
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
    &NEEDS_SESSION,
    &READ_ONLY,
    &MIGRATION_FAILED,
    &RECORDS_LOST,
    &SESSION_REJECTED,
    &STOPPED,
    &STORED_SQL,
    &TIMED_OUT,
    &UNKNOWN_VERSION,
    &BAD_NAME_FOR_HISTORY,
    &UNTRUSTED_HISTORY,
    &WRONG_DIALECT,
];
