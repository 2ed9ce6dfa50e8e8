//! The options of a run: locking, time limits, policy, observer and stop request.

use crate::event::Event;
use crate::stop_signal::StopSignal;
use crate::stored_scripts::StoredScripts;
use migrate_model::lock_settings::LockSettings;
use migrate_model::migration_set::MigrationSet;
use migrate_model::plan::OtherHistories;
use migrate_model::policy::{OutOfOrder, Policy};
use std::sync::Arc;
use std::time::Duration;

type Observer = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// What a revert does with a migration that an applied migration of another service requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dependents {
    /// It is not reverted; the code of the error is `still-required`.
    #[default]
    Protected,
    /// It is reverted all the same.
    Disregarded,
}

/// The options of a run.
#[derive(Clone)]
pub struct RunOptions {
    pub(crate) locking: LockSettings,
    /// How long to wait for the migration lock.
    pub(crate) lock_wait: Duration,
    /// How long a statement waits for a table lock.
    pub(crate) lock_timeout: Option<Duration>,
    /// The time limit of a migration.
    pub(crate) timeout: Duration,
    /// Overrides the policy of the migration set.
    pub(crate) out_of_order: Option<OutOfOrder>,
    pub(crate) observer: Option<Observer>,
    pub(crate) stop: StopSignal,
    /// Which scripts of the history may run.
    pub(crate) stored_scripts: StoredScripts,
    /// What services of other databases have applied.
    pub(crate) elsewhere: OtherHistories,
    /// Whether a migration is reverted that one of another service requires.
    pub(crate) dependents: Dependents,
}

impl RunOptions {
    /// Logs an event, and passes it to the observer.
    pub(crate) fn emit(&self, event: &Event<'_>) {
        match event {
            Event::Waiting { holder } => {
                let holder = holder.map_or("unknown".to_owned(), |holder| holder.to_string());
                tracing::info!(holder, "waiting for the migration lock");
            }
            Event::WaitingFor { title, requirement } => {
                tracing::info!(title, %requirement, "waiting until another service has applied a migration");
            }
            Event::Blocked { title, blockers, tries, pause } => {
                let blockers: Vec<String> = blockers.iter().map(|blocker| blocker.to_string()).collect();
                let (blockers, pause_ms) = (blockers.join("; "), pause.as_millis() as u64);
                tracing::warn!(title, blockers, tries, pause_ms, "timed out waiting for a lock; trying again");
            }
            event => tracing::debug!(?event, "migrating"),
        }
        if let Some(observer) = &self.observer {
            observer(event);
        }
    }

    /// The policy of the set, with the overrides of this run.
    pub(crate) fn policy(&self, set: &MigrationSet) -> Policy {
        let mut policy = set.settings().run.policy;
        policy.out_of_order = self.out_of_order.unwrap_or(policy.out_of_order);
        policy
    }
}
