//! A project ready to be worked with: its files read, its database known.

use crate::command::Context;
use crate::database_url;
use crate::failure::CommandError;
use crate::packages;
use crate::relative_paths::relative_to_cwd;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Finding;
use migrate_model::folder::{Folder, NO_FOLDER};
use migrate_model::place::Place;
use migrate_model::project::Project;

/// A project and its files.
#[derive(Debug)]
pub struct LoadedProject {
    /// The project.
    pub project: Project,
    /// Its migrations, read for the database's dialect.
    pub folder: Folder,
    /// Its database.
    pub url: String,
    /// Is it one of several, so that lines have to say whose they are?
    pub show_service: bool,
}

/// The projects that the arguments ask for, each with its database; their files must be readable.
pub fn load_with_database(context: &Context<'_>) -> Result<Vec<LoadedProject>, CommandError> {
    let mut selected = Vec::new();
    let mut findings: Vec<Finding> = Vec::new();
    for project in packages::projects(context)? {
        let url = database_url::of(context, &project)?;
        let dialect = dialect(context, &project, Some(&url)).ok_or_else(|| unknown_scheme(&url))?;
        let folder = project.read(dialect);
        if folder.files.is_empty() && folder.lock.is_none() && folder.findings.iter().all(|finding| !finding.is_error()) {
            let dirs = project.settings.dirs.iter().map(String::as_str).filter(|dir| *dir != ".");
            let shown = dirs.map(|dir| project.root.join(dir)).next().unwrap_or_else(|| project.root.clone());
            let shown = shown.display().to_string();
            findings.push(
                Finding::error(&NO_FOLDER, format!("`{shown}` holds no migrations, and no lock file of any"))
                    .at(Place::file(shown))
                    .help("name the folder of the migrations with `--source`, or with `dir` in `migrate.toml`")
                    .help("or begin there: `cargo migrate init`"),
            );
        }
        let seen = folder.findings.iter().cloned().map(|one| relative_to_cwd(&project, one));
        let (errors, others): (Vec<Finding>, Vec<Finding>) = seen.partition(Finding::is_error);
        findings.extend(errors);
        context.output.findings(&others);
        selected.push(LoadedProject { project, folder, url, show_service: false });
    }
    let several = selected.len() > 1;
    selected.iter_mut().for_each(|one| one.show_service = several);
    if findings.is_empty() { Ok(in_order(selected)) } else { Err(CommandError::Findings(findings)) }
}

/// Services that others require come before them; two that require each other stay as they are.
fn in_order(mut rest: Vec<LoadedProject>) -> Vec<LoadedProject> {
    let mut ordered: Vec<LoadedProject> = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let waits = |one: &LoadedProject| {
            let required = one.folder.set.iter().flat_map(|migration| &migration.up.directives.requires);
            let mut services = required.filter_map(|requirement| requirement.service.as_deref());
            services.any(|service| service != one.project.service && rest.iter().any(|other| other.project.service == service))
        };
        let next = rest.iter().position(|one| !waits(one)).unwrap_or(0);
        ordered.push(rest.remove(next));
    }
    ordered
}

fn unknown_scheme(url: &str) -> CommandError {
    CommandError::usage(format!("`{}` is no database URL", migrate_runtime::url_without_password(url)))
        .help("write `postgres://user:password@host/name`, `mysql://user:password@host/name` or `sqlite:path/to/file.db`")
}

/// The dialect of a project's SQL: as asked for, as `migrate.toml` says, or as the database speaks.
pub fn dialect(context: &Context<'_>, project: &Project, url: Option<&str>) -> Option<Dialect> {
    let asked = context.global.dialect.as_ref().map(|spoken| spoken.dialect).or(project.settings.dialect);
    asked.or_else(|| Dialect::of_url(url?))
}

/// The dialect of a project's SQL for commands that need no database.
pub fn dialect_without_database(context: &Context<'_>, project: &Project) -> Result<Dialect, CommandError> {
    let url = database_url::of(context, project).ok();
    dialect(context, project, url.as_deref()).ok_or_else(|| {
        let missing = migrate_model::folder::list_files(&project.root, &project.settings).findings;
        let missing: Vec<_> = missing.into_iter().filter(|finding| finding.code == &NO_FOLDER).collect();
        CommandError::Findings(if missing.is_empty() { vec![project.no_dialect()] } else { missing })
    })
}
