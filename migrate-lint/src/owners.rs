//! Which service owns each object of a shared database: the one that creates it, unless `owns` in a `migrate.toml` or a directive
//! `hands-over` names another.
//!
//! Reports changes that a service makes to the objects of another service, and objects that several services create.

mod findings;
mod object_changes;
mod ownership;
mod walk;

use self::object_changes::OwnedKind;
use self::ownership::Owners;
use self::walk::{Deprecation, Life, LifePurpose, OrderedStep, migration_of};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::{Finding, Level};
use migrate_model::migration::Migration;
use std::collections::BTreeMap;

/// A migration that changes another service's table.
pub static FOREIGN_TABLE: Code = Code::new(
    "foreign-table",
    "The migration alters, drops, truncates or indexes a table that another service of the workspace owns (not a foreign table of PostgreSQL). The owner \
     expects the table as its own migrations define it. Move the change to the migrations of the owner. If the table \
     belongs to this service, add `owns = [\"table\"]` to its `migrate.toml`, or let the owner hand it over: `-- migrate: hands-over table to SERVICE`. To suppress this finding, add above the \
     statement: `-- migrate: allow foreign-table: reason`.",
);

/// A table that several services create or claim.
pub static DISPUTED_TABLE: Code = Code::new(
    "disputed-table",
    "Two services that share a database create the same table with the same columns, and no service lists it in `owns`; or both list the same table in `owns`. If both create it, the second `CREATE TABLE` fails. With `IF NOT \
     EXISTS`, it has no effect, and both services use the same table. Rename one of the tables, or add `owns = \
     [\"table\"]` to the `migrate.toml` of the owner and remove the other definition.",
);

/// A table with different definitions.
pub static CONFLICTING_DEFINITION: Code = Code::new(
    "conflicting-definition",
    "Two services that share a database create the same table with different columns. The service that starts first \
     creates the table, and queries of the other service fail. Remove one of the definitions, or rename one of the \
     tables. If one is the successor of the other, the old table must be dropped before the new one is created: the \
     migration that creates it requires the one that drops the old one, `-- migrate: requires SERVICE:VERSION`.",
);

/// A migration that changes another object of another service.
pub static FOREIGN_OBJECT: Code = Code::new(
    "foreign-object",
    "The migration alters or drops a view, sequence, type or function that another service of the workspace owns; or it drops \
     or changes something on which an object of another service depends: a column that its view reads, a table that its foreign key \
     references. PostgreSQL refuses such a statement, or drops both with `CASCADE`; other databases leave a view that fails. Move the \
     change to the migrations of the owner, or let the owner remove its object first, with `-- migrate: requires SERVICE:VERSION` here. \
     To suppress this finding, add above the statement: `-- migrate: allow foreign-object: reason`.",
);

/// A name in `owns` or in a directive that nothing has.
pub static UNKNOWN_OWNED: Code = Code::new(
    "unknown-owned-object",
    "`owns` in a `migrate.toml`, or a directive `deprecates` or `hands-over`, names a table that no migration of the services of the \
     workspace creates or changes, or a service that does not exist. The name is probably misspelled, so the table is not protected. \
     Correct the name, with its schema if that is not the default one.",
);

/// The codes of this module.
pub static CODES: &[&Code] = &[&FOREIGN_TABLE, &FOREIGN_OBJECT, &DISPUTED_TABLE, &CONFLICTING_DEFINITION, &UNKNOWN_OWNED];

/// A service and its migrations.
#[derive(Debug, Clone, Copy)]
pub struct ServiceHistory<'a> {
    /// Name of the service, unique among the services of the database.
    pub name: &'a str,
    /// The migrations, in version order.
    pub history: &'a [Migration],
    /// The tables in `owns` of its `migrate.toml`, with or without their schema.
    pub owns: &'a [String],
    /// The configured statements that each session executes before a file.
    pub session: &'a [String],
    /// Levels by name of the code; `None` disables it. The default is `error`.
    pub levels: &'a BTreeMap<String, Option<Level>>,
}

