//! What the safety rules foretell, and what real servers do.

use migrate_lint::impact::{Algorithm, Cause, Impact, ImpactContext, Lock, impacts};
use migrate_lint::relation::{HistoryPoint, Relation};
use migrate_lint::rule::{Example, Rule, Verification};
use migrate_lint::rules;
use migrate_lint::schema::Schema;
use migrate_lint::server::Server;
use migrate_lint::simulation::Simulation;
use migrate_model::dialect::Dialect;
use migrate_model::reader;
use migrate_model::statement;
use migrate_model::syntax::{Control, Syntax};
use migrate_tests::{Kind, TestDatabase};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};
use std::collections::BTreeMap;

fn kind(dialect: Dialect) -> Kind {
    match dialect {
        Dialect::Postgres => Kind::Postgres,
        Dialect::MySql => Kind::MariaDb,
        Dialect::Sqlite => Kind::Sqlite,
    }
}

/// Ends a database that others may still be connected to.
async fn gone(database: TestDatabase) {
    match database.kind {
        Kind::Postgres => database.drop_by_force().await,
        _ => database.drop().await,
    }
}

/// The statements of a file, without its way down.
fn statements(file: &str, dialect: Dialect) -> Vec<String> {
    let up = file.split("\n--- down\n").next().unwrap();
    let (statements, findings) = statement::split(up, dialect, "x.sql");
    assert!(findings.is_empty(), "{file}: {findings:?}");
    statements.iter().map(|one| one.sql(up).to_owned()).collect()
}

async fn run(connection: &mut AnyConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

async fn texts(connection: &mut AnyConnection, sql: &str) -> Vec<Vec<String>> {
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let row = |row: &sqlx::any::AnyRow| (0..row.len()).map(|at| row.get::<Option<String>, _>(at).unwrap_or_default()).collect();
    rows.iter().map(row).collect()
}

/// What a statement does to one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Work {
    lock: Option<Lock>,
    scans: bool,
    rewrites: bool,
    /// Rows may be looked up by an index, or not at all where there are none.
    perhaps: bool,
}

/// What examples use and do not make.
const ELSEWHERE: &str =
    "CREATE TABLE made_elsewhere (a integer, b text, c integer); CREATE INDEX made_elsewhere_i ON made_elsewhere (a);";

/// A fresh schema in one database, with what examples count on.
async fn fresh(database: &TestDatabase) -> AnyConnection {
    let mut connection = database.connect().await;
    let schemas = texts(
        &mut connection,
        "SELECT quote_ident(nspname)::text FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'",
    )
    .await;
    let drops: Vec<String> = schemas.iter().map(|row| format!("DROP SCHEMA {} CASCADE;", row[0])).collect();
    let sql = format!("{} CREATE SCHEMA public; CREATE SCHEMA a; CREATE SCHEMA b; {ELSEWHERE}", drops.concat());
    run(&mut connection, &sql).await.unwrap();
    run(
        &mut connection,
        "CREATE FUNCTION uuid_generate_v4() RETURNS uuid LANGUAGE sql VOLATILE AS 'SELECT gen_random_uuid()'; \
         SET max_parallel_workers_per_gather = 0; SET max_parallel_maintenance_workers = 0; SET timezone = 'UTC'",
    )
    .await
    .unwrap();
    connection
}

/// Filenodes and full reads of each table, by what `regclass` calls it.
async fn snapshot(connection: &mut AnyConnection) -> BTreeMap<String, (String, i64)> {
    let sql = "SELECT CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END, \
               coalesce(pg_relation_filenode(c.oid), 0)::text, coalesce(s.seq_scan, 0)::text \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_xact_user_tables s ON s.relid = c.oid \
               WHERE c.relkind IN ('r', 'p', 'm', 'v') AND n.nspname !~ '^(pg_|information_schema)'";
    let rows = texts(connection, sql).await.into_iter();
    rows.map(|row| (row[0].clone(), (row[1].clone(), row[2].parse().unwrap()))).collect()
}

