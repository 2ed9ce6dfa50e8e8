//! The matrix of sources: which one gives the URL, and what is not used because of that.

use super::*;

/// What each source sets. The values of a source contain its letter: f(lag), e(nvironment), p(ackage), c(urrent folder).
#[derive(Default)]
struct Sources<'a> {
    flag: Option<&'a str>,
    environment: &'a [(&'a str, &'a str)],
    package: &'a str,
    current: &'a str,
    dialect: Option<Dialect>,
}

impl Sources<'_> {
    fn choose(&self) -> Result<Option<SourcedUrl>, CommandError> {
        let environment =
            |name: &str| self.environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let files = [("app/.env", self.package), (".env", self.current)];
        let files = files.map(|(path, text)| (path.to_owned(), EnvFile::parse(text)));
        choose(self.flag, &environment, &files, self.dialect)
    }

    fn url(&self) -> SourcedUrl {
        self.choose().unwrap().unwrap()
    }

    fn error(&self) -> String {
        format!("{:?}", self.choose().unwrap_err())
    }
}

const ALL_PARTS: &[(&str, &str)] =
    &[("DB_HOST", "e"), ("DB_PORT", "5433"), ("DB_USER", "eu"), ("DB_PASSWORD", "ep"), ("DB_NAME", "en")];

#[test]
fn the_first_source_is_taken_whole() {
    let package = "DATABASE_URL=postgres://p/p\nDB_HOST=p2\nDB_NAME=p2\n";
    let current = "DATABASE_URL=postgres://c/c\n";
    let env_url = [("DATABASE_URL", "postgres://e/e"), ("DB_HOST", "e2"), ("DB_NAME", "e2")];
    let env_parts = ALL_PARTS;
    let parts_url = "postgres://eu:ep@e:5433/en";
    let flag = Some("postgres://f/f");
    let file = |path: &str| UrlOrigin::File(path.to_owned());
    for (flag, environment, package, current, url, origin) in [
        (flag, &env_url[..], package, current, "postgres://f/f", UrlOrigin::Flag),
        (None, &env_url, package, current, "postgres://e/e", UrlOrigin::Environment),
        (None, env_parts, package, current, parts_url, UrlOrigin::Environment),
        (None, env_parts, "", "", parts_url, UrlOrigin::Environment),
        (None, &[], package, current, "postgres://p/p", file("app/.env")),
        (None, &[], "DB_HOST=p2\nDB_NAME=p2\n", current, "postgres://p2/p2", file("app/.env")),
        (None, &[], "OTHER=1\n", current, "postgres://c/c", file(".env")),
        (None, &[], "", "DB_HOST=c2\nDB_NAME=c2\n", "postgres://c2/c2", file(".env")),
    ] {
        let sources = Sources { flag, environment, package, current, dialect: None };
        let found = sources.url();
        assert_eq!((found.text.as_str(), &found.origin), (url, &origin));
    }
    assert_eq!(Sources::default().choose().unwrap(), None);
    // Variables without a host name no database.
    let incomplete =
        Sources { environment: &[("DB_PASSWORD", "ep"), ("PGPASSWORD", "ep"), ("PGHOST", "e")], ..Sources::default() };
    assert_eq!(incomplete.choose().unwrap(), None);
}

