//! The order of the migrations of several services: one order for all pairs of service and version, in which each migration comes
//! after the earlier ones of its service and after those that it requires. Pure: a function of versions and requirements.

use crate::directives::Requirement;
use crate::key::MigrationKey;
use std::fmt;

/// The migrations of one service that have to be ordered.
#[derive(Debug, Clone)]
pub struct ServiceMigrations<'a> {
    /// The name of the service.
    pub service: &'a str,
    /// In the order in which they are applied.
    pub migrations: Vec<OrderedMigration<'a>>,
}

/// A migration and what it requires.
#[derive(Debug, Clone)]
pub struct OrderedMigration<'a> {
    /// Its version.
    pub key: MigrationKey,
    /// What must be applied before it.
    pub requires: &'a [Requirement],
}

/// Successive migrations of one service, between those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// The position of the service in the list that was ordered.
    pub service: usize,
    /// How many of its migrations are done after this leg.
    pub done: usize,
}

/// Migrations that require each other, so that none of them can be the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// Each requires the next or comes after it in its service; the last is followed by the first.
    pub chain: Vec<Link>,
}

/// A migration of a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its service.
    pub service: String,
    /// Its version.
    pub key: MigrationKey,
    /// Why the next one of the cycle must be applied before it.
    pub needs: Need,
}

/// Why a migration comes after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It requires it.
    Requires,
    /// It is a later one of the same service.
    Follows,
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for link in &self.chain {
            let needs = match link.needs {
                Need::Requires => "requires",
                Need::Follows => "comes after",
            };
            write!(f, "{}:{} {needs} ", link.service, link.key)?;
        }
        match self.chain.first() {
            Some(first) => write!(f, "{}:{}", first.service, first.key),
            None => Ok(()),
        }
    }
}

