//! The plan of a run over several services. What can be known is known before the first of them changes anything: unreachable
//! databases, targets, requirements, and the order in which the migrations of all services run.

use crate::command::Context;
use crate::failure::CommandError;
use crate::output::Output;
use crate::run::{Needs, Run, status_of};
use crate::service::Service;
use migrate_model::directives::Requirement;
use migrate_model::finding::Finding;
use migrate_model::history::History;
use migrate_model::plan::{self, OtherHistories};
use migrate_model::plan_order::{self, PlanPart, requirements};
use migrate_model::requirements::describe_cycle;
use migrate_runtime::{Direction, MigrationKey, Plan, StatusReport, Step, Target};
use std::collections::{BTreeMap, BTreeSet};

/// The plans of several services, and the order in which their steps run.
#[derive(Debug)]
pub struct JointPlan<'s> {
    /// One for each service.
    pub plans: Vec<Plan<'s>>,
    /// In the order of execution. Each service has at least one, also with nothing to do.
    pub parts: Vec<PlanPart>,
    /// Why there is no order.
    pub cycle: Option<Finding>,
}

/// What becomes of a run that requires migrations of services that are not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It waits for them.
    Awaited,
    /// It is not possible.
    Rejected,
}

/// What a service has applied, and where.
#[derive(Debug, Clone)]
pub struct AppliedThere {
    /// The service.
    pub service: String,
    /// Where its history is.
    pub place: String,
    /// What it has applied.
    pub keys: Vec<MigrationKey>,
}

impl AppliedThere {
    /// What services have applied.
    pub fn of(services: &[Service], statuses: &[StatusReport]) -> Vec<Self> {
        let applied = |(service, status): (&Service, &StatusReport)| AppliedThere {
            service: service.name.clone(),
            place: service.history_place(),
            keys: status.history().applied().map(|record| record.key.clone()).collect(),
        };
        services.iter().zip(statuses).map(applied).collect()
    }
}

/// Tells each service what services with histories in other places have applied, which it cannot see itself.
fn assume_elsewhere(services: &[Service], statuses: &mut [StatusReport], elsewhere: &[AppliedThere]) {
    for (service, status) in services.iter().zip(statuses) {
        let place = service.history_place();
        for other in elsewhere.iter().filter(|other| other.place != place) {
            status.assume_applied(&other.service, &other.keys);
        }
    }
}

/// The states of services that know what other services of the workspace have applied, in whichever database.
///
/// # Errors
/// If a database cannot be reached, or the files of a required service contain errors.
pub async fn informed_statuses(services: &[Service], context: &Context<'_>) -> Result<Vec<StatusReport>, CommandError> {
    let needs = Needs::of(Direction::Up);
    let mut statuses = Vec::new();
    for service in services {
        let status = needs.migrator(service).status_for(&service.url, needs.direction).await;
        statuses.push(status.map_err(|error| CommandError::from(error).of(service))?);
    }
    informed_elsewhere(services, &mut statuses, context).await?;
    Ok(statuses)
}

/// Tells services what other services of the workspace have applied, in whichever database, and returns it.
///
/// # Errors
/// As [`informed_statuses`].
pub async fn informed_elsewhere(
    services: &[Service],
    statuses: &mut [StatusReport],
    context: &Context<'_>,
) -> Result<Vec<AppliedThere>, CommandError> {
    let others = context.source.required_services(services)?;
    let mut elsewhere = AppliedThere::of(services, statuses);
    let of_others = self::statuses(&others, Needs::of(Direction::Up), &context.output.quiet()).await?;
    elsewhere.extend(AppliedThere::of(&others, &of_others));
    assume_elsewhere(services, statuses, &elsewhere);
    Ok(elsewhere)
}

/// The states of all services.
///
/// # Errors
/// The errors of all services whose database cannot be reached, whose history cannot be read, or that cannot run.
pub async fn statuses(services: &[Service], needs: Needs, output: &Output) -> Result<Vec<StatusReport>, CommandError> {
    let (mut statuses, mut errors) = (Vec::new(), Vec::new());
    let mut missing = BTreeSet::new();
    for service in services {
        let output = if missing.insert(service.url.place()) { output } else { &output.quiet() };
        match status_of(service, needs, output).await {
            Ok(status) => statuses.push(status),
            Err(error) => errors.push(error.of(service)),
        }
    }
    CommandError::all(errors)?;
    Ok(statuses)
}