async fn locks(connection: &mut AnyConnection) -> Vec<(String, Lock)> {
    let sql = "SELECT CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END, l.mode \
               FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE l.pid = pg_backend_pid() AND l.granted AND n.nspname !~ '^(pg_|information_schema)'";
    let lock = |mode: &str| match mode {
        "RowShareLock" => Some(Lock::RowShare),
        "RowExclusiveLock" => Some(Lock::RowExclusive),
        "ShareUpdateExclusiveLock" => Some(Lock::ShareUpdateExclusive),
        "ShareLock" => Some(Lock::Share),
        "ShareRowExclusiveLock" => Some(Lock::ShareRowExclusive),
        "ExclusiveLock" => Some(Lock::Exclusive),
        "AccessExclusiveLock" => Some(Lock::AccessExclusive),
        _ => None,
    };
    texts(connection, sql).await.into_iter().filter_map(|row| Some((row[0].clone(), lock(&row[1])?))).collect()
}

fn foretold(impacts: &[Impact], schema: &Schema, before: &BTreeMap<String, (String, i64)>) -> BTreeMap<String, Work> {
    let mut works: BTreeMap<String, Work> = BTreeMap::new();
    for impact in impacts.iter().filter(|impact| before.contains_key(&impact.table.to_string())) {
        let work = works.entry(impact.table.to_string()).or_default();
        work.lock = work.lock.max(Some(impact.lock));
        work.scans |= impact.scans;
        let other_side = matches!(impact.cause, Cause::ForeignKey | Cause::ColumnReference | Cause::Validate);
        work.perhaps |= other_side && impacts.first().is_some_and(|first| first.table != impact.table);
        // What has no rows of its own has nothing to write anew.
        let stores = !schema.relation(&impact.table).is_some_and(|relation| relation.partitioned);
        work.rewrites |= impact.rewrites && stores;
    }
    works
}

/// Statements that run in no transaction, or end one.
fn is_apart(syntax: &Syntax, sql: &str) -> bool {
    matches!(syntax, Syntax::Transaction(_) | Syntax::Vacuum { .. } | Syntax::Opaque | Syntax::Call { .. })
        || sql.to_ascii_uppercase().contains("CONCURRENTLY")
        || matches!(syntax, Syntax::Do { body } if sql[body.clone()].contains("COMMIT"))
}