impl ServiceHistory<'_> {
    /// The level of a code of this module; `None` if it is disabled.
    fn level(&self, code: &Code) -> Option<Level> {
        self.levels.get(code.name).copied().unwrap_or(Some(Level::Error))
    }
}

/// The state of a table after all migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableStatus {
    /// The table exists.
    Active,
    /// A directive `deprecates` says so, its comment contains "deprecated", or its triggers are disabled.
    Deprecated,
    /// The table was dropped.
    Dropped,
}

impl TableStatus {
    /// `active`, `deprecated` or `dropped`.
    pub const fn name(self) -> &'static str {
        match self {
            TableStatus::Active => "active",
            TableStatus::Deprecated => "deprecated",
            TableStatus::Dropped => "dropped",
        }
    }
}

/// A table and the service that owns it. A table that is created again after it was dropped is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOwnership {
    /// The table, with its schema unless that is the default one.
    pub table: String,
    /// Name of the owning service; `None` if the ownership is disputed.
    pub owner: Option<String>,
    /// The migrations that create the table.
    pub defined_in: Vec<TableDefinition>,
    /// The state of the table after all migrations.
    pub status: TableStatus,
    /// The migration since which the table is deprecated.
    pub deprecated_in: Option<TableDefinition>,
    /// Why, or what to use instead.
    pub reason: Option<String>,
    /// The migration that drops the table.
    pub dropped_in: Option<TableDefinition>,
}

/// A migration that does something to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDefinition {
    /// Name of the service.
    pub service: String,
    /// File name of the migration.
    pub file: String,
}

/// A finding in the migrations of one of several services.
#[derive(Debug, Clone)]
pub struct ServiceFinding {
    /// Index of the service.
    pub service: usize,
    /// The finding, with its place in a migration or in `migrate.toml`.
    pub finding: Finding,
}

