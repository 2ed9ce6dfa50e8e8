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

/// How many steps of each plan can run before another process has applied something. What waits for another process keeps those
/// back that require it. There is one name for each plan, and each plan is clear, or waits.
pub fn steps_before_wait(names: &[&str], plans: &[Plan<'_>]) -> Vec<usize> {
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
