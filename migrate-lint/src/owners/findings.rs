//! Findings about what services do to each other's objects.

use super::object_changes::{CreationForm, ObjectChange, ObjectDefinition, OwnedKind};
use super::ownership::Owners;
use super::walk::{EventKind, EventSource, Life, ObjectEvent, Walk, migration_of};
use super::{
    CONFLICTING_DEFINITION, DISPUTED_TABLE, FOREIGN_OBJECT, FOREIGN_TABLE, ServiceFinding, ServiceHistory, UNKNOWN_OWNED,
};
use crate::allow::Allowed;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Finding;
use migrate_model::place::{Place, SourceText};
use migrate_model::suggestion::nearest;
use migrate_model::syntax::Column;

/// Findings about the selected migrations and about `owns`.
pub fn of_walk(
    walk: &Walk,
    services: &[ServiceHistory<'_>],
    dialect: Dialect,
    is_checked: impl Fn(usize, usize) -> bool,
) -> Vec<ServiceFinding> {
    let reader = FindingReader { walk, services, owners: Owners::at_first(walk, services) };
    let mut findings = conflicting_claims(services);
    findings.extend(reader.unknown_claims());
    let mut reader = reader;
    let mut allowed: Option<(super::walk::OrderedStep, Allowed)> = None;
    for event in &walk.events {
        let step = event.step;
        if is_checked(step.service, step.migration) {
            let script = &migration_of(services, step).up;
            if allowed.as_ref().is_none_or(|(of, _)| *of != step) {
                allowed = Some((step, Allowed::of(script, dialect)));
            }
            let (statement, place) = match &event.source {
                EventSource::Statement(statement) => (Some(*statement), script.place(*statement)),
                EventSource::Directive(range) => (None, SourceText::new(&script.file, &script.text).place(range.clone())),
            };
            for mut finding in reader.problems(event) {
                let Some(level) = services[step.service].level(finding.code) else { continue };
                let is_allowed = allowed.as_mut().is_some_and(|(_, allowed)| allowed.suppresses(finding.code.name, statement));
                if !is_allowed {
                    finding.level = level;
                    let finding = finding.at(place.clone());
                    findings.push(ServiceFinding { service: step.service, finding });
                }
            }
        }
        reader.owners.apply(event, services);
    }
    findings
}

/// Tables that several services list in `owns`.
fn conflicting_claims(services: &[ServiceHistory<'_>]) -> Vec<ServiceFinding> {
    let mut findings = Vec::new();
    for (index, service) in services.iter().enumerate() {
        for table in service.owns {
            if let Some(other) = services[..index].iter().find(|other| other.owns.contains(table)) {
                let message = format!("services `{}` and `{}` both list table `{table}` in `owns`", other.name, service.name);
                let finding = Finding::error(&DISPUTED_TABLE, message)
                    .at(Place::file("migrate.toml"))
                    .help("remove the table from one of the two lists");
                findings.push(ServiceFinding { service: index, finding });
            }
        }
    }
    findings
}

struct FindingReader<'a> {
    walk: &'a Walk,
    services: &'a [ServiceHistory<'a>],
    owners: Owners,
}

