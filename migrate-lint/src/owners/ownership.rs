//! Who owns each object, as the events of a walk decide it.

use super::ServiceHistory;
use super::object_changes::ObjectChange;
use super::walk::{EventKind, Life, ObjectEvent, Walk};

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
        let claimant = |life: &Life| (0..services.len()).find(|service| claims(walk, *service, life));
        let first = walk.lives.iter().map(|life| claimant(life).or_else(|| life.defined.first().map(|step| step.service)));
        let first: Vec<Option<usize>> = first.collect();
        let mut owners = Owners { now: first.clone() };
        let mut disputed = vec![false; walk.lives.len()];
        for event in &walk.events {
            if let (Some(life), EventKind::Change(ObjectChange::Creates(_))) = (event.life, &event.kind) {
                disputed[life] |= owners.now[life] != Some(event.step.service) && claimant(&walk.lives[life]).is_none();
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

/// Does a service list this object in `owns`? Of several objects that have one name after another, it means those that it creates.
fn claims(walk: &Walk, service: usize, life: &Life) -> bool {
    let names = |life: &Life| walk.claims[service].iter().any(|claim| life.names.contains(claim));
    let creates = |life: &Life| life.defined.iter().any(|step| step.service == service);
    names(life) && (creates(life) || !walk.lives.iter().any(|other| names(other) && creates(other)))
}
