//! Compares the predictions of the safety rules with the behavior of real servers.

use migrate_lint::impact::{Algorithm, Cause, Impact, ImpactContext, Lock, impacts};
use migrate_lint::lint::{LintOptions, lint};
use migrate_lint::relation::{HistoryPoint, Relation};
use migrate_lint::rule::{Example, Rule, Verification};
use migrate_lint::rules;
use migrate_lint::schema::Schema;
use migrate_lint::server::{Product, Server};
use migrate_lint::simulation::Simulation;
use migrate_model::dialect::Dialect;
use migrate_model::migration::Migration;
use migrate_model::reader;
use migrate_model::script::Script;
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

/// Drops a database that may still have connections.
async fn drop_database(database: TestDatabase) {
    match database.kind {
        Kind::Postgres => database.drop_by_force().await,
        _ => database.drop().await,
    }
}

/// The statements of the up migration of a file.
fn statements(file: &str, dialect: Dialect) -> Vec<String> {
    let up = file.split("\n--- down\n").next().unwrap();
    let (statements, findings) = statement::split(up, dialect, "x.sql");
    assert!(findings.is_empty(), "{file}: {findings:?}");
    statements.iter().map(|statement| statement.sql(up).to_owned()).collect()
}

async fn run(connection: &mut AnyConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

/// The rows of a query, as text.
async fn text_rows(connection: &mut AnyConnection, sql: &str) -> Vec<Vec<String>> {
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let values =
        |row: &sqlx::any::AnyRow| (0..row.len()).map(|at| row.get::<Option<String>, _>(at).unwrap_or_default()).collect();
    rows.iter().map(values).collect()
}

/// What a statement does to one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Work {
    lock: Option<Lock>,
    scans: bool,
    rewrites: bool,
    /// The server may read an index instead, or nothing if the table is empty.
    scan_optional: bool,
}

/// Objects that examples use and do not create. The names are those of the examples.
const EXISTING_OBJECTS: &str =
    "CREATE TABLE made_elsewhere (a integer, b text, c integer); CREATE INDEX made_elsewhere_i ON made_elsewhere (a);";

/// Recreates the schemas of a database, with the objects that examples use.
async fn recreate_schemas(database: &TestDatabase) -> AnyConnection {
    let mut connection = database.connect().await;
    let schemas = text_rows(
        &mut connection,
        "SELECT quote_ident(nspname)::text FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'",
    )
    .await;
    let drops: Vec<String> = schemas.iter().map(|row| format!("DROP SCHEMA {} CASCADE;", row[0])).collect();
    let sql = format!("{} CREATE SCHEMA public; CREATE SCHEMA a; CREATE SCHEMA b; {EXISTING_OBJECTS}", drops.concat());
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

/// The filenode and the number of table scans of each table, by the name that `regclass` displays.
async fn snapshot(connection: &mut AnyConnection) -> BTreeMap<String, (String, i64)> {
    let sql = "SELECT CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END, \
               coalesce(pg_relation_filenode(c.oid), 0)::text, coalesce(s.seq_scan, 0)::text \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_xact_user_tables s ON s.relid = c.oid \
               WHERE c.relkind IN ('r', 'p', 'm', 'v') AND n.nspname !~ '^(pg_|information_schema)'";
    let rows = text_rows(connection, sql).await.into_iter();
    rows.map(|row| (row[0].clone(), (row[1].clone(), row[2].parse().unwrap()))).collect()
}

/// The tables that the session has locked, with the modes.
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
    text_rows(connection, sql).await.into_iter().filter_map(|row| Some((row[0].clone(), lock(&row[1])?))).collect()
}

