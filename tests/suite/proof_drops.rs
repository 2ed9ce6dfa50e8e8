//! What a `DROP` also drops and locks, compared with the catalog of PostgreSQL.

use migrate_lint::impact::{ImpactContext, Lock, impacts};
use migrate_lint::relation::HistoryPoint;
use migrate_lint::schema::Schema;
use migrate_lint::simulation::Simulation;
use migrate_model::dialect::Dialect;
use migrate_model::name::Name;
use migrate_model::reader;
use migrate_model::statement;
use migrate_model::syntax::ObjectKind;
use migrate_tests::{Kind, TestDatabase};
use sqlx::{AssertSqlSafe, Connection, Row};
use std::collections::BTreeSet;

/// The objects before a `DROP`, and the `DROP`.
const DROPS: &[(&str, &str)] = &[
    (
        "CREATE TABLE t (a int, b int); CREATE VIEW v1 AS SELECT a FROM t; CREATE VIEW v2 AS SELECT a FROM v1; \
         CREATE MATERIALIZED VIEW m AS SELECT a FROM v2; CREATE VIEW other AS SELECT 1 AS a;",
        "DROP TABLE t CASCADE",
    ),
    (
        "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id)); CREATE VIEW v AS SELECT u_id FROM t;",
        "DROP TABLE u CASCADE",
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE a.t (a int); \
         CREATE TRIGGER g BEFORE INSERT ON a.t FOR EACH ROW EXECUTE FUNCTION f();",
        "DROP TRIGGER g ON a.t",
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE a.t (a int); \
         CREATE TABLE t (a int); CREATE TRIGGER g BEFORE INSERT ON a.t FOR EACH ROW EXECUTE FUNCTION f(); \
         CREATE TRIGGER h BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
        "DROP FUNCTION f() CASCADE",
    ),
    ("CREATE SEQUENCE s; CREATE TABLE t (id int DEFAULT nextval('s'), b int); ALTER SEQUENCE s OWNED BY t.id;", "DROP TABLE t"),
    (
        "CREATE TABLE t (id int, b int); CREATE SEQUENCE s INCREMENT BY 2 OWNED BY t.id; ALTER TABLE t RENAME id TO n; \
         ALTER TABLE t RENAME TO u;",
        "ALTER TABLE u DROP COLUMN n",
    ),
    ("CREATE TABLE t (id int, b int); CREATE SEQUENCE s OWNED BY t.id; ALTER SEQUENCE s OWNED BY NONE;", "DROP TABLE t"),
    (
        "CREATE TABLE t (a int, b int, c text, CONSTRAINT k CHECK (a > b)); CREATE INDEX i1 ON t (a) WHERE b > 0; \
         CREATE INDEX i2 ON t (lower(c)); CREATE INDEX i3 ON t (a) INCLUDE (b); CREATE INDEX i4 ON t (a);",
        "ALTER TABLE t DROP COLUMN b",
    ),
    ("CREATE TABLE t (a int, c text); CREATE INDEX i2 ON t (lower(c)); CREATE INDEX i4 ON t (a);", "ALTER TABLE t DROP COLUMN c"),
    (
        "CREATE TYPE m AS ENUM ('x'); CREATE DOMAIN d AS m; CREATE TABLE t (a m, b int, c d); CREATE TABLE n (b int); \
         CREATE VIEW v AS SELECT a FROM t; CREATE INDEX i ON t (a);",
        "DROP TYPE m CASCADE",
    ),
    (
        "CREATE TABLE a.p (id int PRIMARY KEY); CREATE TABLE t (p_id int CONSTRAINT f REFERENCES a.p (id)); \
         CREATE VIEW v AS SELECT id FROM a.p; CREATE SEQUENCE a.s; CREATE TYPE a.m AS ENUM ('x'); CREATE TABLE u (a a.m, b int);",
        "DROP SCHEMA a CASCADE",
    ),
    (
        "CREATE TABLE p (id int CONSTRAINT pk PRIMARY KEY, n int CONSTRAINT un UNIQUE); \
         CREATE TABLE t (p_id int CONSTRAINT f1 REFERENCES p); CREATE TABLE u (n int CONSTRAINT f2 REFERENCES p (n));",
        "ALTER TABLE p DROP CONSTRAINT pk CASCADE",
    ),
    (
        "CREATE TABLE t (a int, b int, c int GENERATED ALWAYS AS (a * 2) STORED); CREATE VIEW v1 AS SELECT a FROM t; \
         CREATE VIEW v2 AS SELECT a FROM v1; CREATE VIEW v3 AS SELECT b FROM t;",
        "ALTER TABLE t DROP COLUMN a CASCADE",
    ),
    (
        "CREATE TABLE p (a int); CREATE TABLE c (b int) INHERITS (p); CREATE TABLE n (a int); ALTER TABLE n INHERIT p;",
        "DROP TABLE p CASCADE",
    ),
    (
        "CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); \
         CREATE TABLE t (a int);",
        "DROP TABLE p",
    ),
    (
        "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
        "DROP TABLE t",
    ),
];

