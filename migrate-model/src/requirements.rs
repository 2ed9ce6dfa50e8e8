//! What `requires` names in the files: whether each service and version exists, and whether an order of all of them is possible.
//! Found when the files are checked, not when they are deployed.

use crate::code::Code;
use crate::directives::Requirement;
use crate::finding::{Finding, Level};
use crate::key::MigrationKey;
use crate::migration::Migration;
use crate::migration_set::MigrationSet;
use crate::place::Place;
use crate::service_graph::{self, Cycle, OrderedMigration, ServiceMigrations};
use crate::suggestion::nearest;
use crate::version::Version;

/// A directive `requires` that can never be met.
pub static UNRESOLVED_REQUIREMENT: Code = Code::new(
    "unresolved-requirement",
    "A directive `requires` names a service or a version that does not exist, the migration itself or a later one of the same \
     service, or migrations require each other, so that none of them can be applied first. `cargo migrate check` finds this for the versions of the service itself; \
     `cargo migrate check --workspace` also finds it for the other services of the workspace. Correct the directive.",
);

/// The services of a workspace.
#[derive(Debug, Clone, Copy)]
pub struct KnownServices<'a> {
    /// Their names and migrations.
    pub services: &'a [(&'a str, &'a MigrationSet)],
    /// The names of those whose migrations are not known.
    pub unread: &'a [String],
}

/// What is wrong with the requirements within one service.
pub fn within(set: &MigrationSet) -> Vec<Finding> {
    let is_within = |requirement: &&Requirement| is_own(set, requirement);
    let mut findings = Vec::new();
    for migration in set.iter() {
        for requirement in migration.up.directives.requires.iter().filter(is_within) {
            findings.extend(own_problem(set, migration, requirement));
        }
    }
    findings
}

fn is_own(set: &MigrationSet, requirement: &Requirement) -> bool {
    requirement.service.as_deref().is_none_or(|service| service == set.service())
}

fn own_problem(set: &MigrationSet, migration: &Migration, requirement: &Requirement) -> Option<Finding> {
    let title = migration.title();
    let required = &requirement.version;
    if *required == migration.version && set.get(required).is_some() {
        let help = "remove the directive, or correct its version";
        return Some(finding(migration, requirement, format!("`{title}` requires itself"), help.to_owned()));
    }
    if set.get(required).is_none() {
        let message = format!("`{title}` requires version {required}, which does not exist");
        return Some(finding(migration, requirement, message, nearest_versions(set, required)));
    }
    (*required > migration.version).then(|| {
        let message = format!("`{title}` requires version {required}, which is applied after it");
        let help = format!("a later migration of the same service cannot come first: remove the directive, or give `{title}` a version above {required}");
        finding(migration, requirement, message, help)
    })
}

impl KnownServices<'_> {
    /// What is wrong with the requirements of a set on other services. A service that is not known may be one of another repository,
    /// unless its name resembles a known one.
    pub fn problems(&self, set: &MigrationSet) -> Vec<Finding> {
        let other = |requirement: &&Requirement| !is_own(set, requirement);
        let mut findings = Vec::new();
        for migration in set.iter() {
            for requirement in migration.up.directives.requires.iter().filter(other) {
                findings.extend(self.problem(migration, requirement));
            }
        }
        findings
    }

    /// What is wrong with a requirement on another service.
    pub fn problem(&self, migration: &Migration, requirement: &Requirement) -> Option<Finding> {
        let name = requirement.service.as_deref().unwrap_or_default();
        let title = migration.title();
        if self.unread.iter().any(|service| service == name) {
            return None;
        }
        let Some((_, set)) = self.services.iter().find(|(service, _)| *service == name) else {
            let message = format!("`{title}` requires {requirement}, but the workspace contains no service `{name}`");
            let same = self.services.iter().map(|(service, _)| *service).find(|service| service.eq_ignore_ascii_case(name));
            let near = same.or_else(|| nearest(name, self.services.iter().map(|(service, _)| *service)));
            return Some(match near {
                Some(near) => finding(migration, requirement, message, format!("write `{near}:{}`", requirement.version)),
                None => {
                    let help = "if another repository contains this service, a run waits until it has applied the migration; otherwise correct the name";
                    Finding { level: Level::Warning, ..finding(migration, requirement, message, help.to_owned()) }
                }
            });
        };
        set.get(&requirement.version).is_none().then(|| {
            let message = format!("`{title}` requires {requirement}, but `{name}` has no version {}", requirement.version);
            finding(migration, requirement, message, nearest_versions(set, &requirement.version))
        })
    }

    /// Migrations that require each other, and the service of the first, in whose files the finding has its place.
    pub fn cycle(&self) -> Option<(String, Finding)> {
        let services: Vec<ServiceMigrations<'_>> = self.services.iter().map(|(service, set)| migrations(service, set)).collect();
        let cycle = service_graph::order(&services).err()?;
        // Reported by `within`.
        if cycle.chain.iter().all(|link| Some(&link.service) == cycle.chain.first().map(|first| &first.service)) {
            return None;
        }
        let first = cycle.chain.first()?;
        let set = self.services.iter().find(|(service, _)| *service == first.service);
        let migration = set.and_then(|(_, set)| set.get(first.key.version()?));
        let finding = describe_cycle(&cycle);
        let finding = match migration {
            Some(migration) => {
                let next = cycle.chain.get(1).map(|link| (link.service.as_str(), &link.key));
                let is_next = |requirement: &&Requirement| {
                    next.is_some_and(|(service, key)| {
                        requirement.service.as_deref() == Some(service) && *key == requirement.version
                    })
                };
                let requirement = migration.up.directives.requires.iter().find(is_next);
                finding.at(requirement.map_or_else(|| Place::file(&*migration.up.file), |next| place(migration, next)))
            }
            None => finding,
        };
        Some((first.service.clone(), finding))
    }
}

