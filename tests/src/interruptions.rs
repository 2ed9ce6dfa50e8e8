//! Interrupts a run at any message and runs it again. Schema, rows and history must equal those of an uninterrupted run.

use crate::{Binary, Disconnect, Kind, Outcome, Proxy, TestDatabase, TestFolder, pgbouncer};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How a run is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// The connection is closed.
    Connection(Disconnect),
    /// The process is killed (SIGKILL).
    Process(Disconnect),
}

impl Interruption {
    /// All kinds.
    pub const ALL: [Interruption; 4] = [
        Interruption::Connection(Disconnect::Before),
        Interruption::Connection(Disconnect::After),
        Interruption::Process(Disconnect::Before),
        Interruption::Process(Disconnect::After),
    ];
}

/// The direction of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `up`, from an empty database.
    Up,
    /// `down --all`, from a database with all migrations applied.
    Down,
}

/// The lock that excludes other runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// A session-level lock.
    Session,
    /// A lease, set in `migrate.toml`.
    Lease,
    /// A lease, because the connection passes through PgBouncer.
    Pooler,
}

/// The result of an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The run ended before the interruption.
    NotInterrupted,
    /// The next plain run exited with 0.
    Resumed,
}

/// Files of all kinds: one transaction, statements without a transaction, explicit transactions, implicit commits.
///
/// No statement is idempotent, so a second execution of a statement is detected.
pub fn folder(kind: Kind) -> TestFolder {
    let first = (
        "CREATE TABLE t (id integer NOT NULL, n integer NOT NULL);\nCREATE TABLE log (what varchar(100) NOT NULL);\nINSERT INTO log VALUES ('first');\n",
        "DROP TABLE log;\nDROP TABLE t;\n",
    );
    let rows = (
        "INSERT INTO t (id, n) VALUES (1, 1);\nINSERT INTO log VALUES ('rows');\n",
        "DELETE FROM t;\nINSERT INTO log VALUES ('no rows');\n",
    );
    let last = (
        "INSERT INTO log VALUES ('last');\nUPDATE t SET id = id + 1;\n",
        "UPDATE t SET id = id - 1;\nINSERT INTO log VALUES ('not last');\n",
    );
    let (outside, explicit) = match kind {
        Kind::Postgres => (
            (
                "CREATE TYPE mood AS ENUM ('sad');\nCREATE INDEX CONCURRENTLY t_n ON t (n);\nINSERT INTO log VALUES ('outside');\nALTER TYPE mood ADD VALUE 'ok';\nCREATE UNIQUE INDEX CONCURRENTLY t_id ON t (id);\nUPDATE t SET n = n + 1;\nDROP INDEX CONCURRENTLY t_n;\n",
                "CREATE INDEX CONCURRENTLY t_n ON t (n);\nDROP INDEX CONCURRENTLY t_id;\nUPDATE t SET n = n - 1;\nDROP INDEX CONCURRENTLY t_n;\nDROP TYPE mood;\n",
            ),
            ("BEGIN;\nALTER TABLE t ADD a integer;\nINSERT INTO log VALUES ('own');\nCOMMIT;\n", "ALTER TABLE t DROP a;\n"),
        ),
        Kind::MariaDb => (
            (
                "ALTER TABLE t ADD COLUMN b integer NOT NULL DEFAULT 7;\nCREATE INDEX t_n ON t (n);\nINSERT INTO log VALUES ('outside');\nALTER TABLE t CHANGE b c integer NOT NULL;\nUPDATE t SET n = n + 1;\nCREATE VIEW v AS SELECT id FROM t;\nCREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW INSERT INTO log VALUES ('row');\nCREATE TABLE w (id integer);\nRENAME TABLE w TO x;\n",
                "DROP TABLE x;\nDROP TRIGGER g;\nDROP VIEW v;\nUPDATE t SET n = n - 1;\nALTER TABLE t DROP INDEX t_n, DROP COLUMN c;\n",
            ),
            (
                "ALTER TABLE t ADD CONSTRAINT t_c CHECK (n > 0);\nALTER TABLE t ADD CONSTRAINT t_u UNIQUE (id);\nINSERT INTO log VALUES ('own');\n",
                "ALTER TABLE t DROP CONSTRAINT t_c;\nALTER TABLE t DROP INDEX t_u;\n",
            ),
        ),
        Kind::Sqlite => (
            (
                "-- migrate: no-transaction\nALTER TABLE t ADD COLUMN b integer;\nCREATE INDEX t_n ON t (n);\nINSERT INTO log VALUES ('outside');\nUPDATE t SET n = n + 1;\nVACUUM;\nINSERT INTO log VALUES ('vacuumed');\n",
                "-- migrate: no-transaction\nDROP INDEX t_n;\nUPDATE t SET n = n - 1;\nVACUUM;\nALTER TABLE t DROP COLUMN b;\n",
            ),
            (
                "PRAGMA foreign_keys = OFF;\nBEGIN;\nALTER TABLE t ADD COLUMN a integer;\nINSERT INTO log VALUES ('own');\nCOMMIT;\nPRAGMA foreign_keys = ON;\n",
                "ALTER TABLE t DROP COLUMN a;\n",
            ),
        ),
    };
    let folder = TestFolder::default();
    folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{}\"\n", kind.dialect().name()));
    for (number, (up, down)) in [first, rows, outside, explicit, last].into_iter().enumerate() {
        folder.write(&format!("migrations/{:03}_x.up.sql", number + 1), up);
        folder.write(&format!("migrations/{:03}_x.down.sql", number + 1), down);
    }
    folder
}

