//! A database in which another tool has applied the migrations: a first run must not apply them again.
//!
//! The tables are created as each tool creates them, but under another name: only their columns tell.

use migrate_runtime::{ErrorKind, Migrator};
use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};

/// A tool: its table, the rows after the migration of `file` was applied, and that file.
struct Tool {
    name: &'static str,
    /// The columns; `BYTES`, `MOMENT` and `NUMBER` stand for types of the database.
    columns: &'static str,
    rows: &'static str,
    file: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "sqlx",
        columns: "version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on MOMENT, success BOOLEAN NOT NULL, \
                  checksum BYTES NOT NULL, execution_time BIGINT NOT NULL",
        rows: "(1, 'log one', NULL, true, 'abc', 7)",
        file: "0001_log_one.sql",
    },
    Tool {
        name: "diesel",
        columns: "version VARCHAR(50) PRIMARY KEY NOT NULL, run_on MOMENT",
        rows: "('00000000000000', NULL), ('20250102030405', NULL)",
        file: "2025-01-02-030405_log_one/up.sql",
    },
    Tool {
        name: "refinery",
        columns: "version INTEGER PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255)",
        rows: "(1, 'log_one', '2025-01-02T03:04:05Z', '1464568577450405886')",
        file: "V1__log_one.sql",
    },
    Tool {
        name: "sea-orm",
        columns: "version VARCHAR(255) NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL",
        rows: "('m20220101_000001_log_one', 1700000000)",
        file: "20220101_000001_log_one.sql",
    },
    Tool {
        name: "golang-migrate",
        columns: "version BIGINT NOT NULL PRIMARY KEY, dirty BOOLEAN NOT NULL",
        rows: "(1, false)",
        file: "000001_log_one.up.sql",
    },
    Tool {
        name: "goose",
        columns: "id NUMBER, version_id BIGINT NOT NULL, is_applied BOOLEAN NOT NULL, tstamp MOMENT",
        rows: "(1, 0, true, NULL), (2, 1, true, NULL), (3, 1, false, NULL), (4, 1, true, NULL)",
        file: "00001_log_one.sql",
    },
    Tool {
        name: "dbmate",
        columns: "version VARCHAR(128) PRIMARY KEY",
        rows: "('20250102030405')",
        file: "20250102030405_log_one.sql",
    },
    Tool {
        name: "flyway",
        columns: "installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50), description VARCHAR(200) NOT NULL, type VARCHAR(20) NOT NULL, \
                  script VARCHAR(1000) NOT NULL, checksum INT, installed_by VARCHAR(100) NOT NULL, installed_on MOMENT, \
                  execution_time INT NOT NULL, success BOOLEAN NOT NULL",
        rows: "(1, '1.2', 'log one', 'SQL', 'V1_2__log_one.sql', 482209088, 'me', NULL, 3, true)",
        file: "V1_2__log_one.sql",
    },
    Tool {
        name: "prisma",
        columns: "id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at MOMENT, migration_name VARCHAR(255) NOT NULL, \
                  logs TEXT, rolled_back_at MOMENT, started_at MOMENT, applied_steps_count INTEGER NOT NULL DEFAULT 0",
        rows: "('a', 'x', '2025-01-02 03:04:05', '20250102030405_log_one', NULL, NULL, '2025-01-02 03:04:05', 1)",
        file: "20250102030405_log_one/migration.sql",
    },
    Tool {
        name: "node-pg-migrate",
        columns: "id NUMBER, name VARCHAR(255) NOT NULL, run_on MOMENT",
        rows: "(1, '1700000000000_log-one', NULL)",
        file: "1700000000000_log-one.sql",
    },
    Tool {
        name: "link",
        columns: "id NUMBER, service VARCHAR(190) NOT NULL, version INTEGER NOT NULL, name VARCHAR(190) NOT NULL, applied_at MOMENT, \
                  checksum VARCHAR(190) NOT NULL",
        rows: "(1, 'shop', 1, 'log_one', NULL, 'x')",
        file: "001_log_one.up.sql",
    },
    Tool {
        name: "link",
        columns: "service VARCHAR(190) PRIMARY KEY, version INTEGER NOT NULL, applied_at MOMENT, description VARCHAR(190)",
        rows: "('shop', 1, NULL, 'log one')",
        file: "001_log_one.up.sql",
    },
    Tool {
        name: "takumi",
        columns: "id NUMBER, migration_name VARCHAR(255) UNIQUE NOT NULL, applied_at MOMENT",
        rows: "(1, '001_log_one.sql', NULL)",
        file: "001_log_one.sql",
    },
    Tool {
        name: "trossapp",
        columns: "id NUMBER, version INTEGER UNIQUE NOT NULL, description TEXT NOT NULL, applied_at MOMENT, applied_by VARCHAR(100), \
                  success BOOLEAN DEFAULT true",
        rows: "(1, 1, 'Add a log', NULL, 'me', true)",
        file: "001_log_one.sql",
    },
];

