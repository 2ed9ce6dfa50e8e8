//! The order in which the plans of several services are carried out: parts of plans, each a run up or down to a version. Pure.

use crate::directives::Requirement;
use crate::key::MigrationKey;
use crate::plan::{Plan, Step};
use crate::service_graph::{self, Cycle, Leg, OrderedMigration, ServiceMigrations};
use crate::target::{Direction, Target};
use std::ops::Range;

/// Successive steps of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanPart {
    /// The position of the service.
    pub service: usize,
    /// The positions of its steps in the plan of the service.
    pub steps: Range<usize>,
    /// What brings the service there.
    pub target: Target,
}

/// What must be applied before a migration.
pub fn requirements<'a>(step: &Step<'a>) -> &'a [Requirement] {
    step.migration.map_or(&[], |migration| &migration.up.directives.requires)
}

/// Divides the plans of services into parts, in an order in which every migration is applied after those that it requires, and
/// reverted before them. Each service has at least one part, also with nothing to do. There is one name, one plan and one target for
/// each service.
///
/// # Errors
/// If migrations require each other.
pub fn order(names: &[&str], plans: &[Plan<'_>], targets: &[Target]) -> Result<Vec<PlanPart>, Cycle> {
    let is_revert = plans.iter().flat_map(|plan| &plan.steps).any(|step| step.direction == Direction::Down);
    let migrations = |plan: &Plan<'_>| {
        let mut migrations: Vec<(MigrationKey, Vec<Requirement>)> =
            plan.steps.iter().map(|step| (step.key.clone(), requirements(step).to_vec())).collect();
        if is_revert {
            migrations.reverse();
        }
        migrations
    };
    let all: Vec<Vec<(MigrationKey, Vec<Requirement>)>> = plans.iter().map(migrations).collect();
    let graph: Vec<ServiceMigrations<'_>> = names
        .iter()
        .zip(&all)
        .map(|(service, migrations)| ServiceMigrations {
            service,
            migrations: migrations.iter().map(|(key, requires)| OrderedMigration { key: key.clone(), requires }).collect(),
        })
        .collect();
    let legs = service_graph::order(&graph)?;
    Ok(if is_revert { down(&legs, plans, targets) } else { up(&legs, plans, targets) })
}

/// What of several plans can run before another process has applied something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeforeWait {
    /// In the order of execution. A service that can run nothing yet has no part.
    pub parts: Vec<PlanPart>,
    /// How many steps of each plan they contain.
    pub counts: Vec<usize>,
}

