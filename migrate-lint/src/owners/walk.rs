//! One walk over the migrations of all services, in the order in which they run on an empty database.
//!
//! A name can have several lives: a table is dropped, and another service creates a table of that name. Each life has its own
//! owner.

use super::ServiceHistory;
use super::object_changes::{self, ChangedObject, Comparison, CreationForm, ObjectChange, ObjectDefinition, OwnedKind};
use crate::context::ParsedStatement;
use crate::lint::script_parser;
use crate::object_name::ObjectName;
use crate::relation::{ConstraintKind, HistoryPoint, Relation};
use crate::simulation::Simulation;
use migrate_model::dialect::Dialect;
use migrate_model::directives::{self, Ownership};
use migrate_model::files::parallel;
use migrate_model::key::MigrationKey;
use migrate_model::migration::Migration;
use migrate_model::name::Name;
use migrate_model::reader;
use migrate_model::service_graph::{self, OrderedMigration, ServiceMigrations};
use migrate_model::syntax::{Column, Control, Syntax};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// A migration: the positions of its service and of the migration in the history of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderedStep {
    pub service: usize,
    pub migration: usize,
}

/// An object from its creation until it is dropped. A table that a migration rebuilds under another name and renames is the same.
#[derive(Debug)]
pub struct Life {
    pub kind: OwnedKind,
    /// Its names; the last one is the current one.
    pub names: Vec<ObjectName>,
    /// The migrations that create it; none for an object from elsewhere.
    pub defined: Vec<OrderedStep>,
    pub deprecation: Option<Deprecation>,
    /// The reason of the directive `deprecates`.
    pub reason: Option<String>,
    pub dropped: Option<OrderedStep>,
    /// The words of its last definition.
    words: Option<u64>,
    /// The service to which it was handed over, and the migration that did it.
    handed_over: Option<(usize, OrderedStep)>,
    pub purpose: LifePurpose,
}

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifePurpose {
    Lasting,
    /// It takes the place of another one, as in a rebuild of a table.
    Replacement,
}

/// What deprecates an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deprecation {
    /// A directive: it does not end.
    Declared(OrderedStep),
    /// A comment, or triggers that are disabled.
    Marked(OrderedStep),
}

impl Deprecation {
    /// The migration.
    pub fn step(self) -> OrderedStep {
        match self {
            Deprecation::Declared(step) | Deprecation::Marked(step) => step,
        }
    }
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
    /// Nothing says that this comes after what another service does: it drops an object of this name, or hands it over.
    Unordered {
        verb: &'static str,
        after: OrderedStep,
    },
    /// What happened was undone in the same migration: the object was dropped and made again.
    Settled,
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
        let resolve = |name: &String| simulation.schema.resolve(&parse_name(name));
        service.owns.iter().map(resolve).collect()
    });
    let claims: Vec<Vec<ObjectName>> = claims.collect();
    let mut walker = Walker {
        simulation: Simulation::new(dialect),
        current: HashMap::new(),
        ended: HashMap::new(),
        freed: HashMap::new(),
        claimed: claims.iter().flatten().flat_map(|name| [name.clone(), lower_case(name)]).collect(),
        walk: Walk { lives: Vec::new(), events: Vec::new(), claims },
    };
    let numbered: Vec<(usize, OrderedStep)> = steps.into_iter().enumerate().collect();
    let parse =
        |(number, step): &(usize, OrderedStep)| script_parser::parse(&migration_of(services, *step).up, *number, dialect, &mut 0);
    for ((_, step), statements) in numbered.iter().zip(parallel::map(&numbered, parse)) {
        walker.migration(services, *step, &statements);
    }
    walker.assign_later_objects();
    walker.walk
}