/// The predicted work, by table.
fn predicted_work(impacts: &[Impact], schema: &Schema, before: &BTreeMap<String, (String, i64)>) -> BTreeMap<String, Work> {
    let mut works: BTreeMap<String, Work> = BTreeMap::new();
    for impact in impacts.iter().filter(|impact| before.contains_key(&impact.table.to_string())) {
        let work = works.entry(impact.table.to_string()).or_default();
        work.lock = work.lock.max(Some(impact.lock));
        work.scans |= impact.scans;
        let other_side = matches!(impact.cause, Cause::ForeignKey | Cause::ColumnReference | Cause::Validate);
        work.scan_optional |= other_side && impacts.first().is_some_and(|first| first.table != impact.table);
        // A partitioned table stores no rows itself, so there is nothing to rewrite.
        let stores = !schema.relation(&impact.table).is_some_and(|relation| relation.partitioned);
        work.rewrites |= impact.rewrites && stores;
    }
    works
}

/// Whether a statement cannot run in a transaction, or ends one.
fn runs_outside_transaction(syntax: &Syntax, sql: &str) -> bool {
    matches!(syntax, Syntax::Transaction(_) | Syntax::Vacuum { .. } | Syntax::Opaque | Syntax::Call { .. })
        || matches!(syntax, Syntax::Cluster { table: None })
        || matches!(syntax, Syntax::Reindex { target, .. } if target == "SCHEMA" || target == "DATABASE")
        || sql.to_ascii_uppercase().contains("CONCURRENTLY")
        || matches!(syntax, Syntax::Do { body } if sql[body.clone()].contains("COMMIT"))
}