/// Locks, full reads and rewrites of each statement of an example's last file, foretold and seen.
async fn measured(database: &TestDatabase, rule: &Rule, example: &Example, problems: &mut Vec<String>) -> usize {
    let dialect = Dialect::Postgres;
    // What a newer release has, this one refuses.
    if example.files.iter().any(|file| file.contains("VIRTUAL")) {
        return 0;
    }
    let mut connection = fresh(database).await;
    let mut simulation = Simulation::new(dialect);
    let mut count = 0;
    let last = example.files.len() - 1;
    let mut utc = true;
    for (number, file) in example.files.iter().enumerate() {
        for (at, sql) in statements(file, dialect).into_iter().enumerate() {
            let syntax = reader::read(&sql, dialect);
            let moment = HistoryPoint { migration: number, transaction: number * 100 + at };
            let apart = is_apart(&syntax, &sql);
            if number < last || apart {
                match &syntax {
                    // Each statement is a transaction here.
                    Syntax::Transaction(Control::Begin | Control::Commit) => {}
                    _ => {
                        if let Err(error) = run(&mut connection, &sql).await {
                            problems.push(format!("{}: {sql}: {error}", rule.code.name));
                            return count;
                        }
                    }
                }
                simulation.apply(&syntax, moment);
                continue;
            }
            if let Syntax::Set(settings) = &syntax {
                let zone = settings.iter().find(|setting| setting.name == "timezone");
                utc = zone.map_or(utc, |zone| zone.value.as_deref() == Some("UTC"));
                run(&mut connection, &sql.replace("LOCAL ", "")).await.unwrap();
                continue;
            }
            let in_file = |relation: &Relation| relation.created.migration == number && !relation.has_rows;
            let empty = matches!(&syntax, Syntax::AlterTable(alter)
                if simulation.schema.relation(&simulation.schema.resolve(&alter.table)).is_some_and(in_file));
            let circumstances =
                ImpactContext { server: Server::of(dialect), utc, foreign_keys_unchecked: false, table_is_empty: empty };
            let inner = reader::inner_statements(&sql, &syntax, dialect);
            let parts: Vec<Syntax> = inner.into_iter().map(|(range, _)| reader::read_part(&sql, range, dialect)).collect();
            let all = [syntax].into_iter().chain(parts);
            let mut predicted = Vec::new();
            let mut applied = simulation.clone();
            for syntax in all {
                predicted.extend(impacts(&simulation.schema, &syntax, &sql, circumstances));
                applied.apply(&syntax, moment);
            }
            run(&mut connection, "SELECT pg_stat_force_next_flush(); BEGIN").await.unwrap();
            let before = snapshot(&mut connection).await;
            if let Err(error) = run(&mut connection, &sql).await {
                problems.push(format!("{}: {sql}: {error}", rule.code.name));
                return count;
            }
            let after = snapshot(&mut connection).await;
            let taken = locks(&mut connection).await;
            run(&mut connection, "COMMIT").await.unwrap();
            let foretold = foretold(&predicted, &simulation.schema, &before);
            let mut seen: BTreeMap<String, Work> = BTreeMap::new();
            for (table, lock) in taken.into_iter().filter(|(table, _)| before.contains_key(table)) {
                let work = seen.entry(table).or_default();
                work.lock = work.lock.max(Some(lock));
            }
            for (table, (node, scans)) in &after {
                let Some((old_node, old_scans)) = before.get(table) else { continue };
                let work = seen.entry(table.clone()).or_default();
                work.scans = scans > old_scans;
                // `TRUNCATE` makes a new, empty file, and writes nothing into it; so does a refreshed view with its rows.
                work.rewrites =
                    node != old_node && !matches!(reader::read(&sql, dialect), Syntax::Truncate { .. } | Syntax::Refresh { .. });
            }
            // How rows change is not what is asked here, and a dropped or renamed table is not there to be looked at.
            let rows = matches!(reader::read(&sql, dialect), Syntax::Insert(_) | Syntax::Update(_) | Syntax::Delete(_));
            // Whose an index is that no file here makes is not known.
            let known = |table: &&String| {
                foretold.contains_key(*table) || simulation.schema.relations().any(|(key, _)| key.to_string() == **table)
            };
            for table in before.keys().filter(|table| after.contains_key(*table) && !rows).filter(known) {
                let (told, saw) =
                    (foretold.get(table).copied().unwrap_or_default(), seen.get(table).copied().unwrap_or_default());
                // A weak lock on the other table of a foreign key is not worth a word.
                let weak = |work: Work| work.lock.is_none_or(|lock| lock <= Lock::RowExclusive);
                let same_lock = told.lock == saw.lock || weak(told) && weak(saw);
                let truncates = matches!(reader::read(&sql, dialect), Syntax::Truncate { .. });
                let refreshes = matches!(reader::read(&sql, dialect), Syntax::Refresh { .. });
                let same_scan = told.scans == saw.scans || told.perhaps || truncates || refreshes;
                if !(same_lock && same_scan && told.rewrites == saw.rewrites) {
                    problems.push(format!(
                        "{}: {sql}\n    {table}: foretold {told:?}\n    {table}: seen     {saw:?}",
                        rule.code.name
                    ));
                }
            }
            count += 1;
            simulation = applied;
        }
    }
    count
}