/// The result of a run: the catalog, the rows, the history, and how often each step was recorded.
pub async fn everything(database: &TestDatabase) -> Vec<String> {
    let mut all = Vec::new();
    let catalog: &[&str] = match database.kind {
        Kind::Postgres => &[
            "SELECT relname::text, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1, 2",
            "SELECT attrelid::regclass::text, attname::text, atttypid::regtype::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2",
            "SELECT indexrelid::regclass::text, indisvalid, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
            "SELECT enumtypid::regtype::text, enumlabel::text FROM pg_enum ORDER BY 1, enumsortorder",
        ],
        Kind::MariaDb => &[
            "SELECT CAST(table_name AS CHAR), CAST(table_type AS CHAR) FROM information_schema.tables WHERE table_schema = database() ORDER BY 1",
            "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), CAST(column_type AS CHAR) FROM information_schema.columns WHERE table_schema = database() ORDER BY 1, 2",
            "SELECT CAST(table_name AS CHAR), CAST(index_name AS CHAR), CAST(column_name AS CHAR) FROM information_schema.statistics WHERE table_schema = database() ORDER BY 1, 2, 3",
            "SELECT CAST(constraint_name AS CHAR), CAST(table_name AS CHAR) FROM information_schema.table_constraints WHERE constraint_schema = database() ORDER BY 1, 2",
            "SELECT CAST(trigger_name AS CHAR) FROM information_schema.triggers WHERE trigger_schema = database() ORDER BY 1",
        ],
        Kind::Sqlite => &["SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"],
    };
    let tables = database.tables().await;
    for sql in catalog {
        all.extend(database.rows(sql).await);
    }
    for (name, rows) in [("t", "SELECT id, n FROM t ORDER BY 1, 2"), ("log", "SELECT what FROM log ORDER BY 1")] {
        if tables.iter().any(|table| table == name) {
            all.extend(database.rows(rows).await.into_iter().map(|row| format!("{name}: {row}")));
        }
    }
    all.extend(database.history().await);
    let events = "SELECT version, event, count(*) FROM migration_events WHERE event IN ('applied', 'reverted') GROUP BY version, event ORDER BY 1, 2";
    all.extend(database.rows(events).await);
    all
}

/// A folder, a direction and a lock, with the result of an uninterrupted run.
#[derive(Debug)]
pub struct Scenario {
    kind: Kind,
    folder: TestFolder,
    direction: Direction,
    lock: Lock,
    uninterrupted: Vec<String>,
    /// The number of messages of an uninterrupted run; on SQLite, its duration in microseconds.
    pub length: usize,
}

