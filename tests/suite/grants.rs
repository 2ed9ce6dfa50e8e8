//! The table "Database privileges" of the guide, as written: a user with the privileges of a row can do what the row names, and with any
//! one less, something of it fails with words that name the table, and without damage.

use migrate_runtime::Migrator;
use migrate_tests::{Binary, Kind, Outcome, TestDatabase, TestFolder};

/// A privilege on a table of the history.
type Privilege = (&'static str, &'static str);

/// How the runs exclude each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    Session,
    /// A session-level lock, after leases were used.
    BesideLeases,
    Lease,
}

/// A row of the table.
struct GuideRow {
    name: &'static str,
    privileges: Vec<Privilege>,
    lock: Lock,
    /// Runs the operations until one fails.
    operations: fn(&Weak) -> Outcome,
}

/// A user with a part of the privileges.
struct Weak {
    binary: Binary,
    folder: TestFolder,
    lock: Lock,
}

impl Weak {
    fn run(&self, arguments: &[&str]) -> Outcome {
        let lock: &[&str] = if self.lock == Lock::Lease { &["--lock", "lease"] } else { &[] };
        self.binary.run(&[arguments, lock].concat())
    }
}

const READS: &[Privilege] = &[("SELECT", "migration_records"), ("SELECT", "schema_versions")];

const APPLIES: &[Privilege] = &[
    ("SELECT", "migration_records"),
    ("INSERT", "migration_records"),
    ("UPDATE", "migration_records"),
    ("SELECT", "schema_versions"),
    ("INSERT", "schema_versions"),
    ("UPDATE", "schema_versions"),
    ("INSERT", "migration_events"),
];

const DELETES: Privilege = ("DELETE", "migration_records");

const LEASES: &[Privilege] = &[("SELECT", "migration_locks"), ("INSERT", "migration_locks"), ("UPDATE", "migration_locks")];

/// MySQL rejects a query of a table that does not exist unless the user may read it, and grants that only together with CREATE.
const LOOKS_FOR_LEASES: Privilege = ("CREATE, SELECT", "migration_locks");

fn rows() -> Vec<GuideRow> {
    let with = |more: &[Privilege]| [APPLIES, more].concat();
    // No record is created.
    let inserts = ("INSERT", "migration_records");
    let reverts_with = with(&[DELETES]).into_iter().filter(|privilege| *privilege != inserts).collect();
    let row = |name, privileges, lock, operations| GuideRow { name, privileges, lock, operations };
    vec![
        row("reading", READS.to_vec(), Lock::Session, reads),
        row("up", with(&[]), Lock::Session, applies),
        row("up outside a transaction", with(&[DELETES]), Lock::Session, applies_outside_a_transaction),
        row("up with a lease", with(LEASES), Lock::Lease, applies),
        row("up beside leases", with(&[("SELECT", "migration_locks")]), Lock::BesideLeases, applies),
        row("down", reverts_with, Lock::Session, reverts),
        row("resolve", with(&[DELETES]), Lock::Session, resolves),
    ]
}

/// The first outcome that is not 0, else the last.
fn until_failure(weak: &Weak, commands: &[&[&str]]) -> Outcome {
    let mut outcome = weak.binary.run(&["--version"]);
    for command in commands {
        outcome = weak.run(command);
        if outcome.code != 0 {
            break;
        }
    }
    outcome
}

fn reads(weak: &Weak) -> Outcome {
    weak.folder.write("migrations/002_b.up.sql", "INSERT INTO own VALUES (2);");
    until_failure(weak, &[&["status"], &["plan"], &["verify"], &["up", "--dry-run"], &["down", "--dry-run"]])
}

fn applies(weak: &Weak) -> Outcome {
    weak.folder.write("migrations/002_b.up.sql", "INSERT INTO own VALUES (2);");
    until_failure(weak, &[&["up"]])
}

/// In a transaction, and outside one.
fn reverts(weak: &Weak) -> Outcome {
    weak.folder.write("migrations/001_a.down.sql", "-- migrate: no-transaction\nDELETE FROM own;\nDELETE FROM own;");
    until_failure(weak, &[&["down", "--yes"]])
}

