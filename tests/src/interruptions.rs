//! Runs cut short at any question, and run again: the schema, the data and the history must be those of an undisturbed run.

use crate::{Binary, Cut, Kind, Outcome, Proxy, TestDatabase, TestFolder, pgbouncer};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How a run is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The connection breaks.
    Connection(Cut),
    /// The process is killed (SIGKILL).
    Process(Cut),
}

impl Blow {
    /// All of them.
    pub const ALL: [Blow; 4] =
        [Blow::Connection(Cut::Before), Blow::Connection(Cut::After), Blow::Process(Cut::Before), Blow::Process(Cut::After)];
}

/// Which way the run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `up`, from an empty database.
    Up,
    /// `down --all`, from one that has everything.
    Down,
}

/// What keeps two runs apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// The session's lock.
    Session,
    /// A lease, asked for.
    Lease,
    /// A lease, because PgBouncer is in between.
    Pooler,
}

/// What a cut run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcomes {
    /// The run was over before it could be cut.
    NotCut,
    /// The next plain run ended with 0.
    Resumed,
}

/// Files of all kinds: transactions, statements outside of one, a file's own transaction, what commits by itself.
///
/// Nothing in them is repeatable without harm, so a second run of any statement shows.
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
    let (outside, own) = match kind {
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
    for (number, (up, down)) in [first, rows, outside, own, last].into_iter().enumerate() {
        folder.write(&format!("migrations/{:03}_x.up.sql", number + 1), up);
        folder.write(&format!("migrations/{:03}_x.down.sql", number + 1), down);
    }
    folder
}

/// Everything that a run leaves: what the catalogue holds, the rows, the history, and how often each step was recorded.
pub async fn everything(database: &TestDatabase) -> Vec<String> {
    let mut all = Vec::new();
    let catalogue: &[&str] = match database.kind {
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
    for sql in catalogue {
        all.extend(database.rows(sql).await);
    }
    for (table, rows) in [("t", "SELECT id, n FROM t ORDER BY 1, 2"), ("log", "SELECT what FROM log ORDER BY 1")] {
        if tables.iter().any(|one| one == table) {
            all.extend(database.rows(rows).await.into_iter().map(|row| format!("{table}: {row}")));
        }
    }
    all.extend(database.history().await);
    let events = "SELECT version, event, count(*) FROM migration_events WHERE event IN ('applied', 'reverted') GROUP BY version, event ORDER BY 1, 2";
    all.extend(database.rows(events).await);
    all
}

/// A folder, and what an undisturbed run leaves of it.
#[derive(Debug)]
pub struct Bench {
    kind: Kind,
    folder: TestFolder,
    way: Way,
    lock: Lock,
    undisturbed: Vec<String>,
    /// How many questions an undisturbed run asks; for SQLite, how many microseconds it takes.
    pub length: usize,
}

impl Bench {
    /// Runs it once undisturbed.
    ///
    /// # Panics
    /// When that fails.
    pub async fn new(kind: Kind, way: Way, lock: Lock) -> Self {
        let mut bench = Bench { kind, folder: folder(kind), way, lock, undisturbed: Vec::new(), length: 0 };
        if lock != Lock::Session {
            // Whoever comes behind one that was cut waits for so long.
            let toml = bench.folder.text("migrate.toml") + "lease = \"2s\"\n";
            let toml = if lock == Lock::Lease { toml + "lock = \"lease\"\n" } else { toml };
            bench.folder.write("migrate.toml", &toml);
        }
        let database = bench.start().await;
        match kind {
            Kind::Sqlite => {
                let begun = Instant::now();
                bench.binary(&database.url).ok(bench.arguments());
                bench.length = begun.elapsed().as_micros() as usize;
            }
            _ => {
                let proxy = Proxy::before(kind, &bench.address(&database)).await;
                let outcome = run(&bench.binary(&proxy.url), bench.arguments()).await;
                assert_eq!(outcome.code, 0, "{}", outcome.stderr);
                bench.length = proxy.count();
            }
        }
        bench.undisturbed = everything(&database).await;
        bench.end(database).await;
        bench
    }

    /// Cuts a run at a place, runs it again, and compares.
    ///
    /// # Panics
    /// When the second run fails, or leaves anything else than an undisturbed one.
    pub async fn cut(&self, at: usize, blow: Blow) -> Outcomes {
        let database = self.start().await;
        let what = format!("{:?} {:?}: {blow:?} at {at} of {}", self.kind, self.way, self.length);
        let cut = match self.kind {
            Kind::Sqlite => self.kill_after(&database, Duration::from_micros(at as u64)).await,
            _ => self.cut_at(&database, at, blow, &what).await,
        };
        let again = run(&self.binary(&self.address(&database)), self.arguments()).await;
        assert_eq!(again.code, 0, "{what}: {}{}", again.stdout, again.stderr);
        let left = everything(&database).await;
        assert_eq!(left, self.undisturbed, "{what}");
        self.end(database).await;
        if cut { Outcomes::Resumed } else { Outcomes::NotCut }
    }

    async fn cut_at(&self, database: &TestDatabase, at: usize, blow: Blow, what: &str) -> bool {
        let (Blow::Connection(cut) | Blow::Process(cut)) = blow;
        let mut proxy = Proxy::cutting(self.kind, &self.address(database), at, cut).await;
        let binary = self.binary(&proxy.url);
        let mut child = tokio::process::Command::from(binary.command(self.arguments()));
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
        if matches!(blow, Blow::Process(_)) {
            tokio::select! {
                () = proxy.cut() => child.start_kill().expect("the process is there"),
                ended = child.wait() => drop(ended),
            }
        }
        let ended = child.wait().await.expect("the process ends");
        let cut = proxy.was_cut();
        assert!(cut || ended.success(), "{what}: it failed without being cut");
        cut
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
        if self.way == Way::Down {
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
        match self.way {
            Way::Up => &["up"],
            Way::Down => &["down", "--all", "--yes"],
        }
    }
}

async fn run(binary: &Binary, arguments: &[&str]) -> Outcome {
    let mut command = tokio::process::Command::from(binary.command(arguments));
    Outcome::of(command.output().await.expect("the binary runs"))
}