/// All migrations of a service, with what they require.
pub fn migrations<'a>(service: &'a str, set: &'a MigrationSet) -> ServiceMigrations<'a> {
    let migration = |migration: &'a Migration| OrderedMigration {
        key: MigrationKey::from(&migration.version),
        requires: &migration.up.directives.requires,
    };
    ServiceMigrations { service, migrations: set.iter().map(migration).collect() }
}

/// The error about migrations that require each other.
pub fn describe_cycle(cycle: &Cycle) -> Finding {
    let message = format!("no order is possible, because migrations require each other: {cycle}");
    Finding::error(&UNRESOLVED_REQUIREMENT, message)
        .help("remove one of these `requires`, or move the statements that need it to a later migration")
}

fn nearest_versions(set: &MigrationSet, version: &Version) -> String {
    let below = set.iter().map(|migration| &migration.version).filter(|other| *other < version).max();
    let above = set.iter().map(|migration| &migration.version).filter(|other| *other > version).min();
    match (below, above) {
        (Some(below), Some(above)) => format!("the nearest are {below} and {above}"),
        (Some(only), None) | (None, Some(only)) => format!("the nearest is {only}"),
        (None, None) => "the service has no migrations".to_owned(),
    }
}

fn finding(migration: &Migration, requirement: &Requirement, message: String, help: String) -> Finding {
    Finding::error(&UNRESOLVED_REQUIREMENT, message).at(place(migration, requirement)).help(help)
}

/// Where the directive names a requirement.
fn place(migration: &Migration, requirement: &Requirement) -> Place {
    let (text, words) = (&migration.up.text, requirement.to_string());
    let line = text.find("requires");
    match line.and_then(|line| Some(line + text[line..].find(&words)?)) {
        Some(at) => Place::range(&*migration.up.file, text, at..at + words.len()),
        None => Place::file(&*migration.up.file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::script::Script;
    use crate::set_settings::SetSettings;

    /// `1, 2 a:1`: versions, and what they require.
    fn set(service: &str, text: &str) -> MigrationSet {
        let migration = |text: &str| {
            let mut words = text.split_whitespace();
            let version = words.next().unwrap();
            let requires: Vec<&str> = words.collect();
            let header =
                if requires.is_empty() { String::new() } else { format!("-- migrate: requires {}\n", requires.join(", ")) };
            let script = Script::read(format!("{header}SELECT 1;\n"), &format!("{service}/{version}.sql"), Dialect::Sqlite).0;
            Migration { version: version.parse().unwrap(), name: "m".into(), up: script, down: None }
        };
        MigrationSet::new(SetSettings::new(service, Dialect::Sqlite), text.split(',').map(migration).collect())
    }

    fn shown(findings: &[Finding]) -> String {
        let one = |finding: &Finding| {
            let place = finding.place.as_ref().map(Place::label).unwrap_or_default();
            format!(
                "{place}: {}{} ({})",
                if finding.is_error() { "" } else { "warning: " },
                finding.message,
                finding.help.join("; ")
            )
        };
        findings.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn within_a_service() {
        assert_eq!(within(&set("a", "1, 2 1, 3 a:2")), []);
        assert_eq!(
            shown(&within(&set("a", "1, 2 2, 3 a:7, 4 5, 5"))),
            "a/2.sql:1:22: `2.sql` requires itself (remove the directive, or correct its version)\n\
             a/3.sql:1:22: `3.sql` requires version 7, which does not exist (the nearest is 5)\n\
             a/4.sql:1:22: `4.sql` requires version 5, which is applied after it (a later migration of the same service cannot come \
             first: remove the directive, or give `4.sql` a version above 5)"
        );
    }

    #[test]
    fn between_services() {
        let (billing, api) =
            (set("billing", "1, 3"), set("api", "1 billing:1, 2 biling:1, 3 billing:2, 4 elsewhere:1, 5 later:7"));
        let known = KnownServices { services: &[("billing", &billing), ("api", &api)], unread: &["later".to_owned()] };
        assert_eq!(
            shown(&known.problems(&api)),
            "api/2.sql:1:22: `2.sql` requires biling:1, but the workspace contains no service `biling` (write `billing:1`)\n\
             api/3.sql:1:22: `3.sql` requires billing:2, but `billing` has no version 2 (the nearest are 1 and 3)\n\
             api/4.sql:1:22: warning: `4.sql` requires elsewhere:1, but the workspace contains no service `elsewhere` (if another \
             repository contains this service, a run waits until it has applied the migration; otherwise correct the name)"
        );
        assert_eq!(known.cycle(), None);
    }

    #[test]
    fn cycles() {
        let (left, right) = (set("a", "1, 2 b:2"), set("b", "1, 2 a:2"));
        let (service, cycle) = KnownServices { services: &[("a", &left), ("b", &right)], unread: &[] }.cycle().unwrap();
        assert_eq!(service, "a");
        assert!(cycle.message.ends_with("a:2 requires b:2 requires a:2"), "{}", cycle.message);
    }
}