/// Orders the migrations of services. A service continues for as long as it can, so that there are few legs, and services that do not
/// depend on each other keep their order. A requirement that is not among the migrations has no effect on the order. Each service
/// has at least one leg.
///
/// # Errors
/// If migrations require each other.
pub fn order(services: &[ServiceMigrations<'_>]) -> Result<Vec<Leg>, Cycle> {
    let mut done = vec![0; services.len()];
    let mut legs: Vec<Leg> = Vec::new();
    let mut is_open = vec![true; services.len()];
    while is_open.contains(&true) {
        let mut is_stuck = true;
        for at in 0..services.len() {
            // One service after the other, from the first again after each: what another has made possible comes next.
            if !is_open[at] {
                continue;
            }
            let before = done[at];
            while done[at] < services[at].migrations.len() && blocker(services, &done, at).is_none() {
                done[at] += 1;
            }
            let is_last = done[at] == services[at].migrations.len();
            if is_last || done[at] > before {
                legs.push(Leg { service: at, done: done[at] });
                is_open[at] = !is_last;
                is_stuck = false;
            }
        }
        if is_stuck {
            return Err(cycle(services, &done, &is_open));
        }
    }
    Ok(legs)
}

/// What the next migration of a service requires and is not done: the position of its service and of the migration in it.
fn blocker(services: &[ServiceMigrations<'_>], done: &[usize], at: usize) -> Option<(usize, usize)> {
    let next = services[at].migrations.get(done[at])?;
    next.requires.iter().find_map(|requirement| {
        let name = requirement.service.as_deref().unwrap_or(services[at].service);
        let other = services.iter().position(|service| service.service == name)?;
        let key = MigrationKey::from(&requirement.version);
        let position = services[other].migrations.iter().position(|migration| migration.key == key)?;
        (position >= done[other]).then_some((other, position))
    })
}

/// The cycle that stops the open services: from one of them, along what each requires, until a migration comes again.
fn cycle(services: &[ServiceMigrations<'_>], done: &[usize], is_open: &[bool]) -> Cycle {
    // One is open, and each that is open has a blocker: otherwise the order would be complete.
    let mut at = is_open.iter().position(|open| *open).unwrap_or_default();
    let mut path: Vec<(usize, usize)> = Vec::new();
    while !path.iter().any(|(service, _)| *service == at) {
        let Some((other, required)) = blocker(services, done, at) else { break };
        path.push((at, required));
        at = other;
    }
    let from = path.iter().position(|(service, _)| *service == at).unwrap_or_default();
    let key = |service: usize, position: usize| services[service].migrations[position].key.clone();
    let mut chain = Vec::new();
    for (index, (service, required)) in path.iter().enumerate().skip(from) {
        let name = services[*service].service.to_owned();
        chain.push(Link { service: name, key: key(*service, done[*service]), needs: Need::Requires });
        let next = path.get(index + 1).or(path.get(from)).map_or(*service, |(next, _)| *next);
        if *required > done[next] {
            chain.push(Link { service: services[next].service.to_owned(), key: key(next, *required), needs: Need::Follows });
        }
    }
    Cycle { chain }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Pairs = Vec<(String, Vec<(String, Vec<Requirement>)>)>;

    /// `a: 1, 2 b:1 c:2; b: 1 a:2`: services with their versions, and what these require.
    fn pairs(text: &str) -> Pairs {
        let service = |part: &str| {
            let (name, rest) = part.split_once(':').unwrap();
            let migration = |text: &str| {
                let mut words = text.split_whitespace();
                let version = words.next().unwrap().to_owned();
                let required = words.map(|word| {
                    let (service, version) = word.split_once(':').unwrap();
                    Requirement::new(Some(service.to_owned()), version.parse().unwrap())
                });
                (version, required.collect())
            };
            (name.trim().to_owned(), rest.split(',').map(migration).collect())
        };
        text.split(';').map(service).collect()
    }

    fn services(pairs: &Pairs) -> Vec<ServiceMigrations<'_>> {
        pairs
            .iter()
            .map(|(service, migrations)| ServiceMigrations {
                service,
                migrations: migrations
                    .iter()
                    .map(|(version, requires)| OrderedMigration { key: version.parse().unwrap(), requires })
                    .collect(),
            })
            .collect()
    }

    /// `a1 a2 b1`, or the cycle.
    fn ordered(text: &str) -> String {
        let pairs = pairs(text);
        let services = services(&pairs);
        let legs = match order(&services) {
            Ok(legs) => legs,
            Err(cycle) => return format!("cycle: {cycle}"),
        };
        let mut done = vec![0; services.len()];
        let mut words = Vec::new();
        for leg in legs {
            let one = &services[leg.service];
            words.extend(one.migrations[done[leg.service]..leg.done].iter().map(|next| format!("{}{}", one.service, next.key)));
            done[leg.service] = leg.done;
        }
        words.join(" ")
    }

    #[test]
    fn services_keep_their_order_where_nothing_is_required() {
        assert_eq!(ordered("a: 1, 2; b: 1; c: 1"), "a1 a2 b1 c1");
        assert_eq!(ordered("a: 1 b:1, 2; b: 1, 2"), "b1 b2 a1 a2");
        assert_eq!(ordered("a: 1 x:7; b: 1 a:9"), "a1 b1");
    }

    #[test]
    fn both_directions() {
        assert_eq!(ordered("api: 1, 2 billing:2; billing: 1 api:1, 2"), "api1 billing1 billing2 api2");
        assert_eq!(ordered("a: 1, 2 b:1, 3 b:2; b: 1 a:1, 2 a:2"), "a1 b1 a2 b2 a3");
    }

    #[test]
    fn cycles_have_a_chain() {
        assert_eq!(ordered("a: 1 b:1; b: 1 a:1"), "cycle: a:1 requires b:1 requires a:1");
        assert_eq!(ordered("a: 1, 2 a:2"), "cycle: a:2 requires a:2");
        assert_eq!(ordered("a: 1 a:2, 2"), "cycle: a:1 requires a:2 comes after a:1");
        assert_eq!(
            ordered("x: 1 a:1; a: 1 b:2, 2; b: 1 c:1, 2; c: 1 a:2"),
            "cycle: a:1 requires b:2 comes after b:1 requires c:1 requires a:2 comes after a:1"
        );
    }

    proptest! {
        /// Any graph without a cycle is ordered, whatever is applied already; and a cycle is one.
        #[test]
        fn every_migration_once_and_after_what_it_requires(
            sizes in proptest::collection::vec(0usize..6, 1..6),
            required in proptest::collection::vec((0usize..6, 0usize..6, 0usize..6, 0usize..6), 0..14),
            applied in proptest::collection::vec(0usize..6, 6),
        ) {
            let mut pairs: Pairs = sizes
                .iter()
                .enumerate()
                .map(|(at, size)| (format!("s{at}"), (0..*size).map(|version| ((version + 1).to_string(), Vec::new())).collect()))
                .collect();
            for (service, version, other, number) in required {
                if service < sizes.len() && version < sizes[service] && other < sizes.len() && number < sizes[other] {
                    let requirement = Requirement::new(Some(format!("s{other}")), (number + 1).to_string().parse().unwrap());
                    pairs[service].1[version].1.push(requirement);
                }
            }
            let all = services(&pairs);
            match order(&all) {
                Err(Cycle { chain }) => {
                    prop_assert!(!chain.is_empty());
                    for (at, link) in chain.iter().enumerate() {
                        let next = &chain[(at + 1) % chain.len()];
                        let service = all.iter().find(|service| service.service == link.service).unwrap();
                        let position = |key: &MigrationKey| service.migrations.iter().position(|one| one.key == *key).unwrap();
                        let own = position(&link.key);
                        match link.needs {
                            Need::Requires => {
                                let is_next = |required: &Requirement| {
                                    required.service.as_deref() == Some(&next.service) && next.key == required.version
                                };
                                prop_assert!(service.migrations[own].requires.iter().any(is_next));
                            }

                            Need::Follows => prop_assert!(next.service == link.service && position(&next.key) < own),
                        }
                    }
                }
                Ok(legs) => {
                    let mut done = vec![0; all.len()];
                    for leg in legs {
                        for at in done[leg.service]..leg.done {
                            done[leg.service] = at;
                            prop_assert_eq!(blocker(&all, &done, leg.service), None);
                        }
                        done[leg.service] = leg.done;
                    }
                    prop_assert!(all.iter().zip(&done).all(|(service, done)| service.migrations.len() == *done));
                    // From any state that a part of the order has left.
                    let rest: Vec<ServiceMigrations<'_>> = all
                        .iter()
                        .zip(&applied)
                        .map(|(service, from)| ServiceMigrations {
                            service: service.service,
                            migrations: service.migrations.iter().skip(*from).cloned().collect(),
                        })
                        .collect();
                    prop_assert!(order(&rest).is_ok());
                }
            }
        }
    }
}