/// A file of which a statement fails, so that its record is changed; the failure is what is expected.
fn fails(weak: &Weak, first: &str) -> Outcome {
    let text = format!("-- migrate: no-transaction\n{first}\nINSERT INTO missing VALUES (1);");
    weak.folder.write("migrations/002_b.up.sql", &text);
    let outcome = weak.run(&["up"]);
    let is_recorded = outcome.code == 7 && !outcome.stderr.contains("could not be recorded");
    if is_recorded { Outcome { code: 0, ..outcome } } else { outcome }
}

/// The record is removed after the first statement has failed. Then the corrected file is applied.
fn applies_outside_a_transaction(weak: &Weak) -> Outcome {
    let outcome = fails(weak, "");
    if outcome.code != 0 {
        return outcome;
    }
    weak.folder.write("migrations/002_b.up.sql", "-- migrate: no-transaction\nINSERT INTO own VALUES (2);\nSELECT 1;");
    until_failure(weak, &[&["up"]])
}

fn resolves(weak: &Weak) -> Outcome {
    for resolution in [&["resolve", "--not-applied", "002", "--yes"][..], &["resolve", "--applied", "002", "--yes"]] {
        let outcome = fails(weak, "SELECT 1;");
        if outcome.code != 0 {
            return outcome;
        }
        let outcome = weak.binary.run(resolution);
        if outcome.code != 0 {
            return outcome;
        }
    }
    until_failure(weak, &[])
}

/// A database with one applied migration and the table `own`, and the name of the user.
async fn prepared(kind: Kind, lock: Lock) -> (TestDatabase, TestFolder, String) {
    let database = TestDatabase::new(kind).await;
    let user = format!("{}_weak", database.url.rsplit_once('/').unwrap().1);
    let folder = TestFolder::new(&[("001_a.up.sql", "INSERT INTO own VALUES (1);"), ("001_a.down.sql", "DELETE FROM own;")]);
    let settings = format!("service = \"app\"\ndatabase = \"{}\"\nlint = \"off\"\ndown = \"optional\"\n", kind.dialect().name());
    folder.write("migrate.toml", &settings);
    database.execute("CREATE TABLE own (id integer)").await;
    let admin = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    admin.ok(if lock == Lock::Session { &["up"] } else { &["up", "--lock", "lease"] });
    // The first lease of this service.
    if lock == Lock::Lease {
        database.execute("DELETE FROM migration_locks").await;
    }
    database.execute(&create_user(kind, &user)).await;
    database.execute(&grant(kind, &database, &user, ("SELECT, INSERT, UPDATE, DELETE", "own"))).await;
    (database, folder, user)
}

fn create_user(kind: Kind, user: &str) -> String {
    match kind {
        Kind::Postgres => format!("CREATE ROLE {user} LOGIN"),
        _ => format!("CREATE USER '{user}'@'localhost' IDENTIFIED BY 'secret'; CREATE USER '{user}'@'%' IDENTIFIED BY 'secret'"),
    }
}

fn grant(kind: Kind, database: &TestDatabase, user: &str, (privilege, table): Privilege) -> String {
    if kind == Kind::Postgres {
        return format!("GRANT {privilege} ON {table} TO {user}");
    }
    let name = database.url.rsplit_once('/').unwrap().1;
    let to = |host: &str| format!("GRANT {privilege} ON {name}.{table} TO '{user}'@'{host}'");
    format!("{}; {}", to("localhost"), to("%"))
}

async fn remove(kind: Kind, database: TestDatabase, user: &str) {
    match kind {
        Kind::Postgres => database.execute(&format!("DROP OWNED BY {user} CASCADE; DROP ROLE {user}")).await,
        _ => database.execute(&format!("DROP USER '{user}'@'localhost', '{user}'@'%'")).await,
    }
    database.drop().await;
}