impl FindingReader<'_> {
    fn name(&self, service: usize) -> &str {
        self.services[service].name
    }

    /// Names in `owns` that nothing has.
    fn unknown_claims(&self) -> Vec<ServiceFinding> {
        let mut findings = Vec::new();
        for (index, service) in self.services.iter().enumerate() {
            let Some(level) = service.level(&UNKNOWN_OWNED) else { continue };
            for (table, claim) in service.owns.iter().zip(&self.walk.claims[index]) {
                if !self.walk.lives.iter().any(|life| life.names.contains(claim)) {
                    let message = format!("no migration creates or changes `{table}`, which `owns` lists");
                    let mut finding = Finding::error(&UNKNOWN_OWNED, message).at(Place::file("migrate.toml"));
                    finding.level = level;
                    let finding = self.with_nearest(finding, table);
                    findings.push(ServiceFinding { service: index, finding });
                }
            }
        }
        findings
    }

    fn with_nearest(&self, finding: Finding, name: &str) -> Finding {
        let known: Vec<String> = self.walk.lives.iter().map(|life| life.name().to_string()).collect();
        match nearest(name, known.iter().map(String::as_str)) {
            Some(known) => finding.help(format!("write `{known}`")),
            None => finding.help("correct the name, or remove it"),
        }
    }

    fn problems(&self, event: &ObjectEvent) -> Vec<Finding> {
        let Some(at) = event.life else {
            let name = event.name.to_string();
            let message = format!("there is no table or other object `{name}` after this migration");
            return vec![self.with_nearest(Finding::error(&UNKNOWN_OWNED, message), &name)];
        };
        match &event.kind {
            EventKind::Change(ObjectChange::Creates(definition)) => self.competing_definitions(event, at, definition),
            EventKind::Change(ObjectChange::Changes(verb)) => self.foreign_change(event, at, verb),
            EventKind::Change(ObjectChange::Drops) => self.foreign_change(event, at, "drops"),
            EventKind::Change(ObjectChange::Renames(_)) => self.foreign_change(event, at, "renames"),
            EventKind::Change(ObjectChange::Deprecates) if matches!(event.source, EventSource::Directive(_)) => {
                self.foreign_change(event, at, "deprecates")
            }
            EventKind::Change(ObjectChange::Deprecates | ObjectChange::Restores) => Vec::new(),
            EventKind::Change(ObjectChange::LosesBase(phrase) | ObjectChange::GoesWithBase(phrase)) => {
                self.foreign_dependent(event, at, phrase)
            }
            EventKind::HandsOver { to } if !self.services.iter().any(|service| service.name == to) => {
                let message = format!(
                    "there is no service `{to}` that shares the database, to which `{}` could be handed over",
                    event.name
                );
                let finding = Finding::error(&UNKNOWN_OWNED, message);
                vec![match nearest(to, self.services.iter().map(|service| service.name)) {
                    Some(known) => finding.help(format!("write `{known}`")),
                    None => finding.help("correct the name of the service"),
                }]
            }
            EventKind::HandsOver { .. } => self.foreign_change(event, at, "hands over"),
            EventKind::Misses => Vec::new(),
        }
    }

    /// A finding if an object belongs to another service. `verb` is what the migration does to it.
    fn foreign_change(&self, event: &ObjectEvent, at: usize, verb: &str) -> Vec<Finding> {
        let Some(owner) = self.owners.of(at).filter(|owner| *owner != event.step.service) else { return Vec::new() };
        let (life, owner) = (&self.walk.lives[at], self.name(owner));
        let code = if life.kind == OwnedKind::Table { &FOREIGN_TABLE } else { &FOREIGN_OBJECT };
        let message = format!(
            "service `{}` {verb} {} `{}`, which belongs to service `{owner}`",
            self.name(event.step.service),
            life.kind.name(),
            event.name
        );
        let finding =
            Finding::error(code, message).help(format!("move the change to the migrations of service `{owner}`")).help(format!(
                "or, if the change is intended, suppress this finding: add `-- migrate: allow {}: reason` above the statement",
                code.name
            ));
        vec![finding]
    }

    /// A finding if an object of another service depends on what is dropped or changed.
    fn foreign_dependent(&self, event: &ObjectEvent, at: usize, phrase: &str) -> Vec<Finding> {
        let Some(owner) = self.owners.of(at).filter(|owner| *owner != event.step.service) else { return Vec::new() };
        let (life, owner) = (&self.walk.lives[at], self.name(owner));
        let message = format!(
            "service `{}` {phrase}, on which {} `{}` of service `{owner}` depends",
            self.name(event.step.service),
            life.kind.name(),
            event.name
        );
        let finding = Finding::error(&FOREIGN_OBJECT, message).help(format!(
            "let a migration of service `{owner}` remove the dependency first, and add `-- migrate: requires {owner}:VERSION` here"
        ));
        vec![finding]
    }

    /// The definitions of an object, each with the event that adds it.
    fn definitions(&self, at: usize) -> impl Iterator<Item = (&ObjectEvent, &ObjectDefinition)> {
        self.walk.events.iter().filter_map(move |event| match &event.kind {
            EventKind::Change(ObjectChange::Creates(definition)) if event.life == Some(at) => Some((event, definition)),
            _ => None,
        })
    }

    /// Findings about the definitions of the same object in other services.
    fn competing_definitions(&self, event: &ObjectEvent, at: usize, created: &ObjectDefinition) -> Vec<Finding> {
        let life = &self.walk.lives[at];
        if life.defined.iter().all(|step| step.service == event.step.service) {
            return Vec::new();
        }
        let mut findings = Vec::new();
        let kind = life.kind.name();
        let name = &event.name;
        for (other, definition) in self.definitions(at).filter(|(other, _)| other.step.service != event.step.service) {
            let other_file =
                format!("`{}` of service `{}`", migration_of(self.services, other.step).title(), self.name(other.step.service));
            let differing = differing_columns(&created.columns, &definition.columns);
            if created.parameters != definition.parameters {
                continue;
            }
            if !differing.is_empty() {
                let columns = if differing.len() == 1 { "column" } else { "columns" };
                let differing = differing.join(", ");
                let message = format!(
                    "{kind} `{name}` is also created in {other_file}, with a different definition of {columns} {differing}"
                );
                findings.push(self.conflict(event, life, message));
            } else if life.kind != OwnedKind::Table && created.words != definition.words {
                let message = format!("{kind} `{name}` is also created in {other_file}, with a different definition");
                findings.push(self.conflict(event, life, message));
            } else if self.owners.of(at).is_none()
                && (life.kind == OwnedKind::Table
                    || [created, definition].iter().any(|defined| defined.form == CreationForm::Create))
            {
                let message = format!("{kind} `{name}` is also created in {other_file}");
                findings.push(Finding::error(&DISPUTED_TABLE, message).help(format!(
                    "add `owns = [\"{name}\"]` to the `migrate.toml` of the owner, and remove the other definition"
                )));
            }
        }
        findings
    }

    fn conflict(&self, event: &ObjectEvent, life: &Life, message: String) -> Finding {
        let create = format!("remove one of the two definitions of the {}", life.kind.name());
        let finding = Finding::error(&CONFLICTING_DEFINITION, message).help(create);
        let dropped = life.dropped.filter(|step| step.service != event.step.service);
        match dropped {
            Some(step) => finding.help(format!(
                "or, if this is a new {} in place of the one that is dropped later, create it after the drop: add `-- migrate: requires {}:{}`",
                life.kind.name(),
                self.name(step.service),
                migration_of(self.services, step).version
            )),
            None => finding,
        }
    }
}

/// Names of the columns that differ in existence, type or `NOT NULL`, in backticks; none if the columns of one are unknown.
fn differing_columns(columns: &[Column], other_columns: &[Column]) -> Vec<String> {
    if columns.is_empty() || other_columns.is_empty() {
        return Vec::new();
    }
    let is_in = |column: &Column, others: &[Column]| {
        others.iter().any(|other| {
            other.name.eq_ignore_ascii_case(&column.name) && other.ty == column.ty && other.not_null == column.not_null
        })
    };
    let differing = columns.iter().filter(|column| !is_in(column, other_columns));
    let differing = differing.chain(other_columns.iter().filter(|column| !is_in(column, columns)));
    let mut names: Vec<String> = Vec::new();
    for column in differing {
        let name = format!("`{}`", column.name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