impl Scenario {
    /// Runs it once without an interruption.
    ///
    /// # Panics
    /// If the run fails.
    pub async fn new(kind: Kind, direction: Direction, lock: Lock) -> Self {
        let mut scenario = Scenario { kind, folder: folder(kind), direction, lock, uninterrupted: Vec::new(), length: 0 };
        if lock != Lock::Session {
            // The run after an interruption waits for this time.
            let toml = scenario.folder.text("migrate.toml") + "lease = \"2s\"\n";
            let toml = if lock == Lock::Lease { toml + "lock = \"lease\"\n" } else { toml };
            scenario.folder.write("migrate.toml", &toml);
        }
        let database = scenario.start().await;
        match kind {
            Kind::Sqlite => {
                let start = Instant::now();
                scenario.binary(&database.url).ok(scenario.arguments());
                scenario.length = start.elapsed().as_micros() as usize;
            }
            _ => {
                let proxy = Proxy::before(kind, &scenario.address(&database)).await;
                let outcome = run(&scenario.binary(&proxy.url), scenario.arguments()).await;
                assert_eq!(outcome.code, 0, "{}", outcome.stderr);
                scenario.length = proxy.count();
            }
        }
        scenario.uninterrupted = everything(&database).await;
        scenario.end(database).await;
        scenario
    }

    /// Interrupts a run at a message or time, runs it again, and compares the result.
    ///
    /// # Panics
    /// If the second run fails, or if its result differs from that of an uninterrupted run.
    pub async fn interrupt(&self, at: usize, interruption: Interruption) -> Recovery {
        let database = self.start().await;
        let case = format!("{:?} {:?}: {interruption:?} at {at} of {}", self.kind, self.direction, self.length);
        let interrupted = match self.kind {
            Kind::Sqlite => self.kill_after(&database, Duration::from_micros(at as u64)).await,
            _ => self.interrupt_at(&database, at, interruption, &case).await,
        };
        let again = run(&self.binary(&self.address(&database)), self.arguments()).await;
        assert_eq!(again.code, 0, "{case}: {}{}", again.stdout, again.stderr);
        let result = everything(&database).await;
        assert_eq!(result, self.uninterrupted, "{case}");
        self.end(database).await;
        if interrupted { Recovery::Resumed } else { Recovery::NotInterrupted }
    }

    async fn interrupt_at(&self, database: &TestDatabase, at: usize, interruption: Interruption, case: &str) -> bool {
        let (Interruption::Connection(moment) | Interruption::Process(moment)) = interruption;
        let mut proxy = Proxy::disconnecting(self.kind, &self.address(database), at, moment).await;
        let binary = self.binary(&proxy.url);
        let mut child = tokio::process::Command::from(binary.command(self.arguments()));
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
        if matches!(interruption, Interruption::Process(_)) {
            tokio::select! {
                () = proxy.disconnected() => child.start_kill().expect("the process is running"),
                ended = child.wait() => drop(ended),
            }
        }
        let ended = child.wait().await.expect("the process ends");
        let disconnected = proxy.is_disconnected();
        assert!(disconnected || ended.success(), "{case}: the run failed without an interruption");
        disconnected
    }

    async fn kill_after(&self, database: &TestDatabase, time: Duration) -> bool {
        let binary = self.binary(&database.url);
        let mut child = tokio::process::Command::from(binary.command(self.arguments()));
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
        tokio::select! {
            () = tokio::time::sleep(time) => drop(child.start_kill()),
            ended = child.wait() => drop(ended),
        }
        !child.wait().await.expect("the process ends").success()
    }

    async fn start(&self) -> TestDatabase {
        let database = TestDatabase::new(self.kind).await;
        if self.direction == Direction::Down {
            let outcome = run(&self.binary(&self.address(&database)), &["up"]).await;
            assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        }
        database
    }

    async fn end(&self, database: TestDatabase) {
        match self.lock {
            Lock::Session | Lock::Lease => database.drop().await,
            Lock::Pooler => database.drop_by_force().await,
        }
    }

    fn address(&self, database: &TestDatabase) -> String {
        match self.lock {
            Lock::Session | Lock::Lease => database.url.clone(),
            Lock::Pooler => database.through(&pgbouncer()),
        }
    }

    fn binary(&self, url: &str) -> Binary {
        Binary::inside(self.folder.path()).variable("DATABASE_URL", url)
    }

    fn arguments(&self) -> &'static [&'static str] {
        match self.direction {
            Direction::Up => &["up"],
            Direction::Down => &["down", "--all", "--yes"],
        }
    }
}

async fn run(binary: &Binary, arguments: &[&str]) -> Outcome {
    let mut command = tokio::process::Command::from(binary.command(arguments));
    Outcome::of(command.output().await.expect("the binary runs"))
}
