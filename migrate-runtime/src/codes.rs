//! The codes of failures at run time, for `cargo migrate explain`.

use migrate_model::code::Code;

/// The database cannot be reached.
pub static CONNECTION: Code = Code::new(
    "connection",
    "The database could not be reached, or it refused the user or the password. The message is the database's own, or the operating \
     system's; the password is never shown. In a container, `cargo migrate wait` (or `Migrator::wait_for_database`) waits until the \
     database accepts connections.",
);

/// The migrations are for another database.
pub static WRONG_DIALECT: Code = Code::new(
    "wrong-dialect",
    "The migrations were compiled for one kind of database (`database` in `migrate.toml`) and the connection leads to another. SQL is \
     cut into statements differently for each, so nothing was run.",
);

/// Another process holds the lock.
pub static LOCK_NOT_OBTAINED: Code = Code::new(
    "lock-not-obtained",
    "Another process holds the lock of this history: it is migrating at this moment, or it hangs. The lock goes with its connection, so \
     ending that connection frees it; nothing is left behind. The message says which connection it is and how to end it.",
);

/// The lock is another's.
pub static LOCK_LOST: Code = Code::new(
    "lock-lost",
    "The lock of this history was lost while the run went on. Before each statement outside a transaction, and in each transaction \
     before its record is committed, it is looked whether the lock is still held; what finds it lost is rolled back and not recorded. A script may have given it up (`pg_advisory_unlock_all()`, `DISCARD ALL`, \
     `RELEASE_ALL_LOCKS()`); a pooler may have given the session to another client, and then `lock = \"lease\"` in `migrate.toml` \
     is what helps; or a lease has run out, because its holder stood still for longer than the lease lasts (`lease` in \
     `migrate.toml`, 30 s by default).",
);

/// The database can only be read.
pub static READ_ONLY: Code = Code::new(
    "read-only",
    "The database can only be read: a replica (PostgreSQL in recovery or with `default_transaction_read_only`, MySQL or MariaDB with \
     `read_only`), or a SQLite file that may not be written to, or lies on a disk that may not. Nothing was run. Connect to the primary; \
     `status`, `verify` and `plan` also work here.",
);

/// A pooler is in between.
pub static NEEDS_SESSION: Code = Code::new(
    "needs-session",
    "A migration sets something for its session outside a transaction, and the connection leads through a pooler that may give the \
     next statement to another session of the server: the setting would not be there, and would reach others. Nothing was run. \
     Connect to the server itself for migrations (most setups have a second URL for that), or set it inside a transaction. If the \
     pooler gives each client a session of its own (`pool_mode = session`), say so with `lock = \"session\"` in `migrate.toml`.",
);

/// Files and history disagree.
pub static HISTORY_MISMATCH: Code = Code::new(
    "history-mismatch",
    "The files and the history in the database disagree in a way that must not be passed over. Nothing was run. Each disagreement has \
     a code of its own, which `cargo migrate explain` explains.",
);

/// A migration failed.
pub static MIGRATION_FAILED: Code = Code::new(
    "migration-failed",
    "The database refused a statement of a migration. The message says which file and line, what the database said, and what is \
     already done. A migration in a transaction was rolled back as a whole: correct the file and run the same command again. One that \
     runs outside a transaction is recorded with the number of statements that are done, and the next run resumes at the one that \
     failed.",
);

/// The connection was lost while a migration ran.
pub static CONNECTION_LOST: Code = Code::new(
    "connection-lost",
    "The connection broke while a migration ran, so nobody could hear how its last statement ended. Run the same command again: what \
     was in a transaction is either wholly done and recorded, or not at all; and what runs outside one is marked after each statement.",
);

/// A migration took too long.
pub static TIMED_OUT: Code = Code::new(
    "timed-out",
    "A migration took longer than its time limit (10 minutes, or `timeout` in `migrate.toml` or in the file) and was stopped.",
);

/// A gate is closed.
pub static GATE_CLOSED: Code = Code::new(
    "gate-closed",
    "A migration says `-- migrate: gate SELECT ...`, and the query did not return one true value. The migration was not begun. Do what \
     the gate waits for, and run the same command again.",
);

/// The target is unknown.
pub static UNKNOWN_VERSION: Code = Code::new(
    "unknown-version",
    "The version that was asked for is neither among the files nor in the history. `cargo migrate status` lists all versions.",
);

/// A run that was asked to stop.
pub static STOPPED: Code = Code::new(
    "stopped",
    "The run was asked to stop, by a signal or by the application. What was running was let end and is recorded, and the lock is given \
     back. The same command goes on from there. A second signal ends the process at once; then the database rolls back what was not \
     recorded.",
);

/// The history cannot be read or written.
pub static HISTORY: Code = Code::new(
    "history",
    "The tables that keep the history could not be read or written. Reading needs SELECT on them; the first run needs the right to \
     create them; applying needs INSERT, UPDATE and DELETE. A table of the same name that belongs to something else is left alone: \
     choose another name under `[history]` in `migrate.toml`.",
);

/// A name or setting cannot be used.
pub static BAD_NAME_FOR_HISTORY: Code = Code::new(
    "unusable-name",
    "A service, schema or table name is too long for the database or holds a character that it cannot store. PostgreSQL cuts names at \
     63 bytes and MySQL refuses more than 64 characters, so such a name would silently become another one.",
);

/// All of them.
pub static ALL: &[&Code] = &[
    &CONNECTION,
    &CONNECTION_LOST,
    &HISTORY_MISMATCH,
    &GATE_CLOSED,
    &HISTORY,
    &LOCK_LOST,
    &LOCK_NOT_OBTAINED,
    &NEEDS_SESSION,
    &READ_ONLY,
    &MIGRATION_FAILED,
    &STOPPED,
    &TIMED_OUT,
    &UNKNOWN_VERSION,
    &BAD_NAME_FOR_HISTORY,
    &WRONG_DIALECT,
];
