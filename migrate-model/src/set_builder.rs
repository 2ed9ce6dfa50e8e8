//! Creates a migration set in code, without files: for tests, plugins and generated migrations.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::finding::Finding;
use crate::invalid_migrations::InvalidMigrations;
use crate::migration::Migration;
use crate::migration_set::MigrationSet;
use crate::place::Place;
use crate::run_settings::RunSettings;
use crate::script::Script;
use crate::set_settings::SetSettings;
use crate::version::Version;
use std::collections::HashSet;

/// A version that is not one, or that two migrations have.
pub static BAD_VERSION: Code = Code::new(
    "bad-version",
    "The version of a migration that is created in code is invalid, or two migrations have the same version (`001` and `1` are the same). A version consists of numbers, such as `001`, `20260115093000` or `1.2`.",
);

/// Builds a [`MigrationSet`] from texts.
///
/// ```
/// use migrate_model::dialect::Dialect;
/// use migrate_model::migration_set::MigrationSet;
///
/// let set = MigrationSet::builder("shop", Dialect::Sqlite)
///     .migration("001", "create_users", "CREATE TABLE users (id integer PRIMARY KEY)", Some("DROP TABLE users"))
///     .migration("002", "fill_users", "INSERT INTO users VALUES (1)", None)
///     .build()?;
/// assert_eq!(set.len(), 2);
/// # Ok::<(), migrate_model::invalid_migrations::InvalidMigrations>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct MigrationSetBuilder {
    settings: SetSettings,
    sources: Vec<Source>,
}

/// One migration as it was added.
#[derive(Debug, Clone)]
struct Source {
    version: String,
    name: String,
    up: String,
    down: Option<String>,
}

impl MigrationSetBuilder {
    /// An empty set of a service.
    pub fn new(service: impl Into<String>, dialect: Dialect) -> Self {
        MigrationSetBuilder { settings: SetSettings::new(service, dialect), sources: Vec::new() }
    }

    /// Adds a migration: its version, its name, and the SQL of both directions. Without `down`, it cannot be reverted. Directives
    /// (`-- migrate: ...`) have the same effect as in a file.
    pub fn migration(
        mut self,
        version: impl Into<String>,
        name: impl Into<String>,
        up: impl Into<String>,
        down: Option<&str>,
    ) -> Self {
        let down = down.map(str::to_owned);
        self.sources.push(Source { version: version.into(), name: name.into(), up: up.into(), down });
        self
    }

    /// Changes the settings that `migrate.toml` contains for files.
    pub fn settings(mut self, change: impl FnOnce(&mut RunSettings)) -> Self {
        change(&mut self.settings.run);
        self
    }

    /// The set, with the warnings about its texts.
    ///
    /// # Errors
    /// If a version is invalid or exists twice, or a text is one that `embed_migrations!` would reject: it contains no statement,
    /// an unterminated string or an invalid directive.
    pub fn build(self) -> Result<MigrationSet, InvalidMigrations> {
        let (mut migrations, mut findings, mut versions) = (Vec::new(), Vec::new(), HashSet::new());
        let reading = self.settings.reading();
        for Source { version, name, up, down } in self.sources {
            let file = |direction: &str| format!("{version}_{name}.{direction}.sql");
            let mut script = |text: String, direction: &str| {
                let (script, problems) = Script::read(text, &file(direction), reading);
                findings.extend(problems);
                findings.extend(script.without_statements());
                script
            };
            let up = script(up, "up");
            let down = down.map(|down| script(down, "down"));
            match version.parse::<Version>() {
                Ok(parsed) if versions.insert(parsed.clone()) => migrations.push(Migration::new(parsed, name, up, down)),
                Ok(_) => {
                    let message = format!("two migrations have version {version}");
                    findings.push(Finding::error(&BAD_VERSION, message).at(Place::file(file("up"))).help("change one of them"));
                }
                Err(error) => {
                    let finding = Finding::error(&BAD_VERSION, format!("`{version}` is not a version: {error}"));
                    findings.push(finding.at(Place::file(file("up"))).help("use numbers, such as `001`"));
                }
            }
        }
        let findings = InvalidMigrations::check(findings)?;
        Ok(MigrationSet::new(self.settings, migrations).with_warnings(findings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> MigrationSetBuilder {
        MigrationSet::builder("shop", Dialect::MySql)
    }

    #[test]
    fn migrations_are_sorted_and_read_in_the_session() {
        let set = builder()
            .migration("10", "b", "SELECT 2", None)
            .migration("9", "a", "-- migrate: phase expand\nSELECT 'a\\'; SELECT 2;", Some("SELECT 1"))
            .settings(|settings| settings.session.push("SET sql_mode = 'NO_BACKSLASH_ESCAPES'".to_owned()))
            .build()
            .unwrap();
        let [first, second] = set.migrations() else { panic!("{set:?}") };
        assert_eq!((first.version.as_str(), &*first.name, first.title()), ("9", "a", "9_a.up.sql"));
        assert!(first.phase().is_some() && first.down.is_some() && second.down.is_none());
        // With the session, a backslash is an ordinary character.
        assert_eq!(first.up.statements.len(), 2);
    }

    #[test]
    fn all_problems_are_reported() {
        let error = builder()
            .migration("1", "a", "SELECT 1", None)
            .migration("001", "b", "SELECT 1", None)
            .migration("x", "c", "SELECT 1", None)
            .migration("4", "d", "SELECT 'open", None)
            .migration("5", "e", "", Some("-- nothing"))
            .build()
            .unwrap_err();
        let codes: Vec<&str> = error.findings().iter().map(|finding| finding.code.name).collect();
        assert_eq!(codes, ["bad-version", "bad-version", "unterminated", "empty-file", "empty-file"]);
        assert_eq!(error.to_string(), "001_b.up.sql: two migrations have version 001 (and 4 more errors)");
        assert!(error.report().contains("4_d.up.sql:1:8\n  1 | SELECT 'open"), "{}", error.report());
    }
}