#[tokio::test]
async fn postgres_locks_scans_and_rewrites_are_as_predicted() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let mut connection = database.connect().await;
    // Of every test run on this server, the first makes it.
    run(&mut connection, "SET allow_in_place_tablespaces = on").await.unwrap();
    let _ = run(&mut connection, "CREATE TABLESPACE fast LOCATION ''").await;
    let (mut problems, mut count) = (Vec::new(), 0);
    for rule in
        rules::ALL.iter().filter(|rule| rule.on.contains(&Dialect::Postgres) && rule.verification == Verification::Measured)
    {
        for example in rule.flagged.iter().chain(rule.not_flagged).filter(|example| example.dialect == Dialect::Postgres) {
            count += measured(&database, rule, example, &mut problems).await;
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(count > 100, "{count} statements");
    drop(connection);
    gone(database).await;
}

/// The dearest of what is foretold for a statement; none when that is no `ALTER` or index.
fn dearest(schema: &Schema, sql: &str, unchecked: bool) -> Option<(Algorithm, bool)> {
    let syntax = reader::read(sql, Dialect::MySql);
    let circumstances = ImpactContext {
        server: Server::of(Dialect::MySql),
        utc: false,
        foreign_keys_unchecked: unchecked,
        table_is_empty: false,
    };
    let all = impacts(schema, &syntax, sql, circumstances);
    let online = all.iter().filter_map(|impact| impact.online);
    online.map(|online| (online.algorithm, !online.allows_writes)).max()
}

#[tokio::test]
async fn mariadb_algorithms_are_as_predicted() {
    let (mut problems, mut count) = (Vec::new(), 0);
    for rule in rules::ALL.iter().filter(|rule| rule.on.contains(&Dialect::MySql) && rule.verification == Verification::Measured)
    {
        for example in rule.flagged.iter().chain(rule.not_flagged).filter(|example| example.dialect == Dialect::MySql) {
            let database = TestDatabase::new(Kind::MariaDb).await;
            let mut connection = database.connect().await;
            run(&mut connection, "ALTER DATABASE CHARACTER SET utf8mb4; CREATE TABLE made_elsewhere (a int, b text)")
                .await
                .unwrap();
            let mut simulation = Simulation::new(Dialect::MySql);
            let mut unchecked = false;
            let last = example.files.len() - 1;
            for (number, file) in example.files.iter().enumerate() {
                for sql in statements(file, Dialect::MySql) {
                    let syntax = reader::read(&sql, Dialect::MySql);
                    unchecked |= sql.to_ascii_lowercase().contains("foreign_key_checks = 0");
                    let moment = HistoryPoint { migration: number, transaction: number };
                    let says = sql.contains("ALGORITHM");
                    if let Some((algorithm, shared)) =
                        dearest(&simulation.schema, &sql, unchecked).filter(|_| number == last && !says)
                    {
                        let lock = if shared { "SHARED" } else { "NONE" };
                        let cheaper = match (algorithm, shared) {
                            (Algorithm::Instant, _) => None,
                            (Algorithm::NoCopy, _) => Some("ALGORITHM=INSTANT".to_owned()),
                            (Algorithm::Inplace, false) => Some("ALGORITHM=NOCOPY".to_owned()),
                            (Algorithm::Inplace, true) => Some("ALGORITHM=INPLACE, LOCK=NONE".to_owned()),
                            (Algorithm::Copy, _) => Some("ALGORITHM=INPLACE".to_owned()),
                        };
                        let comma = if sql.starts_with("ALTER") { "," } else { "" };
                        if let Some(cheaper) = cheaper {
                            let cheaper = if comma.is_empty() { cheaper.replace(", ", " ") } else { cheaper };
                            if run(&mut connection, &format!("{sql}{comma} {cheaper}")).await.is_ok() {
                                problems.push(format!("{}: {sql}: the server takes {cheaper}", rule.code.name));
                            }
                        }
                        let clause = match algorithm {
                            Algorithm::Instant => format!("{comma} ALGORITHM=INSTANT"),
                            other => format!("{comma} ALGORITHM={other}{comma} LOCK={lock}"),
                        };
                        count += 1;
                        if let Err(error) = run(&mut connection, &format!("{sql}{clause}")).await {
                            // What was dropped or made by the cheaper try is not tried again.
                            problems.push(format!("{}: {sql}{clause}: {error}", rule.code.name));
                        }
                    } else {
                        run(&mut connection, &sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                    }
                    simulation.apply(&syntax, moment);
                }
            }
            drop(connection);
            gone(database).await;
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(count > 25, "{count} statements");
}

/// What is said to fail fails, and what is said to be fine does not.
#[tokio::test]
async fn servers_refuse_what_rules_predict_to_fail() {
    let mut problems = Vec::new();
    for rule in
        rules::ALL.iter().filter(|rule| matches!(rule.verification, Verification::Refused | Verification::Seen("sqlite_refuses")))
    {
        let fires = rule.flagged.iter().map(|example| (example, true));
        let silent = rule.not_flagged.iter().map(|example| (example, false));
        for (example, fails) in fires.chain(silent) {
            let database = TestDatabase::new(kind(example.dialect)).await;
            let mut connection = database.connect().await;
            if example.dialect == Dialect::Sqlite {
                run(&mut connection, "PRAGMA foreign_keys = ON").await.unwrap();
            }
            let elsewhere = match example.dialect {
                Dialect::Postgres => {
                    "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE made_elsewhere (a integer); CREATE TABLE other (b integer)"
                }
                _ => "CREATE TABLE made_elsewhere (a integer); CREATE TABLE other (b integer)",
            };
            run(&mut connection, elsewhere).await.unwrap();
            let mut files: Vec<Vec<String>> = example.files.iter().map(|file| statements(file, example.dialect)).collect();
            let last = files.pop().unwrap();
            for sql in files.iter().flatten() {
                run(&mut connection, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            // What is refused may be refused for the rows there are.
            for table in ["t", "u"].iter().filter(|_| example.dialect == Dialect::Sqlite) {
                let _ = run(&mut connection, &format!("INSERT INTO {table} DEFAULT VALUES")).await;
            }
            let mut failed = None;
            for (at, sql) in last.iter().enumerate() {
                if let Err(error) = run(&mut connection, sql).await {
                    failed = Some((at, error));
                    break;
                }
            }
            match failed {
                Some((at, error)) if !fails => {
                    problems.push(format!("{}: {:?} fails at {at}: {error}", rule.code.name, example.files))
                }
                None if fails => problems.push(format!("{}: {:?} does not fail", rule.code.name, example.files)),
                _ => {}
            }
            drop(connection);
            gone(database).await;
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn a_new_column_without_a_value_fails() {
    for (kind, fill, fails) in [
        (Kind::Postgres, "", false),
        (Kind::Postgres, "INSERT INTO t VALUES (1);", true),
        (Kind::Sqlite, "INSERT INTO t VALUES (1);", true),
    ] {
        let database = TestDatabase::new(kind).await;
        let mut connection = database.connect().await;
        run(&mut connection, &format!("CREATE TABLE t (a integer); {fill}")).await.unwrap();
        let added = run(&mut connection, "ALTER TABLE t ADD COLUMN c integer NOT NULL").await;
        assert_eq!(added.is_err(), fails, "{kind:?} {fill}");
        drop(connection);
        gone(database).await;
    }
}

#[tokio::test]
async fn an_invalid_index_is_skipped() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let mut connection = database.connect().await;
    run(&mut connection, "CREATE TABLE t (a integer); INSERT INTO t VALUES (1), (1)").await.unwrap();
    let build = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)";
    run(&mut connection, build).await.unwrap_err();
    run(&mut connection, "DELETE FROM t").await.unwrap();
    run(&mut connection, build).await.unwrap();
    assert_eq!(database.value("SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'i'::regclass").await, "false");
    drop(connection);
    gone(database).await;
}

#[tokio::test]
async fn a_lock_timeout_ends_a_concurrent_build() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let (mut one, mut other) = (database.connect().await, database.connect().await);
    run(&mut one, "CREATE TABLE t (a integer)").await.unwrap();
    run(&mut other, "BEGIN; INSERT INTO t VALUES (1)").await.unwrap();
    run(&mut one, "SET lock_timeout = '100ms'").await.unwrap();
    run(&mut one, "CREATE INDEX CONCURRENTLY i ON t (a)").await.unwrap_err();
    run(&mut other, "COMMIT").await.unwrap();
    assert_eq!(database.value("SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'i'::regclass").await, "false");
    drop((one, other));
    gone(database).await;
}

/// What runs concurrently takes only a lock that lets others read and write: seen while it waits for a writer.
#[tokio::test]
async fn concurrent_statements_allow_writes() {
    for (prepare, sql) in [
        ("", "CREATE INDEX CONCURRENTLY i ON t (a)"),
        ("CREATE INDEX i ON t (a);", "DROP INDEX CONCURRENTLY i"),
        ("CREATE INDEX i ON t (a);", "REINDEX TABLE CONCURRENTLY t"),
    ] {
        let database = TestDatabase::new(Kind::Postgres).await;
        let (mut one, mut other) = (database.connect().await, database.connect().await);
        run(&mut one, &format!("CREATE TABLE t (a integer); {prepare}")).await.unwrap();
        run(&mut other, "BEGIN; INSERT INTO t VALUES (1)").await.unwrap();
        let worker = tokio::spawn(async move {
            run(&mut one, sql).await.unwrap();
            one.close().await.unwrap();
        });
        let strongest = "SELECT mode FROM pg_locks WHERE relation = 't'::regclass AND granted AND pid IN \
                         (SELECT pid FROM pg_stat_activity WHERE query LIKE '%CONCURRENTLY%' AND pid <> pg_backend_pid())";
        database.until(strongest, "ShareUpdateExclusiveLock").await;
        run(&mut other, "INSERT INTO t VALUES (2); COMMIT").await.unwrap();
        worker.await.unwrap();
        drop(other);
        gone(database).await;
    }
}

#[tokio::test]
async fn drop_cascade_removes_a_view() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE TABLE t (a integer); CREATE VIEW v AS SELECT a FROM t; DROP TABLE t CASCADE").await;
    assert_eq!(database.value("SELECT count(*)::text FROM pg_class WHERE relname = 'v'").await, "0");
    database.drop().await;
}

#[tokio::test]
async fn duplicates_fail_a_unique_index() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let mut connection = database.connect().await;
        run(&mut connection, "CREATE TABLE t (a integer); INSERT INTO t VALUES (1), (1)").await.unwrap();
        run(&mut connection, "CREATE UNIQUE INDEX i ON t (a)").await.unwrap_err();
        drop(connection);
        gone(database).await;
    }
}

#[tokio::test]
async fn columns_are_matched_by_position() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        database.execute("CREATE TABLE t (a integer, b integer)").await;
        database.execute("CREATE TABLE n (b integer, a integer)").await;
        database.execute("CREATE TABLE less (a integer)").await;
        database.execute("INSERT INTO t VALUES (1, 2)").await;
        database.execute("INSERT INTO n SELECT * FROM t").await;
        assert_eq!(database.rows("SELECT a, b FROM n").await, ["2|1"], "{kind:?}");
        let mut connection = database.connect().await;
        run(&mut connection, "INSERT INTO less SELECT * FROM t").await.unwrap_err();
        drop(connection);
        gone(database).await;
    }
}

#[tokio::test]
async fn replacing_a_row_deletes_its_children() {
    for (kind, replace) in
        [(Kind::MariaDb, "REPLACE INTO u VALUES (1, 2)"), (Kind::Sqlite, "INSERT OR REPLACE INTO u VALUES (1, 2)")]
    {
        let database = TestDatabase::new(kind).await;
        let mut connection = database.connect().await;
        if kind == Kind::Sqlite {
            run(&mut connection, "PRAGMA foreign_keys = ON").await.unwrap();
        }
        for sql in [
            "CREATE TABLE u (id integer PRIMARY KEY, b integer)",
            "CREATE TABLE t (u integer, FOREIGN KEY (u) REFERENCES u (id) ON DELETE CASCADE)",
            "INSERT INTO u VALUES (1, 1)",
            "INSERT INTO t VALUES (1)",
            replace,
        ] {
            run(&mut connection, sql).await.unwrap();
        }
        assert_eq!(database.value("SELECT count(*) FROM t").await, "0", "{kind:?}");
        drop(connection);
        gone(database).await;
    }
}

#[tokio::test]
async fn a_constant_is_not_unique() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let mut connection = database.connect().await;
        run(&mut connection, "CREATE TABLE t (id integer); INSERT INTO t VALUES (1)").await.unwrap();
        run(&mut connection, "ALTER TABLE t ADD COLUMN s varchar(9) NOT NULL DEFAULT ''").await.unwrap();
        run(&mut connection, "CREATE UNIQUE INDEX i ON t (s)").await.unwrap();
        let drop_index = if kind == Kind::MariaDb { "DROP INDEX i ON t" } else { "DROP INDEX i" };
        run(&mut connection, drop_index).await.unwrap();
        run(&mut connection, "INSERT INTO t (id) VALUES (2)").await.unwrap();
        run(&mut connection, "CREATE UNIQUE INDEX i ON t (s)").await.unwrap_err();
        drop(connection);
        gone(database).await;
    }
}