/// Does the order of the services put a migration before another one, whatever runs first otherwise?
fn precedes(services: &[ServiceHistory<'_>], earlier: OrderedStep, later: OrderedStep) -> bool {
    // Of each service, how many migrations certainly come before.
    let mut before = vec![0; services.len()];
    let mut open = vec![(later.service, later.migration + 1)];
    while let Some((service, count)) = open.pop() {
        let known = before[service];
        before[service] = count.max(known);
        // Nothing is new if more is known already.
        for migration in services[service].history.get(known..count).unwrap_or_default() {
            for requirement in &migration.up.directives.requires {
                let name = requirement.service.as_deref().unwrap_or(services[service].name);
                let other = services.iter().position(|other| other.name == name);
                let position = other.and_then(|other| {
                    services[other].history.iter().position(|migration| migration.version == requirement.version)
                });
                open.extend(other.zip(position).map(|(other, position)| (other, position + 1)));
            }
        }
    }
    before[earlier.service] > earlier.migration
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

type ObjectKey = (OwnedKind, ObjectName);

/// A name that a migration has freed, and may take again.
struct FreedName {
    life: usize,
    /// The statement that freed it.
    statement: usize,
    /// The name that the object has now; `None` if it was dropped.
    renamed_to: Option<ObjectKey>,
}

struct Walker {
    simulation: Simulation,
    /// The lives that have not ended.
    current: HashMap<ObjectKey, usize>,
    /// The last life of each name that has ended.
    ended: HashMap<ObjectKey, usize>,
    /// The names that the current migration has freed.
    freed: HashMap<ObjectKey, FreedName>,
    claimed: HashSet<ObjectName>,
    walk: Walk,
}

impl Walker {
    fn migration(&mut self, services: &[ServiceHistory<'_>], step: OrderedStep, statements: &[ParsedStatement]) {
        let script = &migration_of(services, step).up;
        let dialect = self.simulation.schema.dialect();
        self.freed.clear();
        self.simulation.schema.forget_journal();
        self.simulation.begin_file(script.text.len());
        begin_session(&mut self.simulation, &services[step.service], dialect);
        let directives = directives::ownerships(&script.text, dialect);
        let first = self.walk.events.len();
        // What a directive names may be dropped in the same file.
        let known: Vec<Vec<Option<usize>>> = directives.iter().map(|(ownership, _)| self.named(ownership)).collect();
        let mut transaction = None;
        for parsed in statements {
            self.simulation.enter_branch(parsed.branch.map(|branch| (parsed.statement, branch)));
            if transaction != Some(parsed.point.transaction) {
                self.simulation.end_transaction();
                transaction = Some(parsed.point.transaction);
            }
            let sql = script.statements[parsed.statement].sql(&script.text);
            self.statement(services, step, parsed, object_changes::of_statement(&self.simulation.schema, &parsed.syntax, sql));
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
        for ((ownership, range), known) in directives.into_iter().zip(known) {
            self.directive(step, ownership, &range, &known);
        }
        self.check_order(services, step, first);
        self.hand_over(services, step, first);
    }

    /// Adds an event for each object that was handed over to this service by a migration that need not come before.
    fn check_order(&mut self, services: &[ServiceHistory<'_>], step: OrderedStep, first: usize) {
        let mut unordered = Vec::new();
        for event in &self.walk.events[first..] {
            let Some(life) = event.life else { continue };
            if let Some((service, after)) = self.walk.lives[life].handed_over
                && service == step.service
                && after.service != step.service
                && !precedes(services, after, step)
            {
                unordered.push((event.source.clone(), life, event.name.clone(), after));
            }
        }
        unordered.dedup_by_key(|(_, life, ..)| *life);
        for (source, life, name, after) in unordered {
            let kind = EventKind::Unordered { verb: "hands over", after };
            self.walk.events.push(ObjectEvent { step, source, life: Some(life), name, kind });
        }
    }

    fn statement(
        &mut self,
        services: &[ServiceHistory<'_>],
        step: OrderedStep,
        parsed: &ParsedStatement,
        changes: Vec<ChangedObject>,
    ) {
        // A statement that drops an object does nothing else to it.
        let dropped: BTreeSet<ObjectKey> = changes
            .iter()
            .filter(|object| matches!(object.change, ObjectChange::Drops))
            .map(|object| (namespace(object.kind), object.name.clone()))
            .collect();
        // A view reads the table that has its name now, not the one that was replaced. A foreign key follows that one.
        let is_replaced = |key: &ObjectKey| {
            self.current.get(key).is_some_and(|life| self.walk.lives[*life].purpose == LifePurpose::Replacement)
        };
        let keeps_views = !self.simulation.schema.can_cascade() && !dropped.is_empty() && dropped.iter().all(is_replaced);
        let source = EventSource::Statement(parsed.statement);
        for mut object in changes {
            let key = (namespace(object.kind), object.name.clone());
            let loses_base = matches!(object.change, ObjectChange::LosesBase(_) | ObjectChange::GoesWithBase(_));
            if loses_base && (dropped.contains(&key) || keeps_views && object.kind == OwnedKind::View) {
                continue;
            }
            let before = self.ended.get(&key).copied().filter(|_| !self.current.contains_key(&key));
            if let ObjectChange::Creates(definition) = &mut object.change {
                self.compare(&key, definition, parsed);
            }
            let life = self.change(step, parsed.statement, object.kind, key, &object.change);
            let is_creation = matches!(object.change, ObjectChange::Creates(_));
            let Changed::Life(life) = life else {
                if life == Changed::Unknown {
                    // A service that comes later may create it.
                    let kind = EventKind::Change(object.change);
                    self.walk.events.push(ObjectEvent { step, source: source.clone(), life: None, name: object.name, kind });
                }
                continue;
            };
            if let Some(after) = before.and_then(|before| self.walk.lives[before].dropped).filter(|_| is_creation)
                && after.service != step.service
                && !precedes(services, after, step)
            {
                let kind = EventKind::Unordered { verb: "drops", after };
                let name = object.name.clone();
                self.walk.events.push(ObjectEvent { step, source: source.clone(), life: Some(life), name, kind });
            }
            let kind = EventKind::Change(object.change);
            self.walk.events.push(ObjectEvent { step, source: source.clone(), life: Some(life), name: object.name, kind });
        }
    }

    /// Compares a definition with the object that exists. The text of a block contains more than the definition.
    fn compare(&self, key: &ObjectKey, definition: &mut ObjectDefinition, parsed: &ParsedStatement) {
        let Some(life) = self.current.get(key) else { return };
        definition.compared = match (key.0, self.simulation.schema.relation(&key.1)) {
            (OwnedKind::Table, Some(relation)) if relation.columns_known && !definition.columns.is_empty() => {
                let differing = differing_columns(&definition.columns, relation);
                if differing.is_empty() { Comparison::Same } else { Comparison::Columns(differing) }
            }
            (OwnedKind::Table, _) => Comparison::Unknown,
            _ if parsed.in_block => Comparison::Unknown,
            _ => match self.walk.lives[*life].words {
                Some(words) if words == definition.words => Comparison::Same,
                Some(_) => Comparison::Different,
                None => Comparison::Unknown,
            },
        };
    }

    /// Records a change in the life of an object.
    fn change(&mut self, step: OrderedStep, statement: usize, kind: OwnedKind, key: ObjectKey, change: &ObjectChange) -> Changed {
        let known = self.current.get(&key).copied();
        let life = match (known, change) {
            (Some(life), ObjectChange::Creates(definition)) => {
                let object = &mut self.walk.lives[life];
                object.words = object.words.filter(|_| definition.form == CreationForm::Create).or(Some(definition.words));
                // Rules report a second definition in the same service.
                if object.defined.iter().any(|other| other.service == step.service) {
                    return Changed::Nothing;
                }
                object.defined.push(step);
                life
            }
            (Some(life), _) => life,
            (None, ObjectChange::Creates(definition)) => {
                if self.take_again(step, &key, None) {
                    return Changed::Nothing;
                }
                let life = self.begin(kind, &key, Some(step));
                self.walk.lives[life].words = Some(definition.words);
                life
            }
            // What was not there has no dependents, and is not restored.
            (None, ObjectChange::LosesBase(_) | ObjectChange::GoesWithBase(_) | ObjectChange::Restores) => {
                return Changed::Nothing;
            }
            (None, ObjectChange::Drops) => return Changed::Unknown,
            (None, _) if self.claimed.contains(&key.1) => self.begin(kind, &key, None),
            (None, _) => return Changed::Unknown,
        };
        let object = &mut self.walk.lives[life];
        match change {
            ObjectChange::Deprecates => drop(object.deprecation.get_or_insert(Deprecation::Marked(step))),
            ObjectChange::Restores => {
                object.deprecation = object.deprecation.filter(|deprecation| matches!(deprecation, Deprecation::Declared(_)));
            }
            ObjectChange::Drops | ObjectChange::GoesWithBase(_) => {
                object.dropped = Some(step);
                self.current.remove(&key);
                self.ended.insert(key.clone(), life);
                self.freed.insert(key, FreedName { life, statement, renamed_to: None });
            }
            ObjectChange::Renames(to) => {
                let new_key = (key.0, to.clone());
                self.current.remove(&key);
                if !self.take_again(step, &new_key, Some(life)) {
                    self.walk.lives[life].names.push(to.clone());
                    self.current.insert(new_key.clone(), life);
                }
                self.freed.insert(key, FreedName { life, statement, renamed_to: Some(new_key) });
            }
            ObjectChange::Creates(_) | ObjectChange::Changes(_) | ObjectChange::LosesBase(_) => {}
        }
        Changed::Life(life)
    }

    /// An object takes a name that its own service has freed in the same migration: it is the object that had the name. `incoming` is
    /// what is renamed; a new object takes only the name of one that was dropped.
    fn take_again(&mut self, step: OrderedStep, key: &ObjectKey, incoming: Option<usize>) -> bool {
        let Some(freed) = self.freed.get(key) else { return false };
        let (life, statement) = (freed.life, freed.statement);
        let object = &self.walk.lives[life];
        let is_own = object.defined.iter().any(|defined| defined.service == step.service)
            || object.handed_over.is_some_and(|(service, _)| service == step.service)
            || self.walk.claims[step.service].iter().any(|claim| object.names.contains(claim));
        let same_kind = incoming.is_none_or(|incoming| self.walk.lives[incoming].kind == object.kind);
        if !is_own || !same_kind || incoming.is_none() && freed.renamed_to.is_some() {
            return false;
        }
        let renamed_to = freed.renamed_to.clone();
        self.freed.remove(key);
        let object = &mut self.walk.lives[life];
        object.dropped = None;
        object.names.push(key.1.clone());
        self.current.insert(key.clone(), life);
        if let Some(incoming) = incoming {
            self.walk.lives[incoming].purpose = LifePurpose::Replacement;
            if let Some(old) = renamed_to {
                self.current.insert(old, incoming);
            }
        }
        self.settle(step, statement, life);
        true
    }

    /// Undoes what the drop of an object has meant. PostgreSQL refuses a drop of what others depend on, so that remains.
    fn settle(&mut self, step: OrderedStep, statement: usize, life: usize) {
        let keeps_dependents = self.simulation.schema.can_cascade();
        let events = self.walk.events.iter_mut().rev().take_while(|event| event.step == step);
        for event in events.filter(|event| matches!(event.source, EventSource::Statement(at) if at == statement)) {
            match &event.kind {
                EventKind::Change(ObjectChange::Drops) if event.life == Some(life) => {
                    event.kind = EventKind::Change(ObjectChange::Changes("rebuilds"));
                }
                EventKind::Change(ObjectChange::LosesBase(_)) if !keeps_dependents => event.kind = EventKind::Settled,
                _ => {}
            }
        }
    }

    fn begin(&mut self, kind: OwnedKind, key: &ObjectKey, defined: Option<OrderedStep>) -> usize {
        let life = self.walk.lives.len();
        self.walk.lives.push(Life {
            kind,
            names: vec![key.1.clone()],
            defined: defined.into_iter().collect(),
            deprecation: None,
            reason: None,
            dropped: None,
            words: None,
            handed_over: None,
            purpose: LifePurpose::Lasting,
        });
        self.current.insert(key.clone(), life);
        life
    }

    /// What was not there when a migration changed it may be what another service creates later in this order: without a
    /// requirement, the services can run in any order.
    fn assign_later_objects(&mut self) {
        let mut named: HashMap<ObjectKey, Vec<usize>> = HashMap::new();
        for (at, life) in self.walk.lives.iter().enumerate() {
            for name in &life.names {
                named.entry((namespace(life.kind), name.clone())).or_default().push(at);
            }
        }
        let lives = &self.walk.lives;
        let kinds = [OwnedKind::Table, OwnedKind::Sequence, OwnedKind::Type, OwnedKind::Routine];
        self.walk.events.retain_mut(|event| {
            if event.life.is_some() || matches!(event.kind, EventKind::Misses) {
                return true;
            }
            let all: Vec<usize> =
                kinds.iter().filter_map(|kind| named.get(&(*kind, event.name.clone()))).flatten().copied().collect();
            let is_own = |life: &usize| lives[*life].defined.iter().any(|step| step.service == event.step.service);
            event.life = all.iter().copied().find(|_| !all.iter().any(is_own));
            event.life.is_some()
        });
    }

    /// The lives that a directive names.
    fn named(&self, ownership: &Ownership) -> Vec<Option<usize>> {
        let (Ownership::Deprecates { names, .. } | Ownership::HandsOver { names, .. }) = ownership;
        names.iter().map(|name| self.find(name)).collect()
    }

    fn find(&self, name: &str) -> Option<usize> {
        let kinds = [OwnedKind::Table, OwnedKind::Sequence, OwnedKind::Type, OwnedKind::Routine];
        // A name without quotes may be written in any case.
        let spellings = [name.to_owned(), name.to_lowercase()];
        spellings.iter().find_map(|name| {
            let resolved = self.simulation.schema.resolve(&parse_name(name));
            kinds.into_iter().find_map(|kind| self.current.get(&(kind, resolved.clone())).copied())
        })
    }

    fn directive(&mut self, step: OrderedStep, ownership: Ownership, range: &Range<usize>, known: &[Option<usize>]) {
        let (names, to, reason) = match ownership {
            Ownership::Deprecates { names, reason } => (names, None, reason),
            Ownership::HandsOver { names, to } => (names, Some(to), None),
        };
        for (name, known) in names.iter().zip(known) {
            let resolved = self.simulation.schema.resolve(&parse_name(name));
            let life = self.find(name).or(*known);
            let kind = match (&to, life) {
                (_, None) => EventKind::Misses,
                (Some(to), _) => EventKind::HandsOver { to: to.clone() },
                (None, Some(life)) => {
                    let object = &mut self.walk.lives[life];
                    object.deprecation = Some(Deprecation::Declared(step));
                    object.reason = object.reason.take().or_else(|| reason.clone());
                    EventKind::Change(ObjectChange::Deprecates)
                }
            };
            let source = EventSource::Directive(range.clone());
            self.walk.events.push(ObjectEvent { step, source, life, name: resolved, kind });
        }
    }

    /// Notes to whom an object was handed over, so that the order can be checked.
    fn hand_over(&mut self, services: &[ServiceHistory<'_>], step: OrderedStep, first: usize) {
        for at in first..self.walk.events.len() {
            let event = &self.walk.events[at];
            if let (Some(life), EventKind::HandsOver { to }) = (event.life, &event.kind) {
                let service = services.iter().position(|service| service.name == to);
                self.walk.lives[life].handed_over = service.map(|service| (service, step));
            }
        }
    }
}

/// A name without quotes may be written in any case.
pub fn lower_case(name: &ObjectName) -> ObjectName {
    ObjectName { schema: name.schema.clone(), name: name.name().to_lowercase().into() }
}

/// What a change was made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    Life(usize),
    /// To something that these services do not have at this point.
    Unknown,
    /// To nothing, or there is nothing to say.
    Nothing,
}

/// Names of the columns that differ in existence, type or `NOT NULL`, in backticks.
fn differing_columns(columns: &[Column], relation: &Relation) -> Vec<String> {
    let key: Vec<String> = match relation.primary_key().map(|key| &key.kind) {
        Some(ConstraintKind::Primary(columns)) => columns.clone(),
        _ => Vec::new(),
    };
    let is_not_null = |name: &str, not_null: bool| not_null || key.iter().any(|column| column.eq_ignore_ascii_case(name));
    let differs = |column: &&Column| {
        relation.column(&column.name).is_none_or(|existing| {
            existing.ty != column.ty || is_not_null(&column.name, existing.not_null) != is_not_null(&column.name, column.not_null)
        })
    };
    let new = columns.iter().filter(differs).map(|column| &column.name);
    let is_missing = |name: &&String| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let old = relation.columns.iter().map(|column| &column.name).filter(is_missing);
    new.chain(old).map(|name| format!("`{name}`")).collect()
}
