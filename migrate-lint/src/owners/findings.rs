//! Findings about what services do to each other's objects.

use super::object_changes::{Comparison, ObjectChange, ObjectDefinition, OwnedKind};
use super::ownership::Owners;
use super::walk::{EventKind, EventSource, Life, ObjectEvent, OrderedStep, Walk, migration_of};
use super::{
    CONFLICTING_DEFINITION, DISPUTED_TABLE, FOREIGN_OBJECT, FOREIGN_TABLE, ServiceFinding, ServiceHistory, UNKNOWN_OWNED,
};
use crate::allow::Allowed;
use crate::object_name::ObjectName;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Finding;
use migrate_model::place::{Place, SourceText};
use migrate_model::suggestion::nearest;
use std::collections::{HashMap, HashSet};

/// Findings about the selected migrations and about `owns`.
pub fn of_walk(
    walk: &Walk,
    services: &[ServiceHistory<'_>],
    dialect: Dialect,
    is_checked: impl Fn(usize, usize) -> bool,
) -> Vec<ServiceFinding> {
    let mut reader = FindingReader { walk, services, owners: Owners::at_first(walk, services), definitions: definitions(walk) };
    let mut findings = reader.conflicting_claims();
    findings.extend(reader.unknown_claims());
    let mut allowed: Option<(OrderedStep, Allowed)> = None;
    for event in &walk.events {
        let step = event.step;
        if is_checked(step.service, step.migration) {
            let problems = reader.problems(event);
            let script = &migration_of(services, step).up;
            if problems.is_empty() {
                reader.owners.apply(event, services);
                continue;
            }
            if allowed.as_ref().is_none_or(|(of, _)| *of != step) {
                allowed = Some((step, Allowed::of(script, dialect)));
            }
            let (statement, place) = match &event.source {
                EventSource::Statement(statement) => (Some(*statement), script.place(*statement)),
                EventSource::Directive(range) => (None, SourceText::new(&script.file, &script.text).place(range.clone())),
            };
            for mut finding in problems {
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

/// The events that create each object.
fn definitions(walk: &Walk) -> HashMap<usize, Vec<usize>> {
    let mut definitions: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, event) in walk.events.iter().enumerate() {
        if let (Some(life), EventKind::Change(ObjectChange::Creates(_))) = (event.life, &event.kind) {
            definitions.entry(life).or_default().push(at);
        }
    }
    definitions
}

struct FindingReader<'a> {
    walk: &'a Walk,
    services: &'a [ServiceHistory<'a>],
    owners: Owners,
    definitions: HashMap<usize, Vec<usize>>,
}

impl FindingReader<'_> {
    /// Tables that several services list in `owns`.
    fn conflicting_claims(&self) -> Vec<ServiceFinding> {
        let mut findings = Vec::new();
        let mut claimed: HashMap<&ObjectName, usize> = HashMap::new();
        for (index, (service, claims)) in self.services.iter().zip(&self.walk.claims).enumerate() {
            for (table, claim) in service.owns.iter().zip(claims) {
                let other = *claimed.entry(claim).or_insert(index);
                let Some(level) = service.level(&DISPUTED_TABLE).filter(|_| other != index) else { continue };
                let (other, name) = (self.name(other), service.name);
                let message = format!("services `{other}` and `{name}` both list table `{table}` in `owns`");
                let mut finding = Finding::error(&DISPUTED_TABLE, message).at(Place::file("migrate.toml"));
                finding.level = level;
                findings
                    .push(ServiceFinding { service: index, finding: finding.help("remove the table from one of the two lists") });
            }
        }
        findings
    }

    fn name(&self, service: usize) -> &str {
        self.services[service].name
    }

    /// Names in `owns` that nothing has.
    fn unknown_claims(&self) -> Vec<ServiceFinding> {
        let mut findings = Vec::new();
        let lower = |name: &ObjectName| name.to_string().to_lowercase();
        let known: HashSet<String> = self.walk.lives.iter().flat_map(|life| &life.names).map(lower).collect();
        for (index, service) in self.services.iter().enumerate() {
            let Some(level) = service.level(&UNKNOWN_OWNED) else { continue };
            for (table, claim) in service.owns.iter().zip(&self.walk.claims[index]) {
                if !known.contains(&lower(claim)) {
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
            // A directive.
            let name = event.name.to_string();
            let message = format!("there is no table or other object `{name}` after this migration");
            return vec![self.with_nearest(Finding::error(&UNKNOWN_OWNED, message), &name)];
        };
        match &event.kind {
            EventKind::Change(ObjectChange::Creates(definition)) => self.competing_definitions(event, at, definition),
            EventKind::Change(ObjectChange::Changes(verb)) => self.foreign_change(event, at, verb),
            EventKind::Change(ObjectChange::Drops) => self.foreign_change(event, at, "drops"),
            EventKind::Change(ObjectChange::Renames(_)) => self.foreign_change(event, at, "renames"),
            EventKind::Change(ObjectChange::Deprecates) => self.foreign_change(event, at, "deprecates"),
            EventKind::Change(ObjectChange::Restores) => self.foreign_change(event, at, "changes the comment or the triggers of"),
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
            EventKind::Unordered { verb, after } => vec![self.unordered(event, at, verb, *after)],
            EventKind::Misses | EventKind::Settled => Vec::new(),
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

    /// The finding about a migration that need not run after what another service does.
    fn unordered(&self, event: &ObjectEvent, at: usize, verb: &str, after: OrderedStep) -> Finding {
        let (kind, name) = (self.walk.lives[at].kind.name(), &event.name);
        let (other, file) = (self.name(after.service), migration_of(self.services, after).title());
        let message = format!("nothing says that this runs after `{file}`, in which service `{other}` {verb} {kind} `{name}`");
        let code = if verb == "drops" { &CONFLICTING_DEFINITION } else { &FOREIGN_TABLE };
        let version = &migration_of(self.services, after).version;
        Finding::error(code, message).help(format!("add `-- migrate: requires {other}:{version}` at the top of the file"))
    }

    /// Findings about the definition of the same object in another service.
    fn competing_definitions(&self, event: &ObjectEvent, at: usize, created: &ObjectDefinition) -> Vec<Finding> {
        let life = &self.walk.lives[at];
        let service = event.step.service;
        if life.defined.iter().all(|step| step.service == service) {
            return Vec::new();
        }
        let events = self.definitions.get(&at).into_iter().flatten().map(|at| &self.walk.events[*at]);
        let Some(other) = events.into_iter().find(|other| other.step.service != service) else { return Vec::new() };
        let EventKind::Change(ObjectChange::Creates(definition)) = &other.kind else { return Vec::new() };
        if created.parameters != definition.parameters {
            return Vec::new();
        }
        // The later one was compared with the object as it was then.
        let compared = if created.compared == Comparison::Unknown { &definition.compared } else { &created.compared };
        let (kind, name) = (life.kind.name(), &event.name);
        let other_file =
            format!("`{}` of service `{}`", migration_of(self.services, other.step).title(), self.name(other.step.service));
        match compared {
            Comparison::Columns(differing) => {
                let columns = if differing.len() == 1 { "column" } else { "columns" };
                let differing = differing.join(", ");
                let message = format!(
                    "{kind} `{name}` is also created in {other_file}, with a different definition of {columns} {differing}"
                );
                vec![self.conflict(event, life, message)]
            }
            Comparison::Different => {
                let message = format!("{kind} `{name}` is also created in {other_file}, with a different definition");
                vec![self.conflict(event, life, message)]
            }
            Comparison::Same | Comparison::Unknown if self.owners.of(at).is_none() && life.kind == OwnedKind::Table => {
                let message = format!("{kind} `{name}` is also created in {other_file}");
                vec![Finding::error(&DISPUTED_TABLE, message).help(format!(
                    "add `owns = [\"{name}\"]` to the `migrate.toml` of the owner, and remove the other definition"
                ))]
            }
            Comparison::Same | Comparison::Unknown => Vec::new(),
        }
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