#[tokio::test]
async fn nulls_fail_set_not_null() {
    for (kind, sql) in
        [(Kind::Postgres, "ALTER TABLE t ALTER a SET NOT NULL"), (Kind::MariaDb, "ALTER TABLE t MODIFY a integer NOT NULL")]
    {
        let database = TestDatabase::new(kind).await;
        let mut connection = database.connect().await;
        run(&mut connection, "CREATE TABLE t (a integer); INSERT INTO t VALUES (NULL)").await.unwrap();
        run(&mut connection, sql).await.unwrap_err();
        drop(connection);
        gone(database).await;
    }
}

#[tokio::test]
async fn if_not_exists_keeps_the_old_columns() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let mut connection = database.connect().await;
        run(&mut connection, "CREATE TABLE t (a integer); CREATE TABLE IF NOT EXISTS t (a integer, b integer)").await.unwrap();
        run(&mut connection, "SELECT b FROM t").await.unwrap_err();
        drop(connection);
        gone(database).await;
    }
}

async fn mariadb(setup: &str) -> (TestDatabase, AnyConnection) {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let mut connection = database.connect().await;
    run(&mut connection, setup).await.unwrap();
    (database, connection)
}

#[tokio::test]
async fn mariadb_fills_not_null_columns() {
    let (database, connection) =
        mariadb("CREATE TABLE t (a int); INSERT INTO t VALUES (1); ALTER TABLE t ADD z int NOT NULL").await;
    assert_eq!(database.value("SELECT z FROM t").await, "0");
    drop(connection);
    gone(database).await;
}