/// All tables of services that share a database, by name, and in the order of their creation.
pub fn matrix(services: &[ServiceHistory<'_>], dialect: Dialect) -> Vec<TableOwnership> {
    let walk = walk::walk(services, dialect);
    let mut owners = Owners::at_first(&walk, services);
    walk.events.iter().for_each(|event| owners.apply(event, services));
    let is_listed = |life: &Life| life.kind == OwnedKind::Table && life.purpose == LifePurpose::Lasting;
    let tables = walk.lives.iter().enumerate().filter(|(_, life)| is_listed(life));
    let mut tables: Vec<TableOwnership> = tables
        .map(|(at, life)| TableOwnership {
            table: life.name().to_string(),
            owner: owners.of(at).map(|service| services[service].name.to_owned()),
            defined_in: life.defined.iter().map(|step| definition(services, *step)).collect(),
            status: status(life),
            deprecated_in: life.deprecation.map(|deprecation| definition(services, Deprecation::step(deprecation))),
            reason: life.reason.clone(),
            dropped_in: life.dropped.map(|step| definition(services, step)),
        })
        .collect();
    tables.sort_by(|left, right| left.table.cmp(&right.table));
    tables
}

fn definition(services: &[ServiceHistory<'_>], step: OrderedStep) -> TableDefinition {
    TableDefinition { service: services[step.service].name.to_owned(), file: migration_of(services, step).title().to_owned() }
}

fn status(life: &Life) -> TableStatus {
    match (life.dropped, life.deprecation) {
        (Some(_), _) => TableStatus::Dropped,
        (None, Some(_)) => TableStatus::Deprecated,
        (None, None) => TableStatus::Active,
    }
}

/// Findings about changes that services make to each other's objects. `is_checked` selects the migrations, by the index of the
/// service and of the migration.
pub fn findings(
    services: &[ServiceHistory<'_>],
    dialect: Dialect,
    is_checked: impl Fn(usize, usize) -> bool,
) -> Vec<ServiceFinding> {
    findings::of_walk(&walk::walk(services, dialect), services, dialect, is_checked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use migrate_model::script::Script;

    fn history(files: &[&str], dialect: Dialect) -> Vec<Migration> {
        let migration = |(index, text): (usize, &&str)| {
            Migration::new(
                format!("{:03}", index + 1).parse().unwrap(),
                "x",
                Script::read((*text).to_owned(), &format!("{:03}_x.up.sql", index + 1), dialect).0,
                None,
            )
        };
        files.iter().enumerate().map(migration).collect()
    }

    fn ownership_and_findings(services: &[(&str, &[&str], &[&str])]) -> (Vec<String>, Vec<String>) {
        of_dialect(services, Dialect::Postgres)
    }

    fn of_dialect(services: &[(&str, &[&str], &[&str])], dialect: Dialect) -> (Vec<String>, Vec<String>) {
        let histories: Vec<Vec<Migration>> = services.iter().map(|(_, files, _)| history(files, dialect)).collect();
        let owns: Vec<Vec<String>> =
            services.iter().map(|(.., owns)| owns.iter().map(|name| (*name).to_owned()).collect()).collect();
        let levels = BTreeMap::new();
        let all: Vec<ServiceHistory<'_>> = services
            .iter()
            .enumerate()
            .map(|(index, (name, ..))| ServiceHistory {
                name,
                history: &histories[index],
                owns: &owns[index],
                session: &[],
                levels: &levels,
            })
            .collect();
        let ownership = |table: TableOwnership| {
            let defined: Vec<String> =
                table.defined_in.iter().map(|definition| format!("{}:{}", definition.service, definition.file)).collect();
            format!("{} {} {} {}", table.table, table.owner.unwrap_or("?".into()), defined.join("+"), table.status.name())
        };
        let findings = findings(&all, dialect, |_, _| true).into_iter();
        let findings = findings
            .map(|ServiceFinding { service, finding }| format!("{}: {}: {}", all[service].name, finding.code, finding.message));
        (matrix(&all, dialect).into_iter().map(ownership).collect(), findings.collect())
    }

    #[test]
    fn owner_and_status_of_tables() {
        let (matrix, findings) = ownership_and_findings(&[
            (
                "users",
                &[
                    "CREATE TABLE users (id bigint); CREATE TABLE likes (id int);",
                    "COMMENT ON TABLE likes IS 'DEPRECATED: see social'",
                ],
                &[],
            ),
            ("chat", &["CREATE TABLE rooms (id bigint, owner bigint REFERENCES users (id));", "DROP TABLE rooms;"], &[]),
        ]);
        assert_eq!(
            matrix,
            [
                "likes users users:001_x.up.sql deprecated",
                "rooms chat chat:001_x.up.sql dropped",
                "users users users:001_x.up.sql active"
            ]
        );
        assert_eq!(findings, [] as [String; 0]);
    }

    #[test]
    fn changes_of_a_foreign_table() {
        let (_, findings) = ownership_and_findings(&[
            ("users", &["CREATE TABLE users (id bigint);"], &[]),
            (
                "chat",
                &[
                    "ALTER TABLE users ADD COLUMN room int;",
                    "-- migrate: allow foreign-table: agreed\nCREATE INDEX i ON users (room);",
                ],
                &[],
            ),
        ]);
        assert_eq!(findings, ["chat: foreign-table: service `chat` alters table `users`, which belongs to service `users`"]);
        let (matrix, findings) =
            ownership_and_findings(&[("a", &["CREATE TABLE t (id int);"], &[]), ("b", &["ALTER TABLE t ADD x int;"], &["t"])]);
        assert_eq!(matrix, ["t b a:001_x.up.sql active"]);
        assert_eq!(findings, [] as [String; 0]);
    }

    #[test]
    fn a_name_can_have_two_lives() {
        let platform = [
            "CREATE TABLE users (id int); CREATE TABLE likes (id int);",
            "-- migrate: deprecates likes: use the table of social\nSELECT 1;",
            "DROP TABLE likes;",
        ];
        let social = "-- migrate: requires platform:003\nCREATE TABLE IF NOT EXISTS likes (id bigint, post bigint);";
        let (matrix, findings) =
            ownership_and_findings(&[("social", &[social, "ALTER TABLE likes ADD x int;"], &[]), ("platform", &platform, &[])]);
        assert_eq!(
            matrix,
            [
                "likes platform platform:001_x.up.sql dropped",
                "likes social social:001_x.up.sql active",
                "users platform platform:001_x.up.sql active",
            ]
        );
        assert_eq!(findings, [] as [String; 0]);
        // Without the requirement, the new table is not created.
        let (_, findings) = ownership_and_findings(&[("platform", &platform[..2], &[]), ("social", &[&social[34..]], &[])]);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[1].contains("conflicting-definition"), "{findings:?}");
    }

    #[test]
    fn an_object_is_handed_over() {
        let platform = ["CREATE TABLE likes (id int);", "-- migrate: hands-over likes to social\nSELECT 1;"];
        let social = ["-- migrate: requires platform:002\nALTER TABLE likes ADD x int;"];
        let (matrix, findings) = ownership_and_findings(&[("platform", &platform, &[]), ("social", &social, &[])]);
        assert_eq!((matrix, findings), (vec!["likes social platform:001_x.up.sql active".to_owned()], Vec::new()));
        let later = [platform[0], platform[1], "DROP TABLE likes;"];
        let (_, findings) = ownership_and_findings(&[("platform", &later, &[]), ("social", &social, &[])]);
        assert_eq!(
            findings,
            ["platform: foreign-table: service `platform` drops table `likes`, which belongs to service `social`"]
        );
        for (directive, message) in [
            ("hands-over like to social", "there is no table or other object `like` after this migration"),
            (
                "hands-over likes to socail",
                "there is no service `socail` that shares the database, to which `likes` could be handed over",
            ),
            ("deprecates lykes", "there is no table or other object `lykes` after this migration"),
        ] {
            let text = format!("-- migrate: {directive}\nSELECT 1;");
            let (_, findings) = ownership_and_findings(&[("platform", &[platform[0], &text], &[]), ("social", &[], &[])]);
            assert_eq!(findings, [format!("platform: unknown-owned-object: {message}")]);
        }
    }

    #[test]
    fn objects_of_other_services_count() {
        let users = "CREATE TABLE users (id bigint PRIMARY KEY, name text, old int); CREATE VIEW names AS SELECT name FROM users; \
            CREATE TYPE mood AS ENUM ('a'); CREATE SEQUENCE numbers; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; \
            CREATE INDEX by_name ON users (name);";
        for (sql, message) in [
            ("DROP VIEW names;", "foreign-object: service `chat` drops view `names`, which belongs to service `users`"),
            (
                "ALTER TYPE mood ADD VALUE 'b';",
                "foreign-object: service `chat` alters type `mood`, which belongs to service `users`",
            ),
            (
                "DROP SEQUENCE numbers;",
                "foreign-object: service `chat` drops sequence `numbers`, which belongs to service `users`",
            ),
            (
                "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2';",
                "conflicting-definition: function `f` is also created in `001_x.up.sql` of service `users`, with a different definition",
            ),
            ("DROP FUNCTION f();", "foreign-object: service `chat` drops function `f`, which belongs to service `users`"),
            (
                "DROP INDEX by_name;",
                "foreign-table: service `chat` drops an index of table `users`, which belongs to service `users`",
            ),
            (
                "DO $$ BEGIN DROP TABLE users; END $$;",
                "foreign-table: service `chat` drops table `users`, which belongs to service `users`",
            ),
            (
                "DROP SCHEMA public CASCADE;",
                "foreign-table: service `chat` drops table `users`, which belongs to service `users`",
            ),
        ] {
            let (_, findings) = ownership_and_findings(&[("users", &[users], &[]), ("chat", &[sql], &[])]);
            assert!(findings.contains(&format!("chat: {message}")), "{sql}: {findings:?}");
        }
        // The session ends with the file.
        let chat = ["SET search_path = app; CREATE TABLE users (id int);", "TRUNCATE users;"];
        let (_, findings) = ownership_and_findings(&[("users", &[users], &[]), ("chat", &chat, &[])]);
        assert_eq!(findings, ["chat: foreign-table: service `chat` truncates table `users`, which belongs to service `users`"]);
        // The same function in several services is no conflict.
        let function = "CREATE OR REPLACE FUNCTION touch() RETURNS int LANGUAGE sql AS 'SELECT 1';";
        let (_, findings) = ownership_and_findings(&[("a", &[function], &[]), ("b", &[function, "DROP FUNCTION touch();"], &[])]);
        assert_eq!(findings, [] as [String; 0]);
    }

    #[test]
    fn what_objects_of_other_services_depend_on() {
        let chat = [
            "-- migrate: requires users:001\nCREATE VIEW v AS SELECT name FROM users; CREATE TABLE rooms (owner bigint REFERENCES users (id));",
        ];
        let users = "CREATE TABLE users (id bigint PRIMARY KEY, name text, old int);";
        let depends = |what: &str, on: &str| {
            format!("users: foreign-object: service `users` {what}, on which {on} of service `chat` depends")
        };
        for (sql, expected) in [
            ("ALTER TABLE users DROP COLUMN old;", vec![]),
            ("ALTER TABLE users DROP COLUMN name;", vec![depends("drops column `users.name`", "view `v`")]),
            (
                "ALTER TABLE users ALTER COLUMN name TYPE varchar(9);",
                vec![depends("changes the type of column `users.name`", "view `v`")],
            ),
            (
                "DROP TABLE users CASCADE;",
                vec![depends("drops table `users`", "view `v`"), depends("drops table `users`", "table `rooms`")],
            ),
        ] {
            let text = format!("-- migrate: requires chat:001\n{sql}");
            let (_, findings) = ownership_and_findings(&[("users", &[users, &text], &[]), ("chat", &chat, &[])]);
            assert_eq!(findings, expected, "{sql}");
        }
    }

    #[test]
    fn unknown_names_in_owns() {
        let (_, findings) = ownership_and_findings(&[
            ("a", &["CREATE TABLE users (id int); CREATE TABLE app.posts (id int);"], &["usres", "app.posts"]),
            ("b", &["ALTER TABLE outside ADD x int;"], &["outside"]),
        ]);
        assert_eq!(findings, ["a: unknown-owned-object: no migration creates or changes `usres`, which `owns` lists"]);
    }

    #[test]
    fn a_deprecation_ends() {
        let status = |texts: &[&str]| ownership_and_findings(&[("a", texts, &[])]).0.remove(0);
        let create = "CREATE TABLE t (id int);";
        for (texts, expected) in [
            (vec![create, "COMMENT ON COLUMN t.id IS 'deprecated'"], "active"),
            (vec![create, "ALTER TABLE t DISABLE TRIGGER ALL"], "deprecated"),
            (vec![create, "ALTER TABLE t DISABLE TRIGGER ALL", "ALTER TABLE t ENABLE TRIGGER ALL"], "active"),
            (vec![create, "COMMENT ON TABLE t IS 'DEPRECATED'", "COMMENT ON TABLE t IS 'in use'"], "active"),
            (vec![create, "-- migrate: deprecates t\nSELECT 1"], "deprecated"),
        ] {
            assert!(status(&texts).ends_with(expected), "{texts:?}");
        }
    }

    /// Without a requirement, the order of the services says nothing.
    #[test]
    fn what_comes_first_in_the_list_is_no_order() {
        let users = ["CREATE TABLE users (id bigint PRIMARY KEY, name text);"];
        let other = ["ALTER TABLE users ADD COLUMN score int;", "DROP TABLE IF EXISTS m; CREATE TABLE m (id int);"];
        let message = "b: foreign-table: service `b` alters table `users`, which belongs to service `users`";
        for services in [[("b", &other[..]), ("users", &users)], [("users", &users), ("b", &other)]] {
            let services = services.map(|(name, files)| (name, files, &[][..]));
            assert_eq!(ownership_and_findings(&services).1, [message]);
        }
        let platform = ["CREATE TABLE likes (id int);", "DROP TABLE likes;"];
        let social = ["CREATE TABLE IF NOT EXISTS likes (id bigint);"];
        let (_, findings) = ownership_and_findings(&[("platform", &platform, &[]), ("social", &social, &[])]);
        let message = "nothing says that this runs after `002_x.up.sql`, in which service `platform` drops table `likes`";
        assert_eq!(findings, [format!("social: conflicting-definition: {message}")]);
        let platform = ["CREATE TABLE likes (id int);", "-- migrate: hands-over likes to social\nSELECT 1;"];
        let (_, findings) =
            ownership_and_findings(&[("platform", &platform, &[]), ("social", &["ALTER TABLE likes ADD x int;"], &[])]);
        let message = "nothing says that this runs after `002_x.up.sql`, in which service `platform` hands over table `likes`";
        assert_eq!(findings, [format!("social: foreign-table: {message}")]);
    }

    /// A table that a migration rebuilds is the same, and nothing that depends on it is lost.
    #[test]
    fn tables_that_are_rebuilt() {
        let users = "CREATE TABLE users (id integer PRIMARY KEY, name text);";
        let rebuild = "-- migrate: requires chat:001\nPRAGMA foreign_keys = OFF; CREATE TABLE users_new (id integer PRIMARY KEY, name text NOT NULL DEFAULT ''); \
            INSERT INTO users_new SELECT id, coalesce(name, '') FROM users; DROP TABLE users; ALTER TABLE users_new RENAME TO users; PRAGMA foreign_keys = ON;";
        let swap = "-- migrate: requires chat:001\nCREATE TABLE users_new (id integer PRIMARY KEY); RENAME TABLE users TO users_old, users_new TO users; DROP TABLE users_old;";
        let chat = [
            "-- migrate: requires users:001\nCREATE TABLE rooms (id integer PRIMARY KEY, owner integer REFERENCES users (id)); CREATE VIEW v AS SELECT name FROM users;",
        ];
        let expected = ["rooms chat chat:001_x.up.sql active", "users users users:001_x.up.sql active"];
        for (text, dialect) in [(rebuild, Dialect::Sqlite), (swap, Dialect::MySql)] {
            let (matrix, findings) = of_dialect(&[("users", &[users, text], &[]), ("chat", &chat, &[])], dialect);
            assert_eq!(matrix, expected, "{text}");
            // On MySQL, a foreign key follows the table that is renamed away.
            let message = "users: foreign-object: service `users` drops table `users_old`, on which table `rooms` of service `chat` depends";
            assert_eq!(findings, if dialect == Dialect::MySql { vec![message] } else { Vec::new() }, "{text}");
        }
        // Also by the one that claims it, but by no other.
        let foreign = rebuild.replace("chat:001", "users:001");
        let claimed = |owns: &[&str]| of_dialect(&[("users", &[users], &[]), ("b", &[&foreign], owns)], Dialect::Sqlite).1;
        assert_eq!(claimed(&["users"]), [] as [String; 0]);
        assert!(claimed(&[])[0].contains("service `b` drops table `users`"), "{:?}", claimed(&[]));
        let view =
            ["CREATE VIEW v AS SELECT 1 AS x;", "-- migrate: requires chat:001\nDROP VIEW v; CREATE VIEW v AS SELECT 2 AS x;"];
        let reader = ["-- migrate: requires a:001\nCREATE VIEW w AS SELECT x FROM v;"];
        let services = [("a", &view[..], &[][..]), ("chat", &reader, &[])];
        assert_eq!(of_dialect(&services, Dialect::Sqlite).1, [] as [String; 0]);
        assert_eq!(ownership_and_findings(&services).1.len(), 1, "PostgreSQL refuses it");
    }

    #[test]
    fn definitions_that_are_the_same() {
        let guarded = "DO $$ BEGIN CREATE TYPE mood AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL; END $$;";
        let body = "RETURNS trigger LANGUAGE plpgsql AS";
        for (left, right) in [
            (guarded.to_owned(), guarded.to_owned()),
            ("CREATE TYPE mood AS ENUM ('a');".to_owned(), guarded.to_owned()),
            ("CREATE VIEW v AS SELECT 1 AS x;".to_owned(), "CREATE OR REPLACE VIEW v AS SELECT 1 AS x;".to_owned()),
            ("CREATE SEQUENCE IF NOT EXISTS s;".to_owned(), "CREATE SEQUENCE IF NOT EXISTS s;".to_owned()),
            (
                format!("CREATE OR REPLACE FUNCTION touch() {body} $$ BEGIN RETURN NEW; END $$;"),
                format!("CREATE OR REPLACE FUNCTION public.touch() {body} $body$ BEGIN\n RETURN NEW;\nEND $body$;"),
            ),
        ] {
            let (_, findings) = ownership_and_findings(&[("a", &[&left], &[]), ("b", &[&right], &[])]);
            assert_eq!(findings, [] as [String; 0], "{left} {right}");
        }
        // A key inside and after the columns is the same, and what earlier migrations have added counts.
        let left = ["CREATE TABLE t (id bigint PRIMARY KEY);", "ALTER TABLE t ADD COLUMN x int;"];
        let right = ["-- migrate: requires a:002\nCREATE TABLE IF NOT EXISTS t (id bigint, x int, PRIMARY KEY (id));"];
        let (_, findings) = ownership_and_findings(&[("a", &left, &["t"]), ("b", &right, &[])]);
        assert_eq!(findings, [] as [String; 0]);
    }

    #[test]
    fn what_others_do_to_a_table_counts() {
        let users = ["CREATE TABLE users (id bigint PRIMARY KEY);"];
        for (sql, verb) in [
            ("ALTER TABLE users DISABLE TRIGGER ALL;", "deprecates"),
            ("COMMENT ON TABLE users IS 'deprecated';", "deprecates"),
            ("ALTER TABLE users ENABLE TRIGGER disable_login;", "changes the comment or the triggers of"),
        ] {
            let text = format!("-- migrate: requires users:001\n{sql}");
            let (_, findings) = ownership_and_findings(&[("users", &users, &[]), ("chat", &[&text], &[])]);
            let message = format!("chat: foreign-table: service `chat` {verb} table `users`, which belongs to service `users`");
            assert_eq!(findings, [message], "{sql}");
        }
        let own = ["CREATE TABLE deprecated_codes (id int);", "COMMENT ON TABLE deprecated_codes IS 'Codes that are retired'"];
        assert_eq!(ownership_and_findings(&[("a", &own, &[])]).0, ["deprecated_codes a a:001_x.up.sql active"]);
        let mysql = [
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            "-- migrate: requires chat:001\nALTER TABLE users RENAME COLUMN name TO n;",
        ];
        let chat = ["-- migrate: requires users:001\nCREATE VIEW names AS SELECT id, name FROM users;"];
        let (_, findings) = of_dialect(&[("users", &mysql, &[]), ("chat", &chat, &[])], Dialect::MySql);
        assert_eq!(findings.len(), 1, "{findings:?}");
        // A name without quotes, and one that is dropped in the same file.
        let file = ["CREATE TABLE Likes (id int);", "-- migrate: deprecates Likes\nDROP TABLE likes;"];
        assert_eq!(ownership_and_findings(&[("a", &file, &["Likes"])]).1, [] as [String; 0]);
    }

    #[test]
    fn tables_that_two_services_create() {
        let (matrix, findings) = ownership_and_findings(&[
            ("a", &["CREATE TABLE t (id int);"], &[]),
            ("b", &["CREATE TABLE IF NOT EXISTS t (id int);"], &[]),
        ]);
        assert_eq!(matrix, ["t ? a:001_x.up.sql+b:001_x.up.sql active"]);
        assert_eq!(findings.len(), 2);
        assert!(findings[1].contains("disputed-table"), "{findings:?}");
        let (_, findings) = ownership_and_findings(&[
            ("a", &["CREATE TABLE t (id int);"], &["t"]),
            ("b", &["CREATE TABLE t (id bigint, x int);"], &[]),
        ]);
        assert!(findings[0].contains("conflicting-definition") && findings[0].contains("`id`, `x`"), "{findings:?}");
    }
}
