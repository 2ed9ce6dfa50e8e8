//! The services of the workspace, for what migrations require of other services.

use crate::command::Context;
use crate::loaded_project;
use crate::packages;
use migrate_cli::CommandError;
use migrate_model::files::project::Project;
use migrate_model::finding::Finding;
use migrate_model::requirements::KnownServices;
use migrate_runtime::MigrationSet;

/// The services of the workspace, with the migrations of those that can be read.
#[derive(Debug)]
pub struct KnownWorkspace {
    services: Vec<(Project, MigrationSet)>,
}

/// All services of the workspace, and the selected ones as they are selected. `None` if no service requires one of another, or
/// outside a workspace, where nothing is known of the others.
///
/// # Errors
/// If settings cannot be read.
pub fn of(context: &Context<'_>, selected: &[Project]) -> Result<Option<KnownWorkspace>, CommandError> {
    let read = |project: &Project| {
        let dialect = loaded_project::dialect_without_database(context, project).ok()?;
        Some((project.clone(), project.read(dialect).set))
    };
    let mut services: Vec<(Project, MigrationSet)> = selected.iter().filter_map(read).collect();
    let requires_another = |(project, set): &(Project, MigrationSet)| {
        let mut requirements = set.iter().flat_map(|migration| &migration.up.directives.requires);
        requirements.any(|requirement| requirement.service.as_ref().is_some_and(|service| *service != project.service))
    };
    if !services.iter().any(requires_another) {
        return Ok(None);
    }
    let workspace = packages::of_workspace(context)?;
    if workspace.is_empty() {
        return Ok(None);
    }
    let others = workspace
        .iter()
        .filter(|project| selected.iter().all(|known| known.root != project.root || known.service != project.service));
    let others: Vec<(Project, MigrationSet)> = others.filter_map(read).collect();
    services.extend(others);
    Ok(Some(KnownWorkspace { services }))
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
        let required: Vec<String> =
            requirements_of(&sets[at].1).filter(|name| sets.iter().all(|(known, _)| known != name)).collect();
        at += 1;
        for name in required {
            if workspace.is_none() {
                workspace = Some(packages::of_workspace(context)?);
            }
            let project = workspace.iter().flatten().find(|project| project.service == name);
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

/// The other services that migrations of a set require.
fn requirements_of(set: &MigrationSet) -> impl Iterator<Item = String> + '_ {
    let requirements = set.iter().flat_map(|migration| &migration.up.directives.requires);
    requirements.filter_map(|requirement| requirement.service.clone())
}

impl KnownWorkspace {
    fn names(&self) -> Vec<(&str, &MigrationSet)> {
        self.services.iter().map(|(project, set)| (project.service.as_str(), set)).collect()
    }

    /// What is wrong with the requirements of a set on other services.
    pub fn problems(&self, set: &MigrationSet) -> Vec<Finding> {
        KnownServices { services: &self.names() }.problems(set)
    }

    /// Migrations that require each other, and the project whose migration the finding is about.
    pub fn cycle(&self) -> Option<(&Project, Finding)> {
        let finding = KnownServices { services: &self.names() }.cycle()?;
        let file = finding.place.as_ref().map(|place| place.file.as_str());
        let is_in = |(_, set): &&(Project, MigrationSet)| set.iter().any(|migration| Some(&*migration.up.file) == file);
        let (project, _) = self.services.iter().find(is_in).or(self.services.first())?;
        Some((project, finding))
    }
}