impl Tool {
    fn create(&self, kind: Kind, table: &str) -> String {
        let (bytes, moment, number) = match kind {
            Kind::Postgres => ("bytea", "timestamp", "serial PRIMARY KEY"),
            Kind::MariaDb => ("blob", "timestamp NULL", "bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY"),
            Kind::Sqlite => ("BLOB", "TIMESTAMP", "INTEGER PRIMARY KEY AUTOINCREMENT"),
        };
        let columns = self.columns.replace("BYTES", bytes).replace("MOMENT", moment).replace("NUMBER", number);
        format!("CREATE TABLE {table} ({columns}); INSERT INTO {table} VALUES {}", self.rows)
    }

    fn folder(&self, settings: &str) -> TestFolder {
        let folder = TestFolder::new(&[(self.file, "INSERT INTO log VALUES (1);\n")]);
        folder.write("migrate.toml", &format!("service = \"shop\"\ndown = \"optional\"\n{settings}"));
        folder
    }
}

#[tokio::test]
async fn a_first_run_is_refused_whatever_the_table_is_called() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        database.execute("CREATE TABLE log (n integer)").await;
        let table = if kind == Kind::Postgres { "old.x" } else { "x" };
        if kind == Kind::Postgres {
            database.execute("CREATE SCHEMA old").await;
        }
        for tool in TOOLS {
            database.execute(&tool.create(kind, table)).await;
            let set = tool.folder("").set(kind.dialect());
            let error = Migrator::new(&set).run(&database.url).await.expect_err(tool.name);
            assert_eq!(
                (error.code().name, error.kind()),
                ("foreign-history", ErrorKind::HistoryMismatch),
                "{}: {error}",
                tool.name
            );
            let text = error.report();
            assert!(text.contains(&format!("is the history of {}", tool.name)), "{kind:?}, {}: {text}", tool.name);
            assert!(text.contains("1 of 1 migration of `shop`"), "{kind:?}, {}: {text}", tool.name);
            let status = Migrator::new(&set).status(&database.url).await.unwrap();
            assert_eq!(status.neighbors()[0].message, error.message());
            let ignoring = tool.folder(&format!("[history]\nignore = [\"{}\"]\n", tool.name)).set(kind.dialect());
            let status = Migrator::new(&ignoring).status(&database.url).await.unwrap();
            assert!(status.neighbors().is_empty() && status.refusal().is_none(), "{}", tool.name);
            database.execute(&format!("DROP TABLE {table}")).await;
        }
        assert_eq!(database.value("SELECT count(*) FROM log").await, "0");
        assert_eq!(database.tables().await, ["log"], "nothing was created");
        database.drop().await;
    }
}

/// Another service of a shared database may use another tool.
#[tokio::test]
async fn a_history_of_other_files_is_only_a_note() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        database.execute("CREATE TABLE log (n integer)").await;
        let sqlx = &TOOLS[0];
        database.execute(&sqlx.create(kind, "_sqlx_migrations")).await;
        let folder = TestFolder::new(&[("0001_something_else.sql", "INSERT INTO log VALUES (1);\n")]);
        let set = folder.set(kind.dialect());
        let status = Migrator::new(&set).status(&database.url).await.unwrap();
        assert!(status.refusal().is_none());
        assert!(
            status.neighbors()[0].message.contains("none of them is a migration of `app`"),
            "{}",
            status.neighbors()[0].message
        );
        assert_eq!(Migrator::new(&set).run(&database.url).await.unwrap().done.len(), 1);
        let status = Migrator::new(&set).status(&database.url).await.unwrap();
        assert!(status.neighbors().is_empty(), "after the first run, nothing is looked for");
        database.drop().await;
    }
}

/// A number without a file of its own counts where the migrations look for their tables, also if our history is elsewhere.
#[tokio::test]
async fn one_number_beside_the_tables_of_the_migrations() {
    for (path, code) in [("public", 5), ("other, public", 5), ("other", 0)] {
        let database = TestDatabase::new(Kind::Postgres).await;
        let schemas =
            "CREATE SCHEMA migrate; CREATE SCHEMA other; CREATE TABLE public.log (n integer); CREATE TABLE other.log (n integer)";
        database.execute(schemas).await;
        let golang = TOOLS.iter().find(|tool| tool.name == "golang-migrate").unwrap();
        database.execute(&golang.create(Kind::Postgres, "public.schema_migrations").replace("(1, false)", "(900, false)")).await;
        let folder = golang.folder(&format!("session = [\"SET search_path = {path}\"]\n[history]\nschema = \"migrate\"\n"));
        let result = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).run(&["up"]);
        assert_eq!(result.stderr.contains("error[foreign-history]"), code == 5, "{path}: {}", result.stderr);
        assert_eq!(result.code, code, "{path}: {}", result.stderr);
        database.drop().await;
    }
}

