//! One walk over the migrations of all services, in the order in which they run on an empty database.
//!
//! A name can have several lives: a table is dropped, and another service creates a table of that name. Each life has its own
//! owner.

use super::ServiceHistory;
use super::object_changes::{self, ChangedObject, CreationForm, ObjectChange, OwnedKind};
use crate::context::ParsedStatement;
use crate::lint::script_parser;
use crate::object_name::ObjectName;
use crate::relation::HistoryPoint;
use crate::simulation::Simulation;
use migrate_model::dialect::Dialect;
use migrate_model::directives::{self, Ownership};
use migrate_model::files::parallel;
use migrate_model::key::MigrationKey;
use migrate_model::migration::Migration;
use migrate_model::name::Name;
use migrate_model::reader;
use migrate_model::service_graph::{self, OrderedMigration, ServiceMigrations};
use migrate_model::syntax::{Control, Syntax};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// A migration: the positions of its service and of the migration in the history of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderedStep {
    pub service: usize,
    pub migration: usize,
}

/// An object from its creation until it is dropped.
#[derive(Debug)]
pub struct Life {
    pub kind: OwnedKind,
    /// Its names; the last one is the current one.
    pub names: Vec<ObjectName>,
    /// The migrations that create it.
    pub defined: Vec<OrderedStep>,
    pub deprecated: Option<OrderedStep>,
    /// The reason of the directive `deprecates`.
    pub reason: Option<String>,
    pub dropped: Option<OrderedStep>,
}

impl Life {
    /// The last name; a life begins with one.
    pub fn name(&self) -> &ObjectName {
        &self.names[self.names.len() - 1]
    }
}

/// Where an event has its source.
#[derive(Debug, Clone)]
pub enum EventSource {
    /// A statement of the up migration.
    Statement(usize),
    /// A directive, as a range of bytes of the up migration.
    Directive(Range<usize>),
}

/// What happens in a life.
#[derive(Debug)]
pub enum EventKind {
    Change(ObjectChange),
    HandsOver {
        to: String,
    },
    /// A directive names something that does not exist.
    Misses,
}

/// Something that a migration does.
#[derive(Debug)]
pub struct ObjectEvent {
    pub step: OrderedStep,
    pub source: EventSource,
    /// The position of the life; `None` if nothing has the name.
    pub life: Option<usize>,
    /// The name of the object before the event.
    pub name: ObjectName,
    pub kind: EventKind,
}

/// All lives and events, in the order of execution.
#[derive(Debug)]
pub struct Walk {
    pub lives: Vec<Life>,
    pub events: Vec<ObjectEvent>,
    /// For each service, what it lists in `owns`, resolved in its session.
    pub claims: Vec<Vec<ObjectName>>,
}

/// Tables and views share their names.
fn namespace(kind: OwnedKind) -> OwnedKind {
    if kind == OwnedKind::View { OwnedKind::Table } else { kind }
}

/// Walks over all migrations.
pub fn walk(services: &[ServiceHistory<'_>], dialect: Dialect) -> Walk {
    let steps = order(services);
    let claims = services.iter().map(|service| {
        let simulation = session(service, dialect);
        service.owns.iter().map(|name| simulation.schema.resolve(&parse_name(name))).collect()
    });
    let mut walker = Walker {
        simulation: Simulation::new(dialect),
        current: HashMap::new(),
        walk: Walk { lives: Vec::new(), events: Vec::new(), claims: claims.collect() },
    };
    let numbered: Vec<(usize, OrderedStep)> = steps.into_iter().enumerate().collect();
    let parse =
        |(number, step): &(usize, OrderedStep)| script_parser::parse(&migration_of(services, *step).up, *number, dialect, &mut 0);
    for ((_, step), statements) in numbered.iter().zip(parallel::map(&numbered, parse)) {
        walker.migration(services, *step, &statements);
    }
    walker.walk
}

/// The migration of a step.
pub fn migration_of<'a>(services: &[ServiceHistory<'a>], step: OrderedStep) -> &'a Migration {
    &services[step.service].history[step.migration]
}