#[tokio::test]
async fn mariadb_does_not_check_rows_of_a_new_column() {
    let setup = "CREATE TABLE t (a int); INSERT INTO t VALUES (1); ALTER TABLE t ADD q int CHECK (q IS NOT NULL AND q > 0)";
    let (database, mut connection) = mariadb(setup).await;
    assert_eq!(database.value("SELECT count(*) FROM t WHERE q IS NULL").await, "1");
    run(&mut connection, "UPDATE t SET a = 2").await.unwrap_err();
    drop(connection);
    gone(database).await;
}

#[tokio::test]
async fn mariadb_evaluates_a_default_once_for_all_rows() {
    let setup = "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2), (3); ALTER TABLE t ADD z double DEFAULT (rand())";
    let (database, connection) = mariadb(setup).await;
    assert_eq!(database.value("SELECT count(DISTINCT z) FROM t").await, "1");
    drop(connection);
    gone(database).await;
}

#[tokio::test]
async fn mariadb_does_not_check_rows_when_checks_are_off() {
    let setup = "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (a int); INSERT INTO t VALUES (7); SET foreign_key_checks = 0; \
                 ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id); SET foreign_key_checks = 1";
    let (database, connection) = mariadb(setup).await;
    assert_eq!(database.value("SELECT a FROM t").await, "7");
    drop(connection);
    gone(database).await;
}