fn url_of(kind: Kind, database: &TestDatabase, user: &str) -> String {
    let admin = if kind == Kind::Postgres { "postgres@" } else { "migrate:" };
    database.url.replacen(admin, &format!("{user}{}", &admin[admin.len() - 1..]), 1)
}

/// Runs the operations of a row without one of its privileges, or with all; returns what is wrong.
async fn problem(kind: Kind, row: &GuideRow, without: Option<Privilege>) -> Option<String> {
    let (database, folder, user) = prepared(kind, row.lock).await;
    let looks_for_leases = kind == Kind::MariaDb && row.lock == Lock::Session && row.name != "reading";
    if looks_for_leases {
        database.execute(&grant(kind, &database, &user, LOOKS_FOR_LEASES)).await;
    }
    for privilege in row.privileges.iter().filter(|privilege| Some(**privilege) != without) {
        database.execute(&grant(kind, &database, &user, *privilege)).await;
    }
    let url = url_of(kind, &database, &user);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
    let weak = Weak { binary, folder, lock: row.lock };
    let outcome = (row.operations)(&weak);
    let is_readable = Migrator::new(weak.folder.set(kind.dialect())).is_up_to_date(&url).await;
    let stderr = &outcome.stderr;
    let problem = match without {
        None if outcome.code != 0 => Some(stderr.clone()),
        None => is_readable.err().map(|error| error.report()),
        Some(_) if outcome.code == 0 => Some("not needed".to_owned()),
        Some((_, table)) => {
            let is_named = stderr.contains(table) && stderr.contains("Database privileges");
            (!is_named).then(|| format!("not said: {stderr}"))
        }
    };
    let damage = damage(&database, &weak.folder).await;
    remove(kind, database, &user).await;
    let title = without.map_or("with all".to_owned(), |(privilege, table)| format!("without {privilege} on {table}"));
    problem.or(damage).map(|problem| format!("{kind:?}: {} {title}: {problem}", row.name))
}

/// Each row of `own` belongs to a migration that is recorded as applied or as partially applied, and the administrator can continue.
async fn damage(database: &TestDatabase, folder: &TestFolder) -> Option<String> {
    let admin = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let (rows, history) = (database.rows("SELECT id FROM own ORDER BY id").await, database.history().await);
    let known: Vec<&str> = history.iter().map(|record| record[2..3].trim()).collect();
    if rows.iter().any(|row| !known.contains(&row.as_str())) && !folder.text("migrations/001_a.up.sql").is_empty() {
        return Some(format!("rows {rows:?}, history {history:?}"));
    }
    let outcome = admin.run(&["status"]);
    (outcome.code != 0).then_some(outcome.stderr)
}