/// The order on an empty database. Migrations that require each other have none: then one service follows the other.
fn order(services: &[ServiceHistory<'_>]) -> Vec<OrderedStep> {
    let migrations: Vec<ServiceMigrations<'_>> = services
        .iter()
        .map(|service| {
            let ordered = |migration: &'_ Migration| MigrationKey::from(&migration.version);
            let migrations = service.history.iter();
            let migrations = migrations
                .map(|migration| OrderedMigration { key: ordered(migration), requires: &migration.up.directives.requires });
            ServiceMigrations { service: service.name, migrations: migrations.collect() }
        })
        .collect();
    let all = |service: usize| (0..services[service].history.len()).map(move |migration| OrderedStep { service, migration });
    let Ok(legs) = service_graph::order(&migrations) else { return (0..services.len()).flat_map(all).collect() };
    let mut done = vec![0; services.len()];
    let mut steps = Vec::new();
    for leg in legs {
        steps.extend((done[leg.service]..leg.done).map(|migration| OrderedStep { service: leg.service, migration }));
        done[leg.service] = leg.done;
    }
    steps
}

/// An empty database in the session of a service.
fn session(service: &ServiceHistory<'_>, dialect: Dialect) -> Simulation {
    let mut simulation = Simulation::new(dialect);
    begin_session(&mut simulation, service, dialect);
    simulation
}

fn begin_session(simulation: &mut Simulation, service: &ServiceHistory<'_>, dialect: Dialect) {
    for sql in service.session {
        let syntax = reader::read(sql, dialect);
        if matches!(syntax, Syntax::Set(_)) {
            simulation.apply(&syntax, HistoryPoint { migration: 0, transaction: 0 });
        }
    }
}

fn parse_name(text: &str) -> Name {
    match text.split_once('.') {
        Some((schema, name)) => Name { schema: Some(schema.to_owned()), name: name.to_owned() },
        None => Name::bare(text),
    }
}

struct Walker {
    simulation: Simulation,
    /// The lives that have not ended.
    current: HashMap<(OwnedKind, ObjectName), usize>,
    walk: Walk,
}

impl Walker {
    fn migration(&mut self, services: &[ServiceHistory<'_>], step: OrderedStep, statements: &[ParsedStatement]) {
        let script = &migration_of(services, step).up;
        let dialect = self.simulation.schema.dialect();
        self.simulation.schema.forget_journal();
        self.simulation.begin_file(script.text.len());
        begin_session(&mut self.simulation, &services[step.service], dialect);
        let mut transaction = None;
        for parsed in statements {
            self.simulation.enter_branch(parsed.branch.map(|branch| (parsed.statement, branch)));
            if transaction != Some(parsed.point.transaction) {
                self.simulation.end_transaction();
                transaction = Some(parsed.point.transaction);
            }
            let sql = script.statements[parsed.statement].sql(&script.text);
            self.statement(step, parsed.statement, object_changes::of_statement(&self.simulation.schema, &parsed.syntax, sql));
            if matches!(parsed.syntax, Syntax::Transaction(Control::Commit | Control::Rollback)) {
                self.simulation.end_transaction();
            }
            let is_local =
                |syntax: &Syntax| matches!(syntax, Syntax::Set(settings) if settings.iter().all(|setting| setting.local));
            if parsed.in_transaction || !is_local(&parsed.syntax) {
                self.simulation.apply(&parsed.syntax, parsed.point);
            }
            if self.simulation.schema.effort().is_exhausted() {
                self.simulation.schema.set_opaque();
                break;
            }
        }
        self.simulation.enter_branch(None);
        self.simulation.end_transaction();
        for (ownership, range) in directives::ownerships(&script.text, dialect) {
            self.directive(step, ownership, &range);
        }
    }

    fn statement(&mut self, step: OrderedStep, statement: usize, changes: Vec<ChangedObject>) {
        // A statement that drops an object does nothing else to it.
        let dropped: BTreeSet<(OwnedKind, ObjectName)> = changes
            .iter()
            .filter(|object| matches!(object.change, ObjectChange::Drops))
            .map(|object| (namespace(object.kind), object.name.clone()))
            .collect();
        for object in changes {
            let key = (namespace(object.kind), object.name.clone());
            if matches!(object.change, ObjectChange::LosesBase(_) | ObjectChange::GoesWithBase(_)) && dropped.contains(&key) {
                continue;
            }
            if let Some(life) = self.change(step, object.kind, key, &object.change) {
                let kind = EventKind::Change(object.change);
                let source = EventSource::Statement(statement);
                self.walk.events.push(ObjectEvent { step, source, life: Some(life), name: object.name, kind });
            }
        }
    }

    /// Records a change in the life of an object. `None` if it is not an object of these services.
    fn change(
        &mut self,
        step: OrderedStep,
        kind: OwnedKind,
        key: (OwnedKind, ObjectName),
        change: &ObjectChange,
    ) -> Option<usize> {
        let known = self.current.get(&key).copied();
        let life = match (known, change) {
            (Some(life), ObjectChange::Creates(definition)) => {
                let defined = &mut self.walk.lives[life].defined;
                // Rules report a second definition in the same service.
                if defined.iter().any(|other| other.service == step.service) && definition.form == CreationForm::Create {
                    return None;
                }
                defined.push(step);
                life
            }
            (Some(life), _) => life,
            (None, ObjectChange::Creates(_)) => self.begin(kind, &key, Some(step)),
            // What was not there is not dropped, and has no dependents.
            (None, ObjectChange::Drops | ObjectChange::LosesBase(_) | ObjectChange::GoesWithBase(_) | ObjectChange::Restores) => {
                return None;
            }
            (None, _) if self.walk.claims.iter().flatten().any(|name| *name == key.1) => self.begin(kind, &key, None),
            (None, _) => return None,
        };
        let object = &mut self.walk.lives[life];
        match change {
            ObjectChange::Deprecates => drop(object.deprecated.get_or_insert(step)),
            ObjectChange::Restores => (object.deprecated, object.reason) = (None, None),
            ObjectChange::Drops | ObjectChange::GoesWithBase(_) => {
                object.dropped = Some(step);
                self.current.remove(&key);
            }
            ObjectChange::Renames(to) => {
                object.names.push(to.clone());
                self.current.remove(&key);
                self.current.insert((key.0, to.clone()), life);
            }
            ObjectChange::Creates(_) | ObjectChange::Changes(_) | ObjectChange::LosesBase(_) => {}
        }
        Some(life)
    }

    fn begin(&mut self, kind: OwnedKind, key: &(OwnedKind, ObjectName), defined: Option<OrderedStep>) -> usize {
        let life = self.walk.lives.len();
        self.walk.lives.push(Life {
            kind,
            names: vec![key.1.clone()],
            defined: defined.into_iter().collect(),
            deprecated: None,
            reason: None,
            dropped: None,
        });
        self.current.insert(key.clone(), life);
        life
    }

    fn directive(&mut self, step: OrderedStep, ownership: Ownership, range: &Range<usize>) {
        let (names, to, reason) = match ownership {
            Ownership::Deprecates { names, reason } => (names, None, reason),
            Ownership::HandsOver { names, to } => (names, Some(to), None),
        };
        for name in names {
            let resolved = self.simulation.schema.resolve(&parse_name(&name));
            let kinds = [OwnedKind::Table, OwnedKind::Sequence, OwnedKind::Type, OwnedKind::Routine];
            let life = kinds.into_iter().find_map(|kind| self.current.get(&(kind, resolved.clone())).copied());
            let kind = match (&to, life) {
                (_, None) => EventKind::Misses,
                (Some(to), _) => EventKind::HandsOver { to: to.clone() },
                (None, Some(life)) => {
                    let object = &mut self.walk.lives[life];
                    object.deprecated.get_or_insert(step);
                    object.reason = object.reason.take().or_else(|| reason.clone());
                    EventKind::Change(ObjectChange::Deprecates)
                }
            };
            self.walk.events.push(ObjectEvent {
                step,
                source: EventSource::Directive(range.clone()),
                life,
                name: resolved,
                kind,
            });
        }
    }
}
