//! A project with its files and its database URL, as commands that use a database need it.

use crate::command::Context;
use crate::database_url::{self, Connection};
use crate::packages;
use crate::relative_paths::{self, relative_to_cwd};
use migrate_cli::{CommandError, Service, SummarizedService};
use migrate_model::dialect::Dialect;
use migrate_model::files::folder::{Folder, NO_FOLDER};
use migrate_model::files::project::Project;
use migrate_model::finding::Finding;
use migrate_model::place::Place;
use migrate_runtime::{DatabaseUrl, MigrationKey, SetSettings};
use std::collections::HashSet;
use std::sync::Arc;

/// A project with its files and its database URL.
#[derive(Debug)]
pub struct LoadedProject {
    pub project: Project,
    /// The migrations, parsed in the dialect of the database.
    pub folder: Folder,
    pub url: DatabaseUrl,
    /// Whether several services are selected, so that each line must name its service.
    pub show_service: bool,
}

impl From<LoadedProject> for Service {
    fn from(loaded: LoadedProject) -> Self {
        let LoadedProject { project, folder, url, show_service } = loaded;
        let drafts = folder.lock.as_ref().map_or(&[][..], |lock| &lock.drafts);
        let drafts = folder.files.iter().map(|(file, _)| file).filter(|file| drafts.contains(&file.name));
        Service {
            name: project.service.clone(),
            drafts: drafts.map(|file| file.display_path.clone()).collect(),
            down_findings: folder.down_findings,
            set: Arc::new(folder.set).into(),
            url,
            show_name: show_service,
            shown_path: Box::new(move |file| relative_paths::shown(&project, file)),
        }
    }
}

/// Loads the selected projects.
///
/// # Errors
/// If a project has no database URL, or if its files contain errors. The errors of all projects are reported together.
pub fn load_with_database(context: &Context<'_>) -> Result<Vec<LoadedProject>, CommandError> {
    let mut selected = load(context, packages::projects(context)?)?;
    let several = selected.len() > 1;
    selected.iter_mut().for_each(|loaded| loaded.show_service = several);
    Ok(selected)
}

/// Loads a service of the workspace; `None` if it has none of this name, or it is left out on purpose.
///
/// # Errors
/// As [`load_with_database`].
pub fn load_other(context: &Context<'_>, name: &str) -> Result<Option<Service>, CommandError> {
    let mut projects = packages::not_excluded(context)?;
    projects.retain(|project| project.service == name);
    Ok(load(context, projects)?.into_iter().map(Service::from).next())
}

/// Loads the services of the workspace in whose files a migration requires one of these, and that are not among their services.
///
/// # Errors
/// As [`load_with_database`].
pub fn load_dependents(context: &Context<'_>, migrations: &[(String, MigrationKey)]) -> Result<Vec<Service>, CommandError> {
    let mut projects = packages::of_workspace(context)?;
    projects.retain(|project| migrations.iter().all(|(service, _)| *service != project.service));
    let requires_one = |project: &Project| {
        // Directives are comments, which every dialect reads alike; loading it reports what is missing.
        let dialect = dialect_without_database(context, project).unwrap_or(Dialect::ALL[0]);
        let set = project.read(dialect).set;
        set.iter().flat_map(|migration| &migration.up.directives.requires).any(|requirement| {
            let is_it = |(service, key): &(String, MigrationKey)| {
                requirement.service.as_deref() == Some(service) && *key == requirement.version
            };
            migrations.iter().any(is_it)
        })
    };
    projects.retain(requires_one);
    Ok(load(context, projects)?.into_iter().map(Service::from).collect())
}

fn load(context: &Context<'_>, projects: Vec<Project>) -> Result<Vec<LoadedProject>, CommandError> {
    let mut selected = Vec::new();
    let mut printed = HashSet::new();
    let mut findings: Vec<Finding> = Vec::new();
    for project in projects {
        let Connection { url, notes, .. } = database_url::connection(context, &project)?;
        notes.into_iter().filter(|note| printed.insert(note.clone())).for_each(|note| context.output.message(note));
        let dialect = dialect(context, &project, Some(&url)).unwrap_or(url.dialect());
        let folder = project.read(dialect);
        if folder.files.is_empty() && folder.lock.is_none() && folder.findings.iter().all(|finding| !finding.is_error()) {
            let dirs = project.settings.dirs.iter().map(String::as_str).filter(|dir| *dir != ".");
            let dir = dirs.map(|dir| project.root.join(dir)).next().unwrap_or_else(|| project.root.clone());
            let dir = dir.display().to_string();
            findings.push(
                Finding::error(&NO_FOLDER, format!("`{dir}` contains neither migrations nor a lock file"))
                    .at(Place::file(dir))
                    .help("set the folder of the migrations with `--source`, or with `dir` in `migrate.toml`")
                    .help("or initialize the folder: `cargo migrate init`"),
            );
        }
        let relative = folder.findings.iter().cloned().map(|finding| relative_to_cwd(&project, finding));
        let (errors, others): (Vec<Finding>, Vec<Finding>) = relative.partition(Finding::is_error);
        findings.extend(errors);
        context.output.findings(&others);
        selected.push(LoadedProject { project, folder, url, show_service: false });
    }
    if findings.is_empty() { Ok(selected) } else { Err(CommandError::Findings(findings)) }
}

/// From how many up files on it is worth a query to find out whether they must be parsed.
const MANY_MIGRATIONS: usize = 200;

/// The selected projects without parsing their files. `None` if there are few migrations, or if there is any problem, which
/// [`load_with_database`] reports.
pub fn summarize(context: &Context<'_>) -> Option<Vec<SummarizedService>> {
    let mut services = Vec::new();
    for project in packages::projects(context).ok()? {
        let Connection { url, notes, .. } = database_url::connection(context, &project).ok()?;
        let dialect = dialect(context, &project, Some(&url)).unwrap_or(url.dialect());
        let summary = project.summarize().filter(|summary| summary.count >= MANY_MIGRATIONS && notes.is_empty())?;
        let mut settings = SetSettings::new(project.service, dialect);
        settings.run = project.settings.run;
        services.push(SummarizedService { settings, summary, url });
    }
    Some(services)
}

/// The SQL dialect of a project: from `--dialect`, then from `migrate.toml`, then from the URL.
pub fn dialect(context: &Context<'_>, project: &Project, url: Option<&DatabaseUrl>) -> Option<Dialect> {
    let configured = context.global.dialect.as_ref().map(|argument| argument.dialect).or(project.settings.dialect);
    configured.or_else(|| url.map(DatabaseUrl::dialect))
}

/// The SQL dialect of a project, for commands that do not need a database URL.
///
/// # Errors
/// If the dialect is unknown, or the folder of the migrations does not exist.
pub fn dialect_without_database(context: &Context<'_>, project: &Project) -> Result<Dialect, CommandError> {
    let url = database_url::of(context, project).ok();
    dialect(context, project, url.as_ref()).ok_or_else(|| {
        let missing = project.list_files().findings;
        let missing: Vec<_> = missing.into_iter().filter(|finding| finding.code == &NO_FOLDER).collect();
        relative_paths::rejected(project, if missing.is_empty() { vec![project.no_dialect()] } else { missing })
    })
}