/// Without USAGE, the server passes over a schema of `search_path`, as if the tables were not there.
#[tokio::test]
async fn usage_of_the_schema_on_postgres() {
    for (schemas, place) in [
        ("public", "public"),
        ("ops,public", "ops"),
        ("\"$user\", \"o\"\"x y\",public", "o\"x y"),
        ("missing, OPS", "ops"),
        ("public, ops", "ops"),
    ] {
        let (database, folder, user) = prepared(Kind::Postgres, Lock::Session).await;
        let name = database.url.rsplit_once('/').unwrap().1.to_owned();
        let quoted = format!("\"{}\"", place.replace('"', "\"\""));
        database
            .execute(&format!("ALTER DATABASE {name} SET search_path = {schemas}; REVOKE ALL ON SCHEMA public FROM public"))
            .await;
        if place != "public" {
            database.execute(&format!("CREATE SCHEMA {quoted}; GRANT USAGE ON SCHEMA public TO {user}")).await;
            for table in ["migration_records", "schema_versions", "migration_events"] {
                database.execute(&format!("ALTER TABLE public.{table} SET SCHEMA {quoted}")).await;
            }
        }
        database.execute(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA {quoted} TO {user}")).await;
        let url = url_of(Kind::Postgres, &database, &user);
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
        // A later schema is another place.
        let is_first = schemas != "public, ops";
        for command in [&["status"][..], &["plan"], &["verify"], &["status", "--check"], &["up", "--dry-run"], &["up"]] {
            let outcome = binary.run(command);
            let stderr = &outcome.stderr;
            assert!(stderr.contains("USAGE on"), "{schemas}: {command:?}: {stderr}");
            if is_first {
                assert_eq!(outcome.code, 1, "{schemas}: {command:?}: {stderr}");
            }
            // Without any schema, a run ends before it looks for the history.
            if is_first && (!["public", "missing, OPS"].contains(&schemas) || command != ["up"]) {
                assert!(stderr.contains(&format!("permission denied for schema {place}")), "{schemas}: {command:?}: {stderr}");
            }
        }
        if is_first {
            assert!(Migrator::new(folder.set(Kind::Postgres.dialect())).is_up_to_date(&url).await.is_err(), "{schemas}");
        }
        let outcome = {
            database.execute(&format!("GRANT USAGE ON SCHEMA {quoted} TO {user}")).await;
            binary.run(&["status"])
        };
        assert_eq!(outcome.code, 0, "{schemas}: {}", outcome.stderr);
        assert!(!is_first || outcome.stderr.contains("1 applied"), "{schemas}: {}", outcome.shown());
        remove(Kind::Postgres, database, &user).await;
    }
}

/// The first run creates the tables.
async fn first_run_problem(kind: Kind, without: Option<&str>) -> Option<String> {
    let database = TestDatabase::new(kind).await;
    let name = database.url.rsplit_once('/').unwrap().1.to_owned();
    let user = format!("{name}_weak");
    let folder = TestFolder::new(&[("001_a.up.sql", "SELECT 1;")]);
    let settings = format!("service = \"app\"\ndatabase = \"{}\"\nlint = \"off\"\ndown = \"optional\"\n", kind.dialect().name());
    folder.write("migrate.toml", &settings);
    database.execute(&create_user(kind, &user)).await;
    let (privileges, place): (&[&str], &str) = match kind {
        Kind::Postgres => (&["CREATE"], "SCHEMA public"),
        _ => (&["CREATE", "SELECT", "INSERT", "UPDATE"], "*"),
    };
    // A user without any privilege could not connect to the database of MariaDB.
    for privilege in privileges.iter().filter(|privilege| Some(**privilege) != without) {
        database.execute(&grant(kind, &database, &user, (privilege, place))).await;
    }
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url_of(kind, &database, &user));
    let outcome = binary.run(&["up"]);
    let applied = outcome.code == 0;
    let is_said = outcome.stderr.contains("Database privileges")
        && ["migration_records", "schema_versions", "migration_events"].iter().any(|table| outcome.stderr.contains(table));
    remove(kind, database, &user).await;
    match without {
        None => (!applied).then(|| format!("{kind:?}: first run: {}", outcome.stderr)),
        Some(privilege) => (applied || !is_said).then(|| format!("{kind:?}: first run without {privilege}: {}", outcome.stderr)),
    }
}

#[tokio::test]
async fn the_privileges_of_the_first_run() {
    let mut problems = Vec::new();
    for without in [None, Some("CREATE")] {
        problems.extend(first_run_problem(Kind::Postgres, without).await);
    }
    for without in [None, Some("CREATE"), Some("SELECT"), Some("INSERT"), Some("UPDATE")] {
        problems.extend(first_run_problem(Kind::MariaDb, without).await);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

async fn problems(kind: Kind) -> Vec<String> {
    let mut problems = Vec::new();
    for row in rows() {
        let cases = std::iter::once(None).chain(row.privileges.iter().copied().map(Some));
        for without in cases {
            problems.extend(problem(kind, &row, without).await);
        }
    }
    problems
}

#[tokio::test]
async fn the_privileges_of_the_guide_on_postgres() {
    let problems = problems(Kind::Postgres).await;
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[tokio::test]
async fn the_privileges_of_the_guide_on_mariadb() {
    let problems = problems(Kind::MariaDb).await;
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}