/// Compares the predicted locks, table scans and rewrites of each statement in the last file of an example with the measured
/// ones. Returns the number of compared statements.
async fn compare_with_server(database: &TestDatabase, rule: &Rule, example: &Example, problems: &mut Vec<String>) -> usize {
    let dialect = Dialect::Postgres;
    let server = database.server_version().await;
    // Virtual generated columns need PostgreSQL 18.
    if !server.is_at_least(18, 0) && example.files.iter().any(|file| file.contains("VIRTUAL")) {
        return 0;
    }
    let mut connection = recreate_schemas(database).await;
    let mut simulation = Simulation::new(dialect);
    let mut count = 0;
    let last = example.files.len() - 1;
    let mut utc = true;
    for (number, file) in example.files.iter().enumerate() {
        for (at, sql) in statements(file, dialect).into_iter().enumerate() {
            let syntax = reader::read(&sql, dialect);
            let point = HistoryPoint { migration: number, transaction: number * 100 + at };
            let outside = runs_outside_transaction(&syntax, &sql);
            if number < last || outside {
                match &syntax {
                    // BEGIN and COMMIT are skipped: each statement runs in its own transaction.
                    Syntax::Transaction(Control::Begin | Control::Commit) => {}
                    _ => {
                        if let Err(error) = run(&mut connection, &sql).await {
                            problems.push(format!("{}: {sql}: {error}", rule.code.name));
                            return count;
                        }
                    }
                }
                simulation.apply(&syntax, point);
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
            let context = ImpactContext { server, utc, foreign_keys_unchecked: false, table_is_empty: empty };
            let inner = reader::inner_statements(&sql, &syntax, dialect);
            let parts: Vec<Syntax> = inner.into_iter().map(|inner| inner.syntax).collect();
            let all = [syntax].into_iter().chain(parts);
            let mut predicted_impacts = Vec::new();
            let mut applied = simulation.clone();
            for syntax in all {
                predicted_impacts.extend(impacts(&simulation.schema, &syntax, &sql, context));
                applied.apply(&syntax, point);
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
            let predicted = predicted_work(&predicted_impacts, &simulation.schema, &before);
            let mut measured: BTreeMap<String, Work> = BTreeMap::new();
            for (table, lock) in taken.into_iter().filter(|(table, _)| before.contains_key(table)) {
                let work = measured.entry(table).or_default();
                work.lock = work.lock.max(Some(lock));
            }
            for (table, (node, scans)) in &after {
                let Some((old_node, old_scans)) = before.get(table) else { continue };
                let work = measured.entry(table.clone()).or_default();
                work.scans = scans > old_scans;
                // `TRUNCATE` and `REFRESH MATERIALIZED VIEW` create a new file, which is not a rewrite of the table.
                work.rewrites =
                    node != old_node && !matches!(reader::read(&sql, dialect), Syntax::Truncate { .. } | Syntax::Refresh { .. });
            }
            // DML is not compared, and neither are dropped or renamed tables, which no longer exist under their names.
            let syntax = reader::read(&sql, dialect);
            let rows = matches!(syntax, Syntax::Insert(_) | Syntax::Update(_) | Syntax::Delete(_) | Syntax::Query)
                // It reads other tables.
                || matches!(&syntax, Syntax::CreateTable(table) if table.as_query)
                // A block that only reads.
                || matches!(syntax, Syntax::Do { .. }) && predicted.is_empty();
            // The table of an index that no file of the example creates is unknown.
            let known = |table: &&String| {
                predicted.contains_key(*table) || simulation.schema.relations().any(|(key, _)| key.to_string() == **table)
            };
            for table in before.keys().filter(|table| after.contains_key(*table) && !rows).filter(known) {
                let predicted = predicted.get(table).copied().unwrap_or_default();
                let measured = measured.get(table).copied().unwrap_or_default();
                // The prediction may omit a weak lock on the other table of a foreign key.
                let weak = |work: Work| work.lock.is_none_or(|lock| lock <= Lock::RowExclusive);
                let same_lock = predicted.lock == measured.lock || weak(predicted) && weak(measured);
                let truncates = matches!(reader::read(&sql, dialect), Syntax::Truncate { .. });
                let refreshes = matches!(reader::read(&sql, dialect), Syntax::Refresh { .. });
                let same_scan = predicted.scans == measured.scans || predicted.scan_optional || truncates || refreshes;
                if !(same_lock && same_scan && predicted.rewrites == measured.rewrites) {
                    problems.push(format!(
                        "{}: {sql}\n    {table}: predicted {predicted:?}\n    {table}: measured  {measured:?}",
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
    // An earlier test run on this server may have created the tablespace.
    run(&mut connection, "SET allow_in_place_tablespaces = on").await.unwrap();
    let _ = run(&mut connection, "CREATE TABLESPACE fast LOCATION ''").await;
    let (mut problems, mut count) = (Vec::new(), 0);
    for rule in
        rules::ALL.iter().filter(|rule| rule.on.contains(&Product::Postgres) && rule.verification == Verification::Measured)
    {
        for example in rule.flagged.iter().chain(rule.not_flagged).filter(|example| example.dialect == Dialect::Postgres) {
            count += compare_with_server(&database, rule, example, &mut problems).await;
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(count > 100, "{count} statements");
    drop(connection);
    drop_database(database).await;
}

/// Types whose values are stored in the same way, according to the catalog, and pairs that are similar.
const TYPE_PAIRS: &str = "SELECT format_type(castsource, NULL), format_type(casttarget, NULL) FROM pg_cast
    WHERE castmethod = 'b' AND castsource::regtype::text !~ '^pg_' AND castsource <> 'xml'::regtype
    UNION VALUES ('timestamp', 'timestamptz'), ('timestamptz', 'timestamp'), ('varchar(10)', 'bpchar'), ('bit(4)', 'varbit'),
        ('bpchar', 'text'), ('inet', 'cidr'), ('int', 'bigint'), ('time', 'timetz'), ('name', 'text'), ('numeric(5)', 'numeric'),
        ('varchar(5)', 'varchar(9)'), ('timestamp(3)', 'timestamp'), ('timestamptz', 'timestamptz(3)')";

/// A type change rewrites the table or rebuilds its index exactly if that is predicted: the files of both are compared.
#[tokio::test]
async fn type_changes_keep_the_files_that_are_predicted() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let server = database.server_version().await;
    let mut connection = recreate_schemas(&database).await;
    let pairs = text_rows(&mut connection, TYPE_PAIRS).await;
    assert!(pairs.len() > 50, "{} pairs", pairs.len());
    let files = "SELECT pg_relation_filenode('t')::text, pg_relation_filenode('i')::text";
    for pair in pairs {
        let (from, to) = (&pair[0], &pair[1]);
        let mut simulation = Simulation::new(Dialect::Postgres);
        run(&mut connection, "DROP TABLE IF EXISTS t").await.unwrap();
        for sql in [format!("CREATE TABLE t (a {from})"), "CREATE INDEX i ON t (a)".to_owned()] {
            run(&mut connection, &sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            simulation.apply(&reader::read(&sql, Dialect::Postgres), HistoryPoint { migration: 0, transaction: 0 });
        }
        let sql = format!("ALTER TABLE t ALTER a TYPE {to}");
        let context = ImpactContext { server, utc: true, foreign_keys_unchecked: false, table_is_empty: false };
        let impacts = impacts(&simulation.schema, &reader::read(&sql, Dialect::Postgres), &sql, context);
        let before = text_rows(&mut connection, files).await;
        run(&mut connection, &sql).await.unwrap_or_else(|error| panic!("{from}: {sql}: {error}"));
        let after = text_rows(&mut connection, files).await;
        let predicted = [impacts.iter().any(|impact| impact.rewrites), impacts.iter().any(|impact| impact.builds)];
        let measured = [before[0][0] != after[0][0], before[0][1] != after[0][1]];
        assert_eq!(predicted, measured, "{from} to {to}: rewrites the table, rebuilds the index");
    }
    drop(connection);
    drop_database(database).await;
}

/// The costliest predicted algorithm of a statement, and whether it blocks writes; `None` if the statement is not online DDL.
fn costliest(server: Server, schema: &Schema, sql: &str, foreign_keys_unchecked: bool) -> Option<(Algorithm, bool)> {
    let syntax = reader::read(sql, Dialect::MySql);
    let context = ImpactContext { server, utc: false, foreign_keys_unchecked, table_is_empty: false };
    let impacts = impacts(schema, &syntax, sql, context);
    let online = impacts.iter().filter_map(|impact| impact.online);
    online.map(|online| (online.algorithm, !online.allows_writes)).max()
}

#[tokio::test]
async fn mariadb_algorithms_are_as_predicted() {
    let (mut problems, mut count) = (Vec::new(), 0);
    for rule in
        rules::ALL.iter().filter(|rule| rule.on.contains(&Product::MariaDb) && rule.verification == Verification::Measured)
    {
        for example in rule.flagged.iter().chain(rule.not_flagged).filter(|example| example.dialect == Dialect::MySql) {
            let database = TestDatabase::new(Kind::MariaDb).await;
            let server = database.server_version().await;
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
                    let point = HistoryPoint { migration: number, transaction: number };
                    let has_algorithm = sql.contains("ALGORITHM");
                    if let Some((algorithm, shared)) =
                        costliest(server, &simulation.schema, &sql, unchecked).filter(|_| number == last && !has_algorithm)
                    {
                        let lock = if shared { "SHARED" } else { "NONE" };
                        // The foreign keys of an unknown table are unknown, and they can prevent an online copy.
                        let is_known = matches!(&syntax, Syntax::AlterTable(alter)
                            if simulation.schema.relation(&simulation.schema.resolve(&alter.table)).is_some());
                        let cheaper: &[&str] = match (algorithm, shared) {
                            (Algorithm::Instant, _) => &[],
                            (Algorithm::NoCopy, _) => &["ALGORITHM=INSTANT"],
                            (Algorithm::Inplace, false) => &["ALGORITHM=NOCOPY"],
                            (Algorithm::Inplace, true) => &["ALGORITHM=INPLACE, LOCK=NONE"],
                            (Algorithm::Copy, true) if is_known => &["ALGORITHM=INPLACE", "ALGORITHM=COPY, LOCK=NONE"],
                            (Algorithm::Copy, _) => &["ALGORITHM=INPLACE"],
                        };
                        let comma = if sql.starts_with("ALTER") { "," } else { "" };
                        for cheaper in cheaper {
                            let cheaper = cheaper.replace(", ", &format!("{comma} "));
                            if run(&mut connection, &format!("{sql}{comma} {cheaper}")).await.is_ok() {
                                problems.push(format!("{}: {sql}: the server accepts {cheaper}", rule.code.name));
                            }
                        }
                        let clause = match algorithm {
                            Algorithm::Instant => format!("{comma} ALGORITHM=INSTANT"),
                            other => format!("{comma} ALGORITHM={other}{comma} LOCK={lock}"),
                        };
                        count += 1;
                        if let Err(error) = run(&mut connection, &format!("{sql}{clause}")).await {
                            // This also fails if the statement with the cheaper algorithm has succeeded.
                            problems.push(format!("{}: {sql}{clause}: {error}", rule.code.name));
                        }
                    } else {
                        run(&mut connection, &sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                    }
                    simulation.apply(&syntax, point);
                }
            }
            drop(connection);
            drop_database(database).await;
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(count > 25, "{count} statements");
}

/// Does a rule flag the last file of an example for this server?
fn is_flagged(rule: &Rule, example: &Example, server: Server) -> bool {
    let file = |number: usize| format!("{number:03}_x.up.sql");
    let migration = |(number, text): (usize, &&str)| {
        let up = text.split("\n--- down\n").next().unwrap();
        let script = Script::read(up.to_owned(), &file(number), example.dialect).0;
        Migration::new(format!("{number:03}").parse().unwrap(), "x", script, None)
    };
    let history: Vec<Migration> = (1..).zip(example.files).map(migration).collect();
    let mut options = LintOptions::new(example.dialect);
    options.server = server;
    let level_of = |other: &Rule| (other.code.name == rule.code.name).then_some(rule.level);
    options.levels = rules::ALL.iter().map(|other| (other.code.name.to_owned(), level_of(other))).collect();
    let last = file(history.len());
    lint(&history, &options).iter().any(|finding| finding.place.as_ref().is_some_and(|place| place.file == last))
}

/// The examples that a rule flags for the version of the server fail there, and the others succeed.
#[tokio::test]
async fn servers_refuse_what_rules_predict_to_fail() {
    let mut problems = Vec::new();
    for rule in rules::ALL.iter().filter(|rule| matches!(rule.verification, Verification::Refused)) {
        for example in rule.flagged.iter().chain(rule.not_flagged) {
            let database = TestDatabase::new(kind(example.dialect)).await;
            let fails = is_flagged(rule, example, database.server_version().await);
            let mut connection = database.connect().await;
            if example.dialect == Dialect::Sqlite {
                run(&mut connection, "PRAGMA foreign_keys = ON").await.unwrap();
            }
            let setup = match example.dialect {
                Dialect::Postgres => {
                    "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE made_elsewhere (a integer); CREATE TABLE other (b integer)"
                }
                _ => "CREATE TABLE made_elsewhere (a integer); CREATE TABLE other (b integer)",
            };
            run(&mut connection, setup).await.unwrap();
            let mut files: Vec<Vec<String>> = example.files.iter().map(|file| statements(file, example.dialect)).collect();
            let last = files.pop().unwrap();
            for sql in files.iter().flatten() {
                run(&mut connection, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            // Some statements fail only if the table has rows.
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
            drop_database(database).await;
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
        drop_database(database).await;
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
    drop_database(database).await;
}

#[tokio::test]
async fn a_lock_timeout_ends_a_concurrent_build() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let (mut building, mut writing) = (database.connect().await, database.connect().await);
    run(&mut building, "CREATE TABLE t (a integer)").await.unwrap();
    run(&mut writing, "BEGIN; INSERT INTO t VALUES (1)").await.unwrap();
    run(&mut building, "SET lock_timeout = '100ms'").await.unwrap();
    run(&mut building, "CREATE INDEX CONCURRENTLY i ON t (a)").await.unwrap_err();
    run(&mut writing, "COMMIT").await.unwrap();
    assert_eq!(database.value("SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'i'::regclass").await, "false");
    drop((building, writing));
    drop_database(database).await;
}

/// Concurrent statements take a lock that allows reads and writes. The test inspects the lock while they wait for a
/// transaction that has written.
#[tokio::test]
async fn concurrent_statements_allow_writes() {
    for (prepare, sql) in [
        ("", "CREATE INDEX CONCURRENTLY i ON t (a)"),
        ("CREATE INDEX i ON t (a);", "DROP INDEX CONCURRENTLY i"),
        ("CREATE INDEX i ON t (a);", "REINDEX TABLE CONCURRENTLY t"),
    ] {
        let database = TestDatabase::new(Kind::Postgres).await;
        let (mut building, mut writing) = (database.connect().await, database.connect().await);
        run(&mut building, &format!("CREATE TABLE t (a integer); {prepare}")).await.unwrap();
        run(&mut writing, "BEGIN; INSERT INTO t VALUES (1)").await.unwrap();
        let worker = tokio::spawn(async move {
            run(&mut building, sql).await.unwrap();
            building.close().await.unwrap();
        });
        let strongest = "SELECT mode FROM pg_locks WHERE relation = 't'::regclass AND granted AND pid IN \
                         (SELECT pid FROM pg_stat_activity WHERE query LIKE '%CONCURRENTLY%' AND pid <> pg_backend_pid())";
        database.until(strongest, "ShareUpdateExclusiveLock").await;
        run(&mut writing, "INSERT INTO t VALUES (2); COMMIT").await.unwrap();
        worker.await.unwrap();
        drop(writing);
        drop_database(database).await;
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
        drop_database(database).await;
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
        drop_database(database).await;
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
        drop_database(database).await;
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
        drop_database(database).await;
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
        drop_database(database).await;
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
        drop_database(database).await;
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
    drop_database(database).await;
}

#[tokio::test]
async fn mariadb_does_not_check_rows_of_a_new_column() {
    let setup = "CREATE TABLE t (a int); INSERT INTO t VALUES (1); ALTER TABLE t ADD q int CHECK (q IS NOT NULL AND q > 0)";
    let (database, mut connection) = mariadb(setup).await;
    assert_eq!(database.value("SELECT count(*) FROM t WHERE q IS NULL").await, "1");
    run(&mut connection, "UPDATE t SET a = 2").await.unwrap_err();
    drop(connection);
    drop_database(database).await;
}

#[tokio::test]
async fn mariadb_evaluates_a_default_once_for_all_rows() {
    let setup = "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2), (3); ALTER TABLE t ADD z double DEFAULT (rand())";
    let (database, connection) = mariadb(setup).await;
    assert_eq!(database.value("SELECT count(DISTINCT z) FROM t").await, "1");
    drop(connection);
    drop_database(database).await;
}

#[tokio::test]
async fn mariadb_does_not_check_rows_when_checks_are_off() {
    let setup = "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (a int); INSERT INTO t VALUES (7); SET foreign_key_checks = 0; \
                 ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id); SET foreign_key_checks = 1";
    let (database, connection) = mariadb(setup).await;
    assert_eq!(database.value("SELECT a FROM t").await, "7");
    drop(connection);
    drop_database(database).await;
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
    const COPY_AFTER_DROP: &str = "CREATE TEMP TABLE k AS SELECT id FROM p; DROP TABLE p; \
                                   CREATE TABLE p (id integer PRIMARY KEY, x int); INSERT INTO p (id) SELECT id FROM k";
    const COPY_BEFORE_DROP: &str = "CREATE TABLE n (id integer PRIMARY KEY, x int); INSERT INTO n (id) SELECT id FROM p; \
                                    DROP TABLE p; ALTER TABLE n RENAME TO p";
    let rebuild = |deferred: &str, steps: &str| format!("BEGIN; {deferred} {steps}; COMMIT");
    let deferred = "PRAGMA defer_foreign_keys = ON;";
    let rows = "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);";
    for (rows, script, succeeds) in [
        (rows, rebuild("", COPY_BEFORE_DROP), false),
        (rows, rebuild(deferred, COPY_BEFORE_DROP), false),
        (rows, rebuild(deferred, COPY_AFTER_DROP), true),
        ("", rebuild("", COPY_BEFORE_DROP), true),
        (rows, format!("PRAGMA foreign_keys = OFF; {}", rebuild("", COPY_BEFORE_DROP)), true),
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
    let (mut copying, mut writing) = (recreate_schemas(&database).await, database.connect().await);
    run(&mut copying, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await.unwrap();
    run(&mut copying, "BEGIN; CREATE TABLE n (a int); INSERT INTO n SELECT a FROM t").await.unwrap();
    run(&mut writing, "INSERT INTO t VALUES (2)").await.unwrap();
    run(&mut copying, "DROP TABLE t; ALTER TABLE n RENAME TO t; COMMIT").await.unwrap();
    assert_eq!(database.value("SELECT count(*) FROM t").await, "1");
    drop((copying, writing));
    drop_database(database).await;
}

#[tokio::test]
async fn several_statements_are_one_transaction() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let mut connection = recreate_schemas(&database).await;
    run(&mut connection, "CREATE TABLE t (a int)").await.unwrap();
    let script = "SET lock_timeout = 0; CREATE INDEX CONCURRENTLY i ON t (a)";
    let error = run(&mut connection, script).await.unwrap_err();
    assert!(error.to_string().contains("cannot run inside a transaction block"), "{error}");
    for statement in script.split(';') {
        run(&mut connection, statement).await.unwrap();
    }
    drop(connection);
    drop_database(database).await;
}

#[tokio::test]
async fn a_redefined_column_loses_its_attributes() {
    let setup = "CREATE TABLE t (id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
                                 a varchar(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'x');
                 ALTER TABLE t MODIFY id bigint NOT NULL, MODIFY a varchar(40)";
    let (database, connection) = mariadb(setup).await;
    let attributes = |column: &str| {
        format!(
            "SELECT concat_ws(' ', extra, is_nullable, coalesce(column_default, '-'), coalesce(collation_name, '-'))
             FROM information_schema.columns
             WHERE table_schema = database() AND table_name = 't' AND column_name = '{column}'"
        )
    };
    assert_eq!(database.value(&attributes("id")).await, " NO - -");
    let text = database.value(&attributes("a")).await;
    assert!(text.starts_with(" YES NULL ") && !text.contains("ascii"), "{text}");
    drop(connection);
    drop_database(database).await;
}

/// Each test that a rule names is in this file.
#[test]
fn every_test_that_a_rule_names_exists() {
    let source = include_str!("proof.rs");
    for rule in rules::ALL {
        if let Verification::Seen(test) = rule.verification {
            let exists = test == "sqlite_refuses" || source.contains(&format!("async fn {test}()"));
            assert!(exists, "{} names the test `{test}`, which does not exist", rule.code.name);
        }
    }
}

/// The driver asks the server to count the rows found; a client that does not ask gets another number.
#[tokio::test]
async fn row_count_counts_the_rows_found() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    database.execute("CREATE TABLE t (id int, v int); INSERT INTO t VALUES (1, 1); CREATE TABLE l (n int)").await;
    let mut connection = database.connect().await;
    run(&mut connection, "UPDATE t SET v = 1; INSERT INTO l SELECT ROW_COUNT()").await.unwrap();
    assert_eq!(database.rows("SELECT n FROM l").await, ["1"], "found, although nothing was changed");
    database.drop().await;
}