async fn sqlite(setup: &str) -> (TestDatabase, AnyConnection) {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let mut connection = database.connect().await;
    run(&mut connection, "PRAGMA foreign_keys = ON").await.unwrap();
    run(&mut connection, setup).await.unwrap();
    (database, connection)
}

const FAMILY: &str = "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE); \
                      INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);";

const REBUILD: &str = "BEGIN; CREATE TABLE new_p (id integer PRIMARY KEY, x text); INSERT INTO new_p (id) SELECT id FROM p; DROP TABLE p; \
                       ALTER TABLE new_p RENAME TO p; COMMIT;";

#[tokio::test]
async fn a_rebuild_deletes_the_rows_of_children() {
    for (before, left) in [("", "0"), ("PRAGMA defer_foreign_keys = ON;", "0"), ("PRAGMA foreign_keys = OFF;", "1")] {
        let (database, mut connection) = sqlite(FAMILY).await;
        run(&mut connection, &format!("{before} {REBUILD}")).await.unwrap();
        assert_eq!(database.value("SELECT count(*) FROM c").await, left, "{before}");
        drop(connection);
        database.drop().await;
    }
}

#[tokio::test]
async fn foreign_keys_stay_on_inside_a_transaction() {
    let (database, mut connection) = sqlite(FAMILY).await;
    run(&mut connection, &REBUILD.replace("BEGIN;", "BEGIN; PRAGMA foreign_keys = OFF;")).await.unwrap();
    assert_eq!(database.value("SELECT count(*) FROM c").await, "0");
    drop(connection);
    database.drop().await;
}

#[tokio::test]
async fn references_follow_a_renamed_table() {
    let (database, mut connection) = sqlite(FAMILY).await;
    run(&mut connection, "ALTER TABLE p RENAME TO p_old; CREATE TABLE p (id integer PRIMARY KEY)").await.unwrap();
    assert!(database.value("SELECT sql FROM sqlite_master WHERE name = 'c'").await.contains("p_old"));
    drop(connection);
    database.drop().await;
}

