//! The services of the workspace, for what migrations require of other services.

use crate::command::Context;
use crate::loaded_project;
use crate::packages;
use migrate_cli::CommandError;
use migrate_model::directives::Requirement;
use migrate_model::files::project::Project;
use migrate_model::finding::Finding;
use migrate_model::migration::Migration;
use migrate_model::requirements::KnownServices;
use migrate_runtime::MigrationSet;

/// The services of the workspace.
#[derive(Debug)]
pub struct KnownWorkspace {
    services: Vec<(Project, MigrationSet)>,
    /// The services whose SQL dialect is not known, so that their migrations are not.
    unread: Vec<String>,
}

/// All services of the workspace, and the selected ones as they are selected. `None` if no service requires one of another, or
/// outside a workspace, where nothing is known of the others.
///
/// # Errors
/// If settings cannot be read.
pub fn of(context: &Context<'_>, selected: &[Project]) -> Result<Option<KnownWorkspace>, CommandError> {
    let mut known = KnownWorkspace { services: Vec::new(), unread: Vec::new() };
    selected.iter().for_each(|project| known.add(context, project));
    if known.services.iter().all(|(_, set)| set.required_services().next().is_none()) {
        return Ok(None);
    }
    let workspace = packages::of_workspace(context)?;
    if workspace.is_empty() {
        return Ok(None);
    }
    let is_selected =
        |project: &Project| selected.iter().any(|known| known.root == project.root && known.service == project.service);
    workspace.iter().filter(|project| !is_selected(project)).for_each(|project| known.add(context, project));
    Ok(Some(known))
}

/// What is wrong with these requirements on other services, for each of them. Nothing is known outside a workspace.
///
/// # Errors
/// If settings cannot be read.
pub fn unresolved(
    context: &Context<'_>,
    references: &[(&Migration, &Requirement)],
) -> Result<Vec<Option<Finding>>, CommandError> {
    let workspace = packages::of_workspace(context)?;
    if workspace.is_empty() {
        return Ok(vec![None; references.len()]);
    }
    let mut known = KnownWorkspace { services: Vec::new(), unread: Vec::new() };
    workspace.iter().for_each(|project| known.add(context, project));
    let sets = known.sets();
    let services = KnownServices { services: &sets, unread: &known.unread };
    Ok(references.iter().map(|(migration, requirement)| services.problem(migration, requirement)).collect())
}

/// Adds the services of the workspace that these services, or each other, require.
///
/// # Errors
/// If settings cannot be read.
pub fn with_required(
    context: &Context<'_>,
    mut sets: Vec<(String, MigrationSet)>,
) -> Result<Vec<(String, MigrationSet)>, CommandError> {
    let mut workspace: Option<Vec<Project>> = None;
    let mut at = 0;
    while at < sets.len() {
        let required = sets[at].1.required_services().filter(|name| sets.iter().all(|(known, _)| known != name));
        let required: Vec<String> = required.map(str::to_owned).collect();
        at += 1;
        for name in required {
            if workspace.is_none() {
                workspace = Some(packages::of_workspace(context)?);
            }
            let project = workspace.iter().flatten().find(|project| project.service == name);
            // One that cannot be read has a row in what the others require, and no rows of its own.
            let dialect = project.and_then(|project| loaded_project::dialect_without_database(context, project).ok());
            if let (Some(project), Some(dialect)) = (project, dialect)
                && sets.iter().all(|(known, _)| *known != name)
            {
                sets.push((name, project.read(dialect).set));
            }
        }
    }
    Ok(sets)
}

impl KnownWorkspace {
    fn add(&mut self, context: &Context<'_>, project: &Project) {
        match loaded_project::dialect_without_database(context, project) {
            Ok(dialect) => self.services.push((project.clone(), project.read(dialect).set)),
            // Reported if the service is selected.
            Err(_) => self.unread.push(project.service.clone()),
        }
    }

    fn sets(&self) -> Vec<(&str, &MigrationSet)> {
        self.services.iter().map(|(project, set)| (project.service.as_str(), set)).collect()
    }

    /// What is wrong with the requirements of a set on other services.
    pub fn problems(&self, set: &MigrationSet) -> Vec<Finding> {
        KnownServices { services: &self.sets(), unread: &self.unread }.problems(set)
    }

    /// Migrations that require each other, and the project whose migration the finding is about.
    pub fn cycle(&self) -> Option<(&Project, Finding)> {
        let (service, finding) = KnownServices { services: &self.sets(), unread: &self.unread }.cycle()?;
        let (project, _) = self.services.iter().find(|(project, _)| project.service == service)?;
        Some((project, finding))
    }
}
