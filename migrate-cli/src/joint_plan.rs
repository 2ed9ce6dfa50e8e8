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
use migrate_model::migration::Migration;
use migrate_model::plan::{self, Dependent, OtherHistories};
use migrate_model::plan_order::{self, BeforeWait, PlanPart};
use migrate_model::requirements::{KnownServices, describe_cycle};
use migrate_runtime::{Direction, MigrationKey, MigrationSet, Plan, Record, StatusReport, Step, Target, Version};
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
pub fn assume_elsewhere(services: &[Service], statuses: &mut [StatusReport], elsewhere: &[AppliedThere]) {
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
    let mut elsewhere = AppliedThere::of(services, statuses);
    let unmet = statuses.iter().flat_map(StatusReport::unmet_requirements);
    let names: BTreeSet<String> = unmet.filter_map(|requirement| requirement.service.clone()).collect();
    let mut others = Others::default();
    for name in names.iter().filter(|name| services.iter().all(|service| service.name != **name)) {
        others.find(name, context).await?;
    }
    elsewhere.extend(AppliedThere::of(&others.services, &others.statuses));
    assume_elsewhere(services, statuses, &elsewhere);
    Ok(elsewhere)
}

/// Services that are not selected, and are read when it matters what they have applied.
#[derive(Debug, Default)]
struct Others {
    services: Vec<Service>,
    statuses: Vec<StatusReport>,
    /// The names of those that are not known.
    unknown: BTreeSet<String>,
}

impl Others {
    /// The position of a service; `None` if it is not known.
    async fn find(&mut self, name: &str, context: &Context<'_>) -> Result<Option<usize>, CommandError> {
        if let Some(at) = self.services.iter().position(|service| service.name == name) {
            return Ok(Some(at));
        }
        if self.unknown.contains(name) {
            return Ok(None);
        }
        let Some(service) = context.source.service(name)? else {
            self.unknown.insert(name.to_owned());
            return Ok(None);
        };
        let status = status_of(&service, Needs::of(Direction::Up), &context.output.quiet()).await;
        self.statuses.push(status.map_err(|error| error.of(&service))?);
        self.services.push(service);
        Ok(Some(self.services.len() - 1))
    }

    /// The plan of a service up to a version.
    fn plan_to(&self, at: usize, version: &Version) -> Result<Plan<'_>, CommandError> {
        Ok(self.statuses[at].plan(&Target::UpTo(version.clone()))?)
    }
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

    /// The targets as versions: of a number of migrations, some may be applied before the next plan.
    pub fn fixed_targets(&self, targets: &[Target]) -> Vec<Target> {
        let fixed = |(plan, target): (&Plan<'_>, &Target)| match (target, plan.steps.last()) {
            (Target::Up(_), Some(last)) => last.key.version().map_or_else(|| target.clone(), |last| Target::UpTo(last.clone())),
            _ => target.clone(),
        };
        self.plans.iter().zip(targets).map(fixed).collect()
    }

    /// What can run before the services of other processes have applied what migrations of these require.
    ///
    /// # Errors
    /// If migrations require each other.
    pub fn before_wait(&self, services: &[Service], targets: &[Target]) -> Result<BeforeWait, CommandError> {
        let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
        let before_wait = plan_order::before_wait(&names, &self.plans, targets);
        before_wait.map_err(|cycle| CommandError::Findings(vec![describe_cycle(&cycle)]))
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
        self.parts.iter().map(Run::of_part).collect()
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
    let (mut open, mut errors) = (Vec::new(), Vec::new());
    for (service, status) in services.iter().zip(&*statuses) {
        match status.plan(target) {
            Ok(plan) => open.extend(missing_in(&service.name, &plan)),
            Err(error) => errors.push(CommandError::from(error).of(service)),
        }
    }
    CommandError::all(errors)?;
    let mut others = Others::default();
    let mut needed: BTreeMap<usize, (Requirement, String)> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    while let Some((by, requirement)) = open.pop() {
        let Some(name) = requirement.service.clone().filter(|name| services.iter().all(|service| service.name != *name)) else {
            continue;
        };
        let Some(at) = others.find(&name, context).await? else { continue };
        let key = MigrationKey::from(&requirement.version);
        let is_applied = others.statuses[at].history().applied().any(|record| record.key == key);
        let is_known = others.services[at].set.get(&requirement.version).is_some();
        if is_applied || !is_known || !seen.insert((at, key)) {
            continue;
        }
        open.extend(missing_in(&name, &others.plan_to(at, &requirement.version)?));
        let is_further = needed.get(&at).is_none_or(|(known, _)| known.version < requirement.version);
        if is_further {
            needed.insert(at, (requirement, by));
        }
    }
    let elsewhere = AppliedThere::of(&others.services, &others.statuses);
    assume_elsewhere(services, statuses, &elsewhere);
    for (at, (other, status)) in others.services.into_iter().zip(others.statuses).enumerate() {
        if let Some((requirement, by)) = needed.remove(&at) {
            context.output.status("Including", &format!("`{}` up to {}, which {by} requires", other.name, requirement.version));
            targets.push(Target::UpTo(requirement.version));
            services.push(other);
            statuses.push(status);
        }
    }
    refuse_unresolved(services, statuses, &targets, context)?;
    let several = services.len() > 1;
    services.iter_mut().for_each(|service| service.show_name |= several);
    Ok((targets, elsewhere))
}

