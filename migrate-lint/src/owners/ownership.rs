//! Who owns each object, as the events of a walk decide it.

use super::ServiceHistory;
use super::object_changes::ObjectChange;
use super::walk::{EventKind, Life, LifePurpose, ObjectEvent, Walk, lower_case};
use crate::object_name::ObjectName;
use std::collections::HashSet;

/// The owner of each life of a walk, at its beginning or later.
#[derive(Debug)]
pub struct Owners {
    /// The service that owns the object now; `None` if it is disputed.
    now: Vec<Option<usize>>,
}

impl Owners {
    /// The owners at the beginning: the first service that lists the object in `owns`, or else the one that creates it. If several
    /// services create it, and nothing says to whom it belongs, it is disputed.
    pub fn at_first(walk: &Walk, services: &[ServiceHistory<'_>]) -> Self {
        let claims = Claims::of(walk);
        let claimants: Vec<Option<usize>> =
            walk.lives.iter().map(|life| (0..services.len()).find(|service| claims.has(*service, life))).collect();
        let creator = |life: &Life| life.defined.first().map(|step| step.service);
        let first: Vec<Option<usize>> =
            walk.lives.iter().zip(&claimants).map(|(life, claimant)| claimant.or_else(|| creator(life))).collect();
        let mut owners = Owners { now: first.clone() };
        let mut disputed = vec![false; walk.lives.len()];
        for event in &walk.events {
            if let (Some(life), EventKind::Change(ObjectChange::Creates(_))) = (event.life, &event.kind) {
                disputed[life] |= owners.now[life] != Some(event.step.service) && claimants[life].is_none();
            }
            owners.apply(event, services);
        }
        let undisputed = first.into_iter().zip(disputed).map(|(owner, is_disputed)| owner.filter(|_| !is_disputed));
        Owners { now: undisputed.collect() }
    }

    /// The owner of a life.
    pub fn of(&self, life: usize) -> Option<usize> {
        self.now[life]
    }

    /// Only the owner can hand an object over.
    pub fn apply(&mut self, event: &ObjectEvent, services: &[ServiceHistory<'_>]) {
        if let (Some(life), EventKind::HandsOver { to }) = (event.life, &event.kind)
            && self.now[life] == Some(event.step.service)
            && let Some(service) = services.iter().position(|service| service.name == to)
        {
            self.now[life] = Some(service);
        }
    }
}

/// What services list in `owns`. Of several objects that have one name after another, a service means those that it creates.
struct Claims {
    by_service: Vec<HashSet<ObjectName>>,
    /// For each service, the names of the objects that it creates.
    created: Vec<HashSet<ObjectName>>,
}

impl Claims {
    fn of(walk: &Walk) -> Self {
        let mut created = vec![HashSet::new(); walk.claims.len()];
        for life in walk.lives.iter().filter(|life| life.purpose == LifePurpose::Lasting) {
            for step in &life.defined {
                created[step.service].extend(life.names.iter().cloned());
            }
        }
        let spellings = |names: &Vec<ObjectName>| names.iter().flat_map(|name| [name.clone(), lower_case(name)]).collect();
        Claims { by_service: walk.claims.iter().map(spellings).collect(), created }
    }

    fn has(&self, service: usize, life: &Life) -> bool {
        let names = || life.names.iter().filter(|name| self.by_service[service].contains(*name));
        let creates = life.defined.iter().any(|step| step.service == service);
        names().next().is_some() && (creates || !names().any(|name| self.created[service].contains(name)))
    }
}