impl BeforeWait {
    /// Does a plan contain more steps than those that can run?
    pub fn is_cut(&self, at: usize, plans: &[Plan<'_>]) -> bool {
        self.counts[at] < plans[at].steps.len()
    }
}

/// Cuts plans before the steps that wait for another process, and before those that require what is cut off, and orders what is
/// left. There is one name, one plan and one target for each service, and each plan is clear, or waits.
///
/// # Errors
/// If migrations require each other.
pub fn before_wait(names: &[&str], plans: &[Plan<'_>], targets: &[Target]) -> Result<BeforeWait, Cycle> {
    let counts = steps_before_wait(names, plans);
    let is_cut = |at: usize| counts[at] < plans[at].steps.len();
    let first: Vec<Plan<'_>> = plans
        .iter()
        .enumerate()
        .map(|(at, plan)| if is_cut(at) { plan.clone().first_steps(counts[at]) } else { plan.clone() })
        .collect();
    let target = |(at, target): (usize, &Target)| {
        let last = first[at].steps.last().filter(|_| is_cut(at)).and_then(|last| last.key.version());
        last.map_or_else(|| target.clone(), |last| Target::UpTo(last.clone()))
    };
    let targets: Vec<Target> = targets.iter().enumerate().map(target).collect();
    let mut parts = order(names, &first, &targets)?;
    parts.retain(|part| !part.steps.is_empty() || !is_cut(part.service));
    Ok(BeforeWait { parts, counts })
}

fn steps_before_wait(names: &[&str], plans: &[Plan<'_>]) -> Vec<usize> {
    let mut runnable: Vec<usize> = plans.iter().map(|plan| plan.steps_before_wait().unwrap_or(plan.steps.len())).collect();
    loop {
        let waits = |step: &Step<'_>| {
            requirements(step).iter().any(|requirement| {
                let service = names.iter().position(|name| requirement.service.as_deref() == Some(name));
                service.is_some_and(|at| plans[at].steps[runnable[at]..].iter().any(|step| step.key == requirement.version))
            })
        };
        let next: Vec<usize> = plans
            .iter()
            .zip(&runnable)
            .map(|(plan, count)| plan.steps[..*count].iter().position(waits).unwrap_or(*count))
            .collect();
        if next == runnable {
            return runnable;
        }
        runnable = next;
    }
}

/// Whole plans, one after another.
pub fn unordered(plans: &[Plan<'_>], targets: &[Target]) -> Vec<PlanPart> {
    let plans = plans.iter().zip(targets).enumerate();
    plans.map(|(service, (plan, target))| PlanPart { service, steps: 0..plan.steps.len(), target: target.clone() }).collect()
}

/// The target of the only part of a service is that of the service.
fn is_only(legs: &[Leg], leg: &Leg) -> bool {
    legs.iter().filter(|other| other.service == leg.service).count() == 1
}

fn up(legs: &[Leg], plans: &[Plan<'_>], targets: &[Target]) -> Vec<PlanPart> {
    let mut done = vec![0; plans.len()];
    let part = |leg: &Leg| {
        let steps = done[leg.service]..leg.done;
        done[leg.service] = leg.done;
        let last = steps.end.checked_sub(1).and_then(|last| plans[leg.service].steps.get(last));
        let target = last.and_then(|step| step.key.version()).filter(|_| !is_only(legs, leg));
        let target = target.map_or_else(|| targets[leg.service].clone(), |version| Target::UpTo(version.clone()));
        PlanPart { service: leg.service, steps, target }
    };
    legs.iter().map(part).collect()
}

/// The legs count from the oldest migration, and the last one is carried out first.
fn down(legs: &[Leg], plans: &[Plan<'_>], targets: &[Target]) -> Vec<PlanPart> {
    let part = |leg: &Leg| {
        let steps = &plans[leg.service].steps;
        let earlier = legs.iter().filter(|other| other.service == leg.service && other.done < leg.done);
        let from = earlier.map(|other| other.done).max().unwrap_or_default();
        let range = steps.len() - leg.done..steps.len() - from;
        // Everything above the newest migration that stays for now.
        let stays = steps.get(range.end).and_then(|step| step.key.version()).filter(|_| !is_only(legs, leg));
        let target = stays.map_or_else(|| targets[leg.service].clone(), |version| Target::DownTo(version.clone()));
        PlanPart { service: leg.service, steps: range, target }
    };
    legs.iter().rev().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::history::History;
    use crate::migration_set::MigrationSet;
    use crate::plan::{OtherHistories, plan};
    use crate::policy::Policy;
    use proptest::prelude::*;

    /// What each service requires: for each of its migrations, services and positions.
    type Requires = Vec<Vec<Vec<(usize, usize)>>>;

    fn version(at: usize) -> String {
        format!("{:03}", at + 1)
    }

    /// The migrations of a service from one on.
    fn set(requires: &Requires, service: usize, from: usize) -> MigrationSet {
        let mut builder = MigrationSet::builder(format!("s{service}"), Dialect::Sqlite);
        for (at, required) in requires[service].iter().enumerate().skip(from) {
            let header: String =
                required.iter().map(|(other, at)| format!("-- migrate: requires s{other}:{}\n", version(*at))).collect();
            builder = builder.migration(version(at), "x", format!("{header}SELECT 1;"), None);
        }
        builder.build().unwrap()
    }

    /// One round of a process with these services: applies what can run without a wait, in an order in which every migration finds
    /// what it requires. Returns whether that was anything; an error for a cycle.
    fn round(requires: &Requires, group: &[usize], applied: &mut [usize]) -> Result<bool, Cycle> {
        let keys = |service: usize, range: Range<usize>| -> Vec<MigrationKey> {
            let sets = set(requires, service, 0);
            let keys: Vec<MigrationKey> = sets.iter().map(|migration| MigrationKey::from(&migration.version)).collect();
            keys[range].to_vec()
        };
        let sets: Vec<MigrationSet> = group.iter().map(|service| set(requires, *service, applied[*service])).collect();
        let history = History::default();
        let plans: Vec<Plan<'_>> = group
            .iter()
            .zip(&sets)
            .map(|(service, set)| {
                let mut others = OtherHistories::default();
                for other in (0..requires.len()).filter(|other| other != service) {
                    let known = if group.contains(&other) { requires[other].len() } else { applied[other] };
                    others.assume_applied(&format!("s{other}"), &keys(other, 0..known));
                }
                plan(set, &history, &others, &Target::Latest, Policy::default()).unwrap()
            })
            .collect();
        let names: Vec<String> = group.iter().map(|service| format!("s{service}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let before_wait = before_wait(&names, &plans, &vec![Target::Latest; group.len()])?;
        let start = applied.to_vec();
        for part in &before_wait.parts {
            let service = group[part.service];
            for at in part.steps.clone() {
                assert_eq!(applied[service], start[service] + at, "each step once, in its order");
                for (other, number) in &requires[service][applied[service]] {
                    assert!(applied[*other] > *number, "s{service}: step {at} runs before s{other}:{number}");
                }
                applied[service] += 1;
            }
        }
        for (at, service) in group.iter().enumerate() {
            assert_eq!(applied[*service], start[*service] + before_wait.counts[at]);
            assert_eq!(before_wait.is_cut(at, &plans), applied[*service] < requires[*service].len());
        }
        Ok(applied != start)
    }

    proptest! {
        /// Processes that each run several services bring all of them to their ends, however the services are divided, unless
        /// migrations require each other.
        #[test]
        fn processes_do_not_wait_for_each_other(
            sizes in proptest::collection::vec(1usize..4, 2..6),
            groups in proptest::collection::vec(0usize..3, 6),
            required in proptest::collection::vec((0usize..6, 0usize..4, 0usize..6, 0usize..4), 0..10),
        ) {
            let mut requires: Requires = sizes.iter().map(|size| vec![Vec::new(); *size]).collect();
            for (service, at, other, number) in required {
                if service < sizes.len() && at < sizes[service] && other < sizes.len() && other != service && number < sizes[other] {
                    requires[service][at].push((other, number));
                }
            }
            let group = |number: usize| (0..sizes.len()).filter(|service| groups[*service] == number).collect::<Vec<usize>>();
            let groups: Vec<Vec<usize>> = (0..3).map(group).filter(|group| !group.is_empty()).collect();
            let all: Vec<usize> = (0..sizes.len()).collect();
            let is_possible = round(&requires, &all, &mut vec![0; sizes.len()]).is_ok();
            let mut applied = vec![0; sizes.len()];
            let mut goes_on = true;
            while goes_on {
                goes_on = false;
                for group in &groups {
                    goes_on |= round(&requires, group, &mut applied).unwrap_or(false);
                }
            }
            prop_assert_eq!(applied == sizes, is_possible);
        }
    }
}
