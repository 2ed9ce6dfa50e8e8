//! `graph`: shows the order of the migrations of several services, and what they require.

use crate::command::Context;
use crate::known_services;
use crate::loaded_project;
use crate::packages;
use clap::Args;
use migrate_cli::output::Cell;
use migrate_cli::{CommandError, Exit};
use migrate_model::directives::Requirement;
use migrate_model::requirements::{self, describe_cycle};
use migrate_model::service_graph::{self, ServiceMigrations};
use migrate_runtime::MigrationSet;
use serde_json::json;
use std::collections::BTreeSet;

/// Show in which order the migrations of the selected services run on an empty database, and what they require of each other
#[derive(Debug, Args)]
pub struct Arguments {
    /// Print a Mermaid diagram of the migrations that require others or are required
    #[arg(long)]
    mermaid: bool,
}

/// A migration in the order of execution.
struct OrderedRow<'a> {
    service: &'a str,
    version: String,
    /// The position of the one before it in its service.
    previous: Option<usize>,
    requires: &'a [Requirement],
}

impl OrderedRow<'_> {
    fn name(&self) -> String {
        format!("{}:{}", self.service, self.version)
    }

    /// What it requires, with the service.
    fn required(&self) -> Vec<String> {
        let name = |requirement: &Requirement| {
            let service = requirement.service.as_deref().unwrap_or(self.service);
            format!("{service}:{}", requirement.version)
        };
        self.requires.iter().map(name).collect()
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut sets: Vec<(String, MigrationSet)> = Vec::new();
    for project in packages::projects(context)? {
        let dialect = loaded_project::dialect_without_database(context, &project)?;
        sets.push((project.service.clone(), project.read(dialect).set));
    }
    let sets = known_services::with_required(context, sets)?;
    let services: Vec<ServiceMigrations<'_>> = sets.iter().map(|(name, set)| requirements::migrations(name, set)).collect();
    let legs = service_graph::order(&services).map_err(|cycle| CommandError::Findings(vec![describe_cycle(&cycle)]))?;
    let mut nodes: Vec<OrderedRow<'_>> = Vec::new();
    let mut last: Vec<Option<usize>> = vec![None; services.len()];
    let mut done = vec![0; services.len()];
    for leg in legs {
        let service = &services[leg.service];
        for migration in &service.migrations[done[leg.service]..leg.done] {
            let previous = last[leg.service].replace(nodes.len());
            let version = migration.key.as_str().to_owned();
            nodes.push(OrderedRow { service: service.service, version, previous, requires: migration.requires });
        }
        done[leg.service] = leg.done;
    }
    if context.output.is_json() {
        let node =
            |node: &OrderedRow<'_>| json!({ "service": node.service, "version": node.version, "requires": node.required() });
        context.output.json(&json!({ "migrations": nodes.iter().map(node).collect::<Vec<_>>() }));
    } else if arguments.mermaid {
        context.output.data(mermaid(&nodes).join("\n"));
    } else {
        let row = |(at, node): (usize, &OrderedRow<'_>)| {
            vec![Cell::plain((at + 1).to_string()), Cell::plain(node.name()), Cell::plain(node.required().join(", "))]
        };
        context.output.table(&["step", "migration", "requires"], nodes.iter().enumerate().map(row).collect());
    }
    Ok(Exit::Done)
}

/// The diagram: an arrow leads from a migration to those that come after it. Of each service, only the migrations that require others
/// or are required.
fn mermaid(nodes: &[OrderedRow<'_>]) -> Vec<String> {
    let required: BTreeSet<String> = nodes.iter().flat_map(OrderedRow::required).collect();
    let is_shown = |node: &OrderedRow<'_>| !node.requires.is_empty() || required.contains(&node.name());
    let visible: Vec<usize> = (0..nodes.len()).filter(|at| is_shown(&nodes[*at])).collect();
    let position = |name: &str| visible.iter().copied().find(|at| nodes[*at].name() == name);
    let mut lines = vec!["graph TD".to_owned()];
    let label = |text: &str| -> String {
        text.chars()
            .map(|letter| if letter == '"' || letter == '#' { format!("#{};", u32::from(letter)) } else { letter.to_string() })
            .collect()
    };
    lines.extend(visible.iter().map(|at| format!("    m{at}[\"{}\"]", label(&nodes[*at].name()))));
    for at in &visible {
        // The nearest earlier one of the service that is shown.
        let mut previous = nodes[*at].previous;
        while previous.is_some_and(|at| !is_shown(&nodes[at])) {
            previous = previous.and_then(|at| nodes[at].previous);
        }
        lines.extend(previous.map(|before| format!("    m{before} --> m{at}")));
        lines.extend(
            nodes[*at].required().iter().filter_map(|name| position(name)).map(|before| format!("    m{before} ==> m{at}")),
        );
    }
    lines
}