/// The names of all objects: `kind:table:name`, where `table` is empty for objects that belong to no table. `NOT NULL`, which
/// is a constraint since PostgreSQL 18, is an attribute of its column.
const CATALOG: &str = "WITH r AS (
        SELECT c.oid, c.relkind, CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'a', 'b')
    )
    SELECT 'relation::' || name FROM r WHERE relkind IN ('r', 'v', 'm', 'p')
    UNION ALL SELECT 'sequence::' || name FROM r WHERE relkind = 'S'
    UNION ALL SELECT 'column:' || r.name || ':' || a.attname FROM r JOIN pg_attribute a ON a.attrelid = r.oid
        WHERE r.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT 'constraint:' || r.name || ':' || k.conname FROM r JOIN pg_constraint k ON k.conrelid = r.oid
        WHERE k.contype <> 'n'
    UNION ALL SELECT 'index:' || t.name || ':' || r.name FROM r JOIN pg_index i ON i.indexrelid = r.oid JOIN r t ON t.oid = i.indrelid
        WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = r.oid)
    UNION ALL SELECT 'trigger:' || r.name || ':' || g.tgname FROM r JOIN pg_trigger g ON g.tgrelid = r.oid WHERE NOT g.tgisinternal";

fn name(text: &str) -> Name {
    match text.split_once('.') {
        Some((schema, name)) => Name { schema: Some(schema.to_owned()), name: name.to_owned() },
        None => Name::bare(text),
    }
}

/// Does an object of the catalog exist in the simulated schema?
fn is_simulated(schema: &Schema, object: &str) -> bool {
    let mut parts = object.split(':');
    let (kind, table, part) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let key = schema.resolve(&name(if table.is_empty() { part } else { table }));
    let relation = schema.relation(&key);
    match kind {
        "relation" => relation.is_some(),
        "sequence" => schema.has(ObjectKind::Sequence, &key, None),
        "column" => relation.is_some_and(|relation| relation.column(part).is_some()),
        "constraint" => relation.is_some_and(|relation| relation.constraint(part).is_some()),
        "index" => relation.is_some_and(|relation| relation.has_index(part)),
        "trigger" => schema.triggers(&key).any(|(trigger, _)| trigger.name() == part),
        other => panic!("{other}"),
    }
}

async fn catalog(database: &TestDatabase) -> BTreeSet<String> {
    database.rows(CATALOG).await.into_iter().collect()
}

/// The tables that a statement locks with ACCESS EXCLUSIVE, among those that exist before and after it.
async fn locked(database: &TestDatabase, sql: &str) -> BTreeSet<String> {
    let query = "SELECT CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END
                 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock' AND c.relkind IN ('r', 'p', 'v', 'm')
                     AND n.nspname IN ('public', 'a', 'b')";
    let mut connection = database.connect().await;
    sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {sql}")))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = sqlx::query(query).fetch_all(&mut connection).await.unwrap();
    sqlx::raw_sql("COMMIT").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

#[tokio::test]
async fn drops_have_the_effects_that_are_predicted() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let server = database.server_version().await;
    for (setup, drop) in DROPS {
        database
            .execute("DROP SCHEMA IF EXISTS public, a, b CASCADE; CREATE SCHEMA public; CREATE SCHEMA a; CREATE SCHEMA b")
            .await;
        let mut simulation = Simulation::new(Dialect::Postgres);
        let point = HistoryPoint { migration: 0, transaction: 0 };
        let (statements, _) = statement::split(setup, Dialect::Postgres, "x.sql");
        for statement in &statements {
            let sql = statement.sql(setup);
            database.execute(sql).await;
            simulation.apply(&reader::read(sql, Dialect::Postgres), point);
        }
        let before = catalog(&database).await;
        for object in &before {
            assert!(is_simulated(&simulation.schema, object), "{setup}: `{object}` is not simulated");
        }
        let syntax = reader::read(drop, Dialect::Postgres);
        let context = ImpactContext { server, utc: false, foreign_keys_unchecked: false, table_is_empty: false };
        let exclusive = impacts(&simulation.schema, &syntax, drop, context).into_iter();
        let exclusive = exclusive.filter(|impact| impact.lock == Lock::AccessExclusive);
        let predicted: BTreeSet<String> = exclusive.map(|impact| impact.table.to_string()).collect();
        simulation.apply(&syntax, point);
        let measured = locked(&database, drop).await;
        let after = catalog(&database).await;
        for object in &before {
            assert_eq!(is_simulated(&simulation.schema, object), after.contains(object), "{drop}: {object}");
        }
        // Dropped tables no longer have a name.
        let remains = |table: &&String| after.contains(&format!("relation::{table}"));
        let predicted: BTreeSet<&String> = predicted.iter().filter(remains).collect();
        assert_eq!(predicted, measured.iter().filter(remains).collect(), "{drop}: tables locked with ACCESS EXCLUSIVE");
    }
    database.drop_by_force().await;
}
