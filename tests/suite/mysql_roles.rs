//! Scripts on MariaDB that set another role: the history is written with the role that the session had before.

use migrate_runtime::Migrator;
use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};
use sqlx::{AssertSqlSafe, Connection, Row};

/// A user who may do nothing without a role, and two roles: one for the history and the tables, one for a table only.
struct Roles {
    database: TestDatabase,
    name: String,
    url: String,
}

impl Roles {
    async fn new() -> Self {
        let database = TestDatabase::new(Kind::MariaDb).await;
        let name = database.url.rsplit_once('/').unwrap().1.to_owned();
        let role = format!("{name}_r");
        database
            .execute(&format!(
                "CREATE USER {name}@localhost IDENTIFIED BY 'secret'; CREATE ROLE {role}; CREATE ROLE {name}_other; \
                 CREATE TABLE t (a INT); CREATE PROCEDURE p() SQL SECURITY INVOKER SET ROLE NONE; \
                 GRANT ALL ON {name}.* TO {role}; GRANT SELECT, INSERT ON {name}.t TO {name}_other; \
                 GRANT EXECUTE ON PROCEDURE {name}.p TO {name}@localhost; \
                 GRANT {role} TO {name}@localhost; GRANT {name}_other TO {name}@localhost"
            ))
            .await;
        let host = database.url.rsplit_once('@').unwrap().1;
        let url = format!("mysql://{name}:secret@{host}");
        Roles { database, name, url }
    }

    fn folder(&self, files: &[(&str, String)]) -> TestFolder {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let folder = TestFolder::new(&files);
        let session = format!("session = [\"SET ROLE {}_r\"]", self.name);
        folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"mysql\"\nlint = \"off\"\n{session}\n"));
        folder
    }

    async fn drop(self) {
        let name = &self.name;
        self.database.execute(&format!("DROP USER {name}@localhost; DROP ROLE {name}_r; DROP ROLE {name}_other")).await;
        self.database.drop().await;
    }
}

#[tokio::test]
async fn the_history_is_written_with_the_role_of_the_run() {
    let roles = Roles::new().await;
    let name = &roles.name;
    let texts = [
        "SET ROLE NONE;".to_owned(),
        format!("SET ROLE {name}_other;\nINSERT INTO t VALUES (1);"),
        format!(
            "CREATE TABLE c1 (a INT);\nSET ROLE {name}_other;\nINSERT INTO t VALUES (1);\nSET ROLE {name}_r;\nCREATE TABLE c2 (a INT);"
        ),
        format!(
            "CREATE TABLE d1 (a INT);\nEXECUTE IMMEDIATE 'SET ROLE {name}_other';\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);"
        ),
        "PREPARE s FROM 'SET ROLE NONE';\nEXECUTE s;".to_owned(),
        "CALL p();".to_owned(),
        format!("CREATE TABLE e1 (a INT);\nCALL p();\nSET ROLE {name}_r;\nCREATE TABLE e2 (a INT);"),
        format!("SET ROLE `{name}_other`;\nINSERT INTO t VALUES (1);\nSET ROLE NONE;"),
        "/*!50000 SET ROLE NONE */;".to_owned(),
        "SET DEFAULT ROLE NONE;".to_owned(),
        "CREATE TABLE last (a INT);".to_owned(),
    ];
    for arguments in [&["up"][..], &["up", "--lock", "lease"]] {
        let files: Vec<(String, String)> =
            texts.iter().enumerate().map(|(at, text)| (format!("{:03}_a.up.sql", at + 1), text.clone())).collect();
        let files: Vec<(&str, String)> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        let folder = roles.folder(&files);
        let outcome = Binary::inside(folder.path()).variable("DATABASE_URL", &roles.url).run(arguments);
        assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.stderr);
        assert_eq!(
            roles.database.value("SELECT count(*) FROM migration_records WHERE state = 'applied'").await,
            texts.len().to_string()
        );
        assert_eq!(roles.database.value("SELECT count(*) FROM t").await, "5");
        roles
            .database
            .execute("DROP TABLE c1, c2, d1, e1, e2, last, migration_records, migration_events, schema_versions; TRUNCATE t")
            .await;
    }
    roles.drop().await;
}

/// The failure is recorded, and the file resumes with the role that it had set.
#[tokio::test]
async fn a_failure_is_recorded_with_the_role_of_the_run() {
    let roles = Roles::new().await;
    let name = &roles.name;
    let text = format!("CREATE TABLE c1 (a INT);\nSET ROLE {name}_other;\nINSERT INTO t VALUES (1);\nINSERT INTO c2 VALUES (1);");
    let folder = roles.folder(&[("001_a.up.sql", text)]);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &roles.url);
    let outcome = binary.run(&["up"]);
    assert!(outcome.code == 7 && outcome.stderr.contains("c2"), "{}", outcome.stderr);
    assert_eq!(roles.database.history().await, ["001|failed|3"]);
    roles.database.execute(&format!("CREATE TABLE c2 (a INT); GRANT INSERT ON {name}.c2 TO {name}_other")).await;
    binary.ok(&["up"]);
    assert_eq!(roles.database.history().await, ["001|applied|4"]);
    roles.drop().await;
}

#[tokio::test]
async fn a_lent_connection_has_its_role_again() {
    let roles = Roles::new().await;
    let name = &roles.name;
    let files = [
        ("001_a.up.sql", format!("SET ROLE {name}_other;\nINSERT INTO t VALUES (1);")),
        ("002_b.up.sql", "SET ROLE NONE;".to_owned()),
    ];
    let folder = roles.folder(&files);
    let set = folder.set(Kind::MariaDb.dialect());
    let mut connection = sqlx::MySqlConnection::connect(&format!("{}/", roles.url.rsplit_once('/').unwrap().0)).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("SET ROLE {name}_other; USE {name}"))).execute(&mut connection).await.unwrap();
    Migrator::new(&set).run(&mut connection).await.unwrap();
    let role: String = sqlx::raw_sql("SELECT CURRENT_ROLE()").fetch_one(&mut connection).await.unwrap().get(0);
    assert_eq!(role, format!("{name}_other"));
    connection.close().await.unwrap();
    roles.drop().await;
}

/// Only MariaDB 12 knows the statement; it is refused before anything runs.
#[tokio::test]
async fn another_user_does_not_write_the_history() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let folder = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE t (a INT);\nSET SESSION AUTHORIZATION bob@localhost;")]);
    folder.write("migrate.toml", "service = \"app\"\ndatabase = \"mysql\"\nlint = \"off\"\n");
    let error = Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap_err();
    assert_eq!(error.code().name, "needs-session", "{error}");
    assert!(database.tables().await.is_empty());
    database.drop().await;
}