#[tokio::test]
async fn a_rebuild_fails_on_nulls() {
    let (database, mut connection) =
        sqlite("CREATE TABLE t (a int); INSERT INTO t VALUES (NULL); CREATE TABLE n (a int NOT NULL)").await;
    run(&mut connection, "INSERT INTO n SELECT a FROM t").await.unwrap_err();
    drop(connection);
    database.drop().await;
}

#[tokio::test]
async fn a_referenced_table_cannot_be_dropped() {
    let rebuild = |deferred: &str, copy_behind: bool| {
        let steps = match copy_behind {
            true => {
                "CREATE TEMP TABLE k AS SELECT id FROM p; DROP TABLE p; CREATE TABLE p (id integer PRIMARY KEY, x int);
                     INSERT INTO p (id) SELECT id FROM k"
            }
            false => {
                "CREATE TABLE n (id integer PRIMARY KEY, x int); INSERT INTO n (id) SELECT id FROM p; DROP TABLE p;
                      ALTER TABLE n RENAME TO p"
            }
        };
        format!("BEGIN; {deferred} {steps}; COMMIT")
    };
    let deferred = "PRAGMA defer_foreign_keys = ON;";
    let rows = "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);";
    for (rows, script, succeeds) in [
        (rows, rebuild("", false), false),
        (rows, rebuild(deferred, false), false),
        (rows, rebuild(deferred, true), true),
        ("", rebuild("", false), true),
        (rows, format!("PRAGMA foreign_keys = OFF; {}", rebuild("", false)), true),
    ] {
        let setup = format!("CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id)); {rows}");
        let (database, mut connection) = sqlite(&setup).await;
        assert_eq!(run(&mut connection, &script).await.is_ok(), succeeds, "{script}");
        drop(connection);
        database.drop().await;
    }
}

#[tokio::test]
async fn writes_during_a_copy_are_lost() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let (mut copying, mut writing) = (fresh(&database).await, database.connect().await);
    run(&mut copying, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await.unwrap();
    run(&mut copying, "BEGIN; CREATE TABLE n (a int); INSERT INTO n SELECT a FROM t").await.unwrap();
    run(&mut writing, "INSERT INTO t VALUES (2)").await.unwrap();
    run(&mut copying, "DROP TABLE t; ALTER TABLE n RENAME TO t; COMMIT").await.unwrap();
    assert_eq!(database.value("SELECT count(*) FROM t").await, "1");
    drop((copying, writing));
    gone(database).await;
}

#[tokio::test]
async fn several_statements_are_one_transaction() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let mut connection = fresh(&database).await;
    run(&mut connection, "CREATE TABLE t (a int)").await.unwrap();
    let together = "SET lock_timeout = 0; CREATE INDEX CONCURRENTLY i ON t (a)";
    let error = run(&mut connection, together).await.unwrap_err();
    assert!(error.to_string().contains("cannot run inside a transaction block"), "{error}");
    for alone in together.split(';') {
        run(&mut connection, alone).await.unwrap();
    }
    drop(connection);
    gone(database).await;
}

#[tokio::test]
async fn a_redefined_column_loses_its_attributes() {
    let setup = "CREATE TABLE t (id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
                                 a varchar(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'x');
                 ALTER TABLE t MODIFY id bigint NOT NULL, MODIFY a varchar(40)";
    let (database, connection) = mariadb(setup).await;
    let about = |column: &str| {
        format!(
            "SELECT concat_ws(' ', extra, is_nullable, coalesce(column_default, '-'), coalesce(collation_name, '-'))
             FROM information_schema.columns
             WHERE table_schema = database() AND table_name = 't' AND column_name = '{column}'"
        )
    };
    assert_eq!(database.value(&about("id")).await, " NO - -");
    let text = database.value(&about("a")).await;
    assert!(text.starts_with(" YES NULL ") && !text.contains("ascii"), "{text}");
    drop(connection);
    gone(database).await;
}

/// Each test that a rule names is one of this file.
#[test]
fn every_test_that_a_rule_names_exists() {
    let here = include_str!("proof.rs");
    for rule in rules::ALL {
        if let Verification::Seen(test) = rule.verification {
            let there = test == "sqlite_refuses" || here.contains(&format!("async fn {test}()"));
            assert!(there, "{} names the test `{test}`", rule.code.name);
        }
    }
}