/// Tells each service what the others have applied and will apply before its turn. `targets` has one target for each service.
///
/// # Errors
/// If a target is unknown.
pub fn assume_others(services: &[Service], statuses: &mut [StatusReport], targets: &[Target]) -> Result<(), CommandError> {
    let (mut applied, mut reverted): (Vec<Vec<MigrationKey>>, Vec<Vec<MigrationKey>>) = (Vec::new(), Vec::new());
    let mut errors = Vec::new();
    for ((service, status), target) in services.iter().zip(&*statuses).zip(targets) {
        match status.plan(target) {
            Ok(plan) => {
                let (up, down): (Vec<&Step<'_>>, Vec<&Step<'_>>) =
                    plan.steps.iter().partition(|step| step.direction == Direction::Up);
                applied.push(up.into_iter().map(|step| step.key.clone()).collect());
                reverted.push(down.into_iter().map(|step| step.key.clone()).collect());
            }
            Err(error) => errors.push(CommandError::from(error).of(service)),
        }
    }
    CommandError::all(errors)?;
    let elsewhere = AppliedThere::of(services, statuses);
    assume_elsewhere(services, statuses, &elsewhere);
    for (at, status) in statuses.iter_mut().enumerate() {
        for (other, service) in services.iter().enumerate().filter(|(other, _)| *other != at) {
            status.assume_applied(&service.name, &applied[other]);
            status.assume_reverted_elsewhere(&service.name, &reverted[other]);
        }
    }
    Ok(())
}

impl<'s> JointPlan<'s> {
    /// The plans of services that know of each other.
    ///
    /// # Errors
    /// If a target is unknown.
    pub fn of(services: &[Service], statuses: &'s [StatusReport], targets: &[Target]) -> Result<Self, CommandError> {
        let mut plans = Vec::new();
        for (status, target) in statuses.iter().zip(targets) {
            plans.push(status.plan(target)?);
        }
        let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
        let (parts, cycle) = match plan_order::order(&names, &plans, targets) {
            Ok(parts) => (parts, None),
            Err(cycle) => (plan_order::unordered(&plans, targets), Some(describe_cycle(&cycle))),
        };
        Ok(JointPlan { plans, parts, cycle })
    }

    /// Whether a run would apply or revert anything at all, as far as the files and the histories tell.
    ///
    /// # Errors
    /// The divergences of all services that prevent it.
    pub fn require_clear(&self, services: &[Service], statuses: &[StatusReport], missing: Missing) -> Result<(), CommandError> {
        let mut errors = Vec::new();
        let is_known =
            |requirement: &Requirement| services.iter().any(|service| Some(&service.name) == requirement.service.as_ref());
        for ((service, status), plan) in services.iter().zip(statuses).zip(&self.plans) {
            // Another process may apply what is missing, unless these are the files of its service.
            let may_wait = missing == Missing::Awaited
                && plan.steps_before_wait().is_some()
                && !plan.missing.iter().any(|missing| is_known(&missing.requirement));
            if let Some(refusal) = status.refusal() {
                errors.push(CommandError::from(refusal).of(service));
            } else if !plan.is_clear() && !may_wait {
                errors.push(CommandError::HistoryMismatch(plan.errors().cloned().collect()).of(service));
            }
        }
        if errors.is_empty()
            && let Some(cycle) = &self.cycle
        {
            errors.push(CommandError::Findings(vec![cycle.clone()]));
        }
        CommandError::all(errors)
    }

    /// What applies again what a revert with this plan has reverted, in the opposite order.
    pub fn runs_back(&self) -> Vec<Run> {
        let back = |part: &PlanPart| {
            let newest = self.plans[part.service].steps.get(part.steps.clone())?.first()?;
            Some(Run { service: part.service, targets: vec![Target::UpTo(newest.key.version()?.clone())] })
        };
        self.parts.iter().rev().filter_map(back).collect()
    }

    /// What runs, in this order.
    pub fn runs(&self) -> Vec<Run> {
        self.parts.iter().map(|part| Run { service: part.service, targets: vec![part.target.clone()] }).collect()
    }
}