/// No host of a file gets a value of the environment, and no host of the environment a value of a file.
#[test]
fn secrets_stay_with_their_host() {
    let secrets = [("DB_PASSWORD", "ep"), ("DB_USER", "eu"), ("PGPASSWORD", "ep"), ("DB_NAME", "en"), ("PGPORT", "1")];
    for package in [
        "DB_HOST=evil\nDB_NAME=p",
        "DB_HOST=evil\nDB_NAME=p\nDB_USER=p",
        "DB_HOST=evil\nDB_NAME=p\nDB_PORT=3306",
        "DATABASE_URL=postgres://p@evil/p",
        "DATABASE_URL=PostgreSQL://p@evil/p?sslmode=disable",
        "DATABASE_URL=postgres:///p?host=evil",
        "DATABASE_URL=postgres://p@/p?host=evil",
        "DATABASE_URL=mysql://p@evil/p",
    ] {
        let found = Sources { environment: &secrets, package, ..Sources::default() }.url();
        assert!(found.text.contains("evil") && !found.text.contains("ep") && !found.text.contains("eu"), "{found:?}");
        let is_postgres = found.text.to_lowercase().starts_with("postgres");
        assert_eq!(found.text.contains("password="), is_postgres, "the driver would read PGPASSWORD: {found:?}");
        assert_eq!(found.text.contains("port=5432"), is_postgres && !found.text.contains(":3306"), "{found:?}");
        let notes = found.notes.join("\n");
        assert!(
            notes.contains("`DB_PASSWORD` in the environment is not used: the database is configured in `app/.env`"),
            "{notes}"
        );
        assert_eq!(notes.contains("`PGPASSWORD` in the environment is not used"), is_postgres, "{notes}");
    }
    let package = "DB_USER=pu\nDB_PASSWORD=pp\nDB_NAME=pn\nDB_PORT=1";
    let found = Sources { environment: &[("DB_HOST", "e"), ("DB_NAME", "en")], package, ..Sources::default() }.url();
    assert_eq!(found.text, "postgres://e/en");
    assert!(found.notes.iter().any(|note| note.starts_with("`DB_PASSWORD` in `app/.env` is not used")), "{:?}", found.notes);
    // What the environment sets itself, a file sets in vain, as always.
    let found = Sources { environment: ALL_PARTS, package, ..Sources::default() }.url();
    assert_eq!(found.notes, [] as [String; 0]);
    // A file with its own password needs none of the environment.
    let own = "DATABASE_URL=postgres://p:pp@p/p";
    let found = Sources { environment: &[("PGPASSWORD", "ep")], package: own, ..Sources::default() }.url();
    assert_eq!((found.text.as_str(), found.notes.len()), ("postgres://p:pp@p/p", 0));
}

#[test]
fn what_a_file_omits_is_not_completed() {
    for (url, name) in [
        ("postgres:///p", "PGHOST"),
        ("postgres:///p", "PGHOSTADDR"),
        ("postgres://p:pp@/p", "PGHOST"),
        ("postgres://evil/p", "PGUSER"),
        ("postgres://p@evil", "PGDATABASE"),
        ("postgres://p@evil/p", "PGSSLKEY"),
        ("postgresql://p@evil/p?sslkey=k", "PGSSLCERT"),
    ] {
        let package = format!("DATABASE_URL={url}");
        let error = Sources { environment: &[(name, "e")], package: &package, ..Sources::default() }.error();
        assert!(error.contains(name) && error.contains("app/.env"), "{url} {name}: {error}");
        // The environment completes its own URL, as `psql` does.
        let own = Sources { environment: &[("DATABASE_URL", url), (name, "e")], ..Sources::default() };
        assert_eq!(own.url().text, url);
        let flag = Sources { flag: Some(url), environment: &[(name, "e")], package: &package, ..Sources::default() };
        assert_eq!(flag.url().text, url);
    }
    let error = Sources { environment: &[("DB_HOST", "e")], package: "DB_NAME=pn", ..Sources::default() }.error();
    assert!(error.contains("`DB_NAME` is missing") && error.contains("`DB_NAME` in app/.env is not used"), "{error}");
    let error = Sources { environment: &[("DB_NAME", "en")], package: "DB_HOST=p", ..Sources::default() }.error();
    assert!(error.contains("`DB_NAME` in the environment is not used"), "{error}");
    let error = Sources { package: "DATABASE_URL=postgres://p:$PGPASSWORD@evil/p", ..Sources::default() }.error();
    assert!(error.contains("line 1") && error.contains("that the file does not set"), "{error}");
}