/// What the steps of a plan require of other services that have not applied it, and which step does.
fn missing_in(service: &str, plan: &Plan<'_>) -> Vec<(String, Requirement)> {
    let missing = plan.missing.iter().filter_map(|missing| {
        let step = plan.steps.get(missing.step)?;
        Some((format!("`{}` of `{service}`", step.title), missing.requirement.clone()))
    });
    missing.collect()
}

/// Rejects a run that would wait for what no service will ever apply.
fn refuse_unresolved(
    services: &[Service],
    statuses: &[StatusReport],
    targets: &[Target],
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let mut findings = Vec::new();
    let sets: Vec<(&str, &MigrationSet)> = services.iter().map(|service| (service.name.as_str(), &*service.set)).collect();
    let selected = KnownServices { services: &sets, unread: &[] };
    for ((service, status), target) in services.iter().zip(statuses).zip(targets) {
        let plan = status.plan(target)?;
        let references = plan.missing.iter().filter_map(|missing| {
            let migration = plan.steps.get(missing.step)?.migration?;
            Some((migration, &missing.requirement))
        });
        let is_selected = |(_, requirement): &(&Migration, &Requirement)| {
            services.iter().any(|other| Some(&other.name) == requirement.service.as_ref())
        };
        let (here, elsewhere): (Vec<_>, Vec<_>) = references.partition(is_selected);
        let mut problems: Vec<Option<Finding>> =
            here.into_iter().map(|(migration, requirement)| selected.problem(migration, requirement)).collect();
        if !elsewhere.is_empty() {
            problems.extend(context.source.unresolved(&elsewhere)?);
        }
        let errors = problems.into_iter().flatten().filter(Finding::is_error);
        findings.extend(errors.map(|finding| service.located(finding)));
    }
    if findings.is_empty() { Ok(()) } else { Err(CommandError::Findings(findings)) }
}

/// The applied migrations of services in other databases that require what a revert of these services would revert. Their own
/// databases show the others.
///
/// # Errors
/// If such a database cannot be reached, or the files of its service contain errors.
pub async fn dependents_elsewhere(
    services: &[Service],
    statuses: &[StatusReport],
    targets: &[Target],
    context: &Context<'_>,
) -> Result<Vec<Vec<Dependent>>, CommandError> {
    let mut reverted: Vec<Vec<MigrationKey>> = Vec::new();
    for (status, target) in statuses.iter().zip(targets) {
        let plan = status.plan(target)?;
        reverted.push(plan.steps.iter().filter(|step| step.direction == Direction::Down).map(|step| step.key.clone()).collect());
    }
    let all: Vec<(String, MigrationKey)> = services
        .iter()
        .zip(&reverted)
        .flat_map(|(service, keys)| keys.iter().map(|key| (service.name.clone(), key.clone())))
        .collect();
    let help = "to revert without looking at this service: `--force`";
    let others = if all.is_empty() { Vec::new() } else { context.source.dependent_services(&all)? };
    let mut dependents: Vec<Vec<Dependent>> = vec![Vec::new(); services.len()];
    for other in others {
        let place = other.history_place();
        let apart: Vec<usize> = (0..services.len()).filter(|at| services[*at].history_place() != place).collect();
        if apart.is_empty() {
            continue;
        }
        let status = status_of(&other, Needs::of(Direction::Up), &context.output.quiet()).await;
        let status = status.map_err(|error| error.of(&other).note(help))?;
        for at in apart {
            dependents[at].extend(applied_dependents(&other, &status));
        }
    }
    Ok(dependents)
}

/// Tells the plans of reverts what is applied in other databases, also by services that are selected.
pub fn add_dependents(services: &[Service], statuses: &mut [StatusReport], dependents: &[Vec<Dependent>]) {
    let selected: Vec<Vec<Dependent>> =
        services.iter().zip(&*statuses).map(|(service, status)| applied_dependents(service, status)).collect();
    for (at, status) in statuses.iter_mut().enumerate() {
        let place = services[at].history_place();
        let apart = services.iter().zip(&selected).filter(|(service, _)| service.history_place() != place);
        status.add_dependents(apart.flat_map(|(_, dependents)| dependents.iter().cloned()));
        status.add_dependents(dependents.get(at).into_iter().flatten().cloned());
    }
}

/// The applied migrations of a service that require others.
fn applied_dependents(service: &Service, status: &StatusReport) -> Vec<Dependent> {
    let dependent = |record: &Record| {
        let migration = service.set.get(record.key.version()?)?;
        let requires = migration.up.directives.requires.clone();
        Some(Dependent { service: service.name.clone(), key: record.key.clone(), requires })
    };
    status.history().records().iter().filter_map(dependent).filter(|dependent| !dependent.requires.is_empty()).collect()
}