/// Checks that all migrations of these services can be applied to empty databases.
///
/// # Errors
/// What prevents it.
pub fn require_clear_from_empty(services: &[Service]) -> Result<(), CommandError> {
    let empty = History::default();
    let mut others = OtherHistories::default();
    for service in services {
        let keys: Vec<MigrationKey> = service.set.iter().map(|migration| MigrationKey::from(&migration.version)).collect();
        others.assume_applied(&service.name, &keys);
    }
    let mut errors = Vec::new();
    let mut plans = Vec::new();
    for service in services {
        let set = &service.set;
        let planned = plan::plan(set, &empty, &others, &Target::Latest, set.settings().run.policy);
        let planned = planned.map_err(|unknown| CommandError::other(unknown.to_string()))?;
        if !planned.is_clear() {
            let error = CommandError::HistoryMismatch(planned.errors().cloned().collect());
            errors.push(error.of(service).note("state: nothing was dropped"));
        }
        plans.push(planned);
    }
    let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
    if let Err(cycle) = plan_order::order(&names, &plans, &vec![Target::Latest; plans.len()]) {
        errors.push(CommandError::Findings(vec![describe_cycle(&cycle)]));
    }
    CommandError::all(errors)
}

/// Adds the services that the pending migrations of the selected ones require, each up to the version that is required, and says
/// so. Returns the target of each service, and what the others have applied.
///
/// # Errors
/// If their files contain errors, or a database cannot be reached.
pub async fn bring_required(
    services: &mut Vec<Service>,
    statuses: &mut Vec<StatusReport>,
    target: &Target,
    context: &Context<'_>,
) -> Result<(Vec<Target>, Vec<AppliedThere>), CommandError> {
    let mut targets = vec![target.clone(); services.len()];
    let others = context.source.required_services(services)?;
    if others.is_empty() {
        return Ok((targets, Vec::new()));
    }
    let other_statuses = self::statuses(&others, Needs::of(Direction::Up), context.output).await?;
    let elsewhere = AppliedThere::of(&others, &other_statuses);
    assume_elsewhere(services, statuses, &elsewhere);
    let mut open: Vec<(String, Requirement)> = Vec::new();
    for (service, status) in services.iter().zip(&*statuses) {
        open.extend(required_by(&service.name, &status.plan(target)?));
    }
    let mut needed: BTreeMap<usize, (Requirement, String)> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    while let Some((by, requirement)) = open.pop() {
        let Some(at) = others.iter().position(|other| Some(&other.name) == requirement.service.as_ref()) else { continue };
        let key = MigrationKey::from(&requirement.version);
        let is_applied = other_statuses[at].history().applied().any(|record| record.key == key);
        let is_known = others[at].set.get(&requirement.version).is_some();
        if is_applied || !is_known || !seen.insert((at, key)) {
            continue;
        }
        open.extend(required_by(&others[at].name, &other_statuses[at].plan(&Target::UpTo(requirement.version.clone()))?));
        let is_further = needed.get(&at).is_none_or(|(known, _)| known.version < requirement.version);
        if is_further {
            needed.insert(at, (requirement, by));
        }
    }
    for (at, (other, status)) in others.into_iter().zip(other_statuses).enumerate() {
        if let Some((requirement, by)) = needed.remove(&at) {
            context.output.status("Including", &format!("`{}` up to {}, which {by} requires", other.name, requirement.version));
            targets.push(Target::UpTo(requirement.version));
            services.push(other);
            statuses.push(status);
        }
    }
    let several = services.len() > 1;
    services.iter_mut().for_each(|service| service.show_name |= several);
    Ok((targets, elsewhere))
}

/// What the steps of a plan require of other services, and which step does.
fn required_by(service: &str, plan: &Plan<'_>) -> Vec<(String, Requirement)> {
    let of_step = |step: &Step<'_>| {
        let by = format!("`{}` of `{service}`", step.title);
        let others = requirements(step).iter().filter(|requirement| requirement.service.is_some()).cloned();
        others.map(|requirement| (by.clone(), requirement)).collect::<Vec<_>>()
    };
    plan.steps.iter().filter(|step| step.direction == Direction::Up).flat_map(of_step).collect()
}