#[test]
fn built_from_parts() {
    let url = |dialect: Option<Dialect>, environment: &[(&str, &str)]| {
        Sources { environment, dialect, ..Sources::default() }.choose().map(|url| url.map(|url| url.text)).ok().flatten()
    };
    let all = [
        ("DB_HOST", "postgres"),
        ("DB_PORT", "5432"),
        ("DB_USER", "link/user"),
        ("DB_PASSWORD", "p@ss:w%41rd"),
        ("DB_NAME", "linkdb"),
        ("DB_SSLMODE", "disable"),
    ];
    assert_eq!(url(None, &all).unwrap(), "postgres://link%2Fuser:p%40ss%3Aw%2541rd@postgres:5432/linkdb?sslmode=disable");
    assert_eq!(
        url(Some(Dialect::MySql), &all).unwrap(),
        "mysql://link%2Fuser:p%40ss%3Aw%2541rd@postgres:5432/linkdb?ssl-mode=DISABLED"
    );
    assert_eq!(url(None, &[("DB_HOST", "h"), ("DB_PORT", "3306"), ("DB_NAME", "n")]).unwrap(), "mysql://h:3306/n");
    assert_eq!(url(Some(Dialect::Sqlite), &[("DB_NAME", "app.db")]).unwrap(), "sqlite:app.db");
    for host in ["h/x", "h@evil", "h?x", "h#x", "a b", "::g", "run/x"] {
        assert_eq!(url(None, &[("DB_HOST", host), ("DB_NAME", "n")]), None, "{host}");
    }
    for (dialect, host, expected) in [
        (Dialect::Postgres, "/run/a b%20", "postgres://u@localhost:1/n?host=%2Frun%2Fa+b%2520"),
        (Dialect::MySql, "/run/db.sock", "mysql://u@localhost:1/n?socket=%2Frun%2Fdb.sock"),
        (Dialect::Postgres, "::1", "postgres://u@[::1]:1/n"),
        (Dialect::MySql, "fe80::1", "mysql://u@[fe80::1]:1/n"),
    ] {
        let parts = [("DB_HOST", host), ("DB_NAME", "n"), ("DB_USER", "u"), ("DB_PORT", "1")];
        assert_eq!(url(Some(dialect), &parts).as_deref(), Some(expected));
    }
    assert_eq!(url(None, &[("DB_HOST", "h"), ("DB_NAME", "n"), ("DB_PORT", "70000")]), None);
    assert_eq!(url(None, &[("DB_HOST", "h")]), None);
}

#[test]
fn words_for_tls_mean_the_same_for_both_databases() {
    for (mode, postgres, mysql) in [
        ("disable", "disable", "DISABLED"),
        ("prefer", "prefer", "PREFERRED"),
        ("require", "require", "REQUIRED"),
        ("verify-ca", "verify-ca", "VERIFY_CA"),
        ("verify-full", "verify-full", "VERIFY_IDENTITY"),
        ("allow", "prefer", "PREFERRED"),
        ("REQUIRED", "require", "REQUIRED"),
        ("verify_identity", "verify-full", "VERIFY_IDENTITY"),
    ] {
        let environment = [("DB_HOST", "h"), ("DB_NAME", "n"), ("DB_SSLMODE", mode)];
        let url = |dialect| Sources { environment: &environment, dialect: Some(dialect), ..Sources::default() }.url().text;
        assert_eq!(url(Dialect::Postgres), format!("postgres://h/n?sslmode={postgres}"));
        assert_eq!(url(Dialect::MySql), format!("mysql://h/n?ssl-mode={mysql}"));
    }
    for mode in ["requir", "verify full", "require&ssl-mode=DISABLED"] {
        let environment = [("DB_HOST", "h"), ("DB_NAME", "n"), ("DB_SSLMODE", mode)];
        let error = Sources { environment: &environment, ..Sources::default() }.error();
        assert!(error.contains("the value of `DB_SSLMODE` in the environment is not valid"), "{error}");
    }
}

#[test]
fn a_file_of_sqlite_is_relative_to_the_file_that_names_it() {
    for (text, folder, expected) in [
        ("sqlite:app.db", "..", "sqlite:../app.db"),
        ("sqlite://app.db?mode=rwc", "../..", "sqlite:../../app.db?mode=rwc"),
        ("sqlite:./data/app.db", "..", "sqlite:../data/app.db"),
        ("sqlite:../app.db", "..", "sqlite:../../app.db"),
        ("SQLite:app.db", "..", "sqlite:../app.db"),
        ("sqlite:app.db", "100%?", "sqlite:100%25%3F/app.db"),
        ("sqlite:app.db", "", "sqlite:app.db"),
        ("sqlite:/data/app.db", "..", "sqlite:/data/app.db"),
        ("sqlite:///data/app.db", "..", "sqlite:///data/app.db"),
        ("sqlite:%2Fdata", "..", "sqlite:%2Fdata"),
        ("sqlite::memory:", "..", "sqlite::memory:"),
        ("sqlite:%3Amemory:", "..", "sqlite:%3Amemory:"),
        ("sqlite:", "..", "sqlite:"),
        ("postgres://h/n", "..", "postgres://h/n"),
    ] {
        assert_eq!(from_folder(text.to_owned(), Path::new(folder)), expected, "{text} in {folder}");
    }
}