/// Rails and dbmate have the same table; a second one tells them apart.
#[tokio::test]
async fn rails_is_told_from_dbmate() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        database
            .execute(
                "CREATE TABLE log (n integer); CREATE TABLE schema_migrations (version varchar(190) PRIMARY KEY); \
                 INSERT INTO schema_migrations VALUES ('20250102030405'); CREATE TABLE ar_internal_metadata \
                 (`key` varchar(190), value varchar(190), created_at timestamp NULL, updated_at timestamp NULL)"
                    .replace('`', if kind == Kind::Postgres { "\"" } else { "`" })
                    .as_str(),
            )
            .await;
        let folder = TestFolder::new(&[("20250102030405_log.sql", "INSERT INTO log VALUES (1);\n")]);
        let error = Migrator::new(folder.set(kind.dialect())).run(&database.url).await.unwrap_err();
        assert!(error.report().contains("the history of rails"), "{error}");
        database.drop().await;
    }
}

/// The tables of Link have the names of ours. One of them alone is enough.
#[tokio::test]
async fn tables_of_another_tool_under_our_names() {
    let records = TOOLS.iter().find(|tool| tool.name == "link").unwrap();
    let versions = TOOLS.iter().rfind(|tool| tool.name == "link").unwrap();
    for kind in Kind::ALL {
        for tables in [
            &[(records, "migration_records")][..],
            &[(versions, "schema_versions")],
            &[(records, "migration_records"), (versions, "schema_versions")],
        ] {
            let database = TestDatabase::new(kind).await;
            database.execute("CREATE TABLE log (n integer)").await;
            for (tool, table) in tables {
                database.execute(&tool.create(kind, table)).await;
            }
            let folder = records.folder("");
            let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
            let refused = binary.run(&["up"]);
            assert_eq!(refused.code, 5, "{kind:?}: {}", refused.stderr);
            assert!(refused.stderr.contains("error[foreign-history]"), "{}", refused.stderr);
            assert!(!refused.stderr.contains("other names"), "{}", refused.stderr);
            let status = binary.ok(&["status"]).stderr;
            assert!(status.contains("note[foreign-history]") && status.contains("1 migration pending"), "{status}");
            // Other names are no way around it.
            let renamed = records.folder("[history]\nrecords = \"r\"\nversions = \"v\"\nevents = \"e\"\n");
            let refused = Binary::inside(renamed.path()).variable("DATABASE_URL", &database.url).run(&["up"]);
            assert_eq!(refused.code, 5, "{kind:?}: {}", refused.stderr);
            // Where that history is of something else, our tables still need a place.
            let ignoring = records.folder("[history]\nignore = [\"link\"]\n");
            let refused = Binary::inside(ignoring.path()).variable("DATABASE_URL", &database.url).run(&["up"]);
            assert_eq!(refused.code, 1, "{kind:?}: {}", refused.stderr);
            assert!(refused.stderr.contains("it is not a history table of cargo-migrate"), "{}", refused.stderr);
            assert_eq!(database.value("SELECT count(*) FROM log").await, "0");
            database.drop().await;
        }
    }
}

/// What sqlx itself has written: its checksums are recognized, also after a checkout has changed the line ends.
#[tokio::test]
async fn a_history_that_sqlx_has_written() {
    let sql = "CREATE TABLE IF NOT EXISTS log (n integer);\nINSERT INTO log VALUES (1);\n";
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let folder = TestFolder::new(&[("0001_log_one.sql", sql)]);
        sqlx::any::install_default_drivers();
        let sqlx = sqlx::migrate::Migrator::new(folder.path().join("migrations")).await.unwrap();
        sqlx.run(&mut database.connect().await).await.unwrap();
        // Another name, and other line ends.
        let renamed =
            TestFolder::new(&[("001_renamed.up.sql", &sql.replace('\n', "\r\n")), ("001_renamed.down.sql", "DROP TABLE log;")]);
        for folder in [&folder, &renamed] {
            let error = Migrator::new(folder.set(kind.dialect())).run(&database.url).await.unwrap_err();
            assert_eq!(error.code().name, "foreign-history");
            assert!(error.message().contains("1 with the same checksum"), "{error}");
        }
        assert_eq!(database.value("SELECT count(*) FROM log").await, "1");
        database.drop().await;
    }
}
