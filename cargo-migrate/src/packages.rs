//! Which projects a command works on: a folder, a package, or all of a workspace.

use crate::command::Context;
use crate::database_url;
use crate::failure::{CommandError, DUPLICATE_SERVICE};
use cargo_metadata::{Metadata, MetadataCommand};
use migrate_lint::server::Server;
use migrate_model::finding::Finding;
use migrate_model::place::Place;
use migrate_model::project::Project;
use migrate_model::settings;
use std::path::{Path, PathBuf};

/// The projects that the arguments ask for; at least one, each with its own service name.
pub fn projects(context: &Context<'_>) -> Result<Vec<Project>, CommandError> {
    let mut projects = discover(context)?;
    match (&context.global.service, projects.as_mut_slice()) {
        (Some(service), _) if service.trim() != service || service.is_empty() || service.contains(char::is_control) => {
            return Err(CommandError::usage(format!("`{}` is no name for a service", service.escape_debug()))
                .help("write a word, such as `--service billing`"));
        }
        (Some(service), [only]) => only.service.clone_from(service),
        (Some(_), _) => {
            return Err(CommandError::usage("`--service` names one history, and several packages are asked for")
                .help("name one package: `-p NAME`"));
        }
        (None, _) => {}
    }
    let mut services: Vec<&Project> = projects.iter().collect();
    services.sort_by(|one, other| one.service.cmp(&other.service));
    let twice = services.windows(2).filter(|pair| pair[0].service == pair[1].service);
    let findings: Vec<Finding> = twice
        .map(|pair| {
            let message = format!(
                "`{}` and `{}` keep their history under one name, `{}`",
                pair[0].root.display(),
                pair[1].root.display(),
                pair[0].service
            );
            Finding::error(&DUPLICATE_SERVICE, message)
                .at(Place::file(pair[1].root.join(settings::FILE).display().to_string()))
                .help("give one of them another name: `service = \"...\"` in its `migrate.toml`")
        })
        .collect();
    projects.iter_mut().for_each(|project| resolve_server(context, project));
    if findings.is_empty() { Ok(projects) } else { Err(CommandError::Findings(findings)) }
}

/// The one project that the arguments ask for.
pub fn project(context: &Context<'_>) -> Result<Project, CommandError> {
    let mut projects = projects(context)?;
    match projects.len() {
        1 => Ok(projects.remove(0)),
        _ => Err(CommandError::usage("this works on one package at a time").help("name it: `-p NAME`")),
    }
}

fn discover(context: &Context<'_>) -> Result<Vec<Project>, CommandError> {
    let mut findings = Vec::new();
    let mut open = |(project, problems): (Project, Vec<Finding>)| {
        findings.extend(problems);
        project
    };
    let projects: Vec<Project> = if let Some(source) = &context.global.source {
        if source.is_file() {
            return Err(CommandError::usage(format!("`{}` is a file", source.display())).help("name the folder that it is in"));
        }
        vec![open(Project::of_folder(source))]
    } else {
        let here = std::env::current_dir()?;
        match packages(context, &here)? {
            Some(packages) => {
                packages.iter().map(|package| open(Project::of_package(&package.root, None, &package.name))).collect()
            }
            // No cargo package around: this folder may hold migrations all the same.
            None => {
                let name = here.file_name().map_or("default".into(), |name| name.to_string_lossy().into_owned());
                vec![open(Project::of_package(&here, None, &name))]
            }
        }
    };
    if findings.is_empty() { Ok(projects) } else { Err(CommandError::Findings(findings)) }
}

/// Which server the safety rules have in mind: `--dialect` wins over `migrate.toml`, and where that says nothing, the URL does.
fn resolve_server(context: &Context<'_>, project: &mut Project) {
    let product = |text: &str| text.parse::<Server>().ok().map(|server| server.product);
    let said = project.settings.safety.server.as_ref().and_then(|(text, _)| product(text));
    let word = match &context.global.dialect {
        Some(spoken) => Some((spoken.word.clone(), "--dialect")),
        None if said.is_none() => {
            let url = database_url::of(context, project).ok();
            url.and_then(|url| Some((url.split_once(':')?.0.to_owned(), "DATABASE_URL")))
        }
        None => None,
    };
    if let Some((word, place)) = word.filter(|(word, _)| product(word).is_some() && product(word) != said) {
        project.settings.safety.server = Some((word, Place::file(place)));
    }
}

struct Package {
    name: String,
    root: PathBuf,
}

impl Package {
    fn has_migrations(&self) -> bool {
        self.root.join(settings::FILE).is_file() || self.root.join("migrations").is_dir()
    }
}

/// The packages meant; `None` when no cargo package is around.
fn packages(context: &Context<'_>, here: &Path) -> Result<Option<Vec<Package>>, CommandError> {
    let asked = !context.global.package.is_empty() || context.global.workspace;
    if !asked && !here.ancestors().any(|folder| folder.join("Cargo.toml").is_file()) {
        return Ok(None);
    }
    let metadata = MetadataCommand::new().no_deps().exec();
    let metadata = metadata.map_err(|error| {
        CommandError::other(format!("cargo cannot read this package: {error}")).help("name the folder instead: `--source DIR`")
    })?;
    let mut packages = members(&metadata);
    let asked = &context.global.package;
    if let Some(unknown) = asked.iter().find(|name| packages.iter().all(|package| package.name != **name)) {
        let names: Vec<String> = packages.iter().map(|package| format!("`{}`", package.name)).collect();
        let message = format!("the workspace has no package `{unknown}`");
        return Err(CommandError::usage(message).help(format!("use one of {}", names.join(", "))));
    }
    if !asked.is_empty() {
        packages.retain(|package| asked.contains(&package.name));
        return Ok(Some(packages));
    }
    if context.global.workspace {
        packages.retain(Package::has_migrations);
        return match packages.is_empty() {
            false => Ok(Some(packages)),
            true => Err(CommandError::usage("no package of this workspace has migrations")
                .help("begin with `cargo migrate init -p NAME`")),
        };
    }
    let around = packages.iter().enumerate().filter(|(_, package)| here.starts_with(&package.root));
    if let Some((at, _)) = around.max_by_key(|(_, package)| package.root.as_os_str().len()) {
        return Ok(Some(vec![packages.swap_remove(at)]));
    }
    // The root of a workspace without a package of its own.
    packages.retain(Package::has_migrations);
    match packages.len() {
        1 => Ok(Some(packages)),
        0 => {
            Err(CommandError::usage("no package of this workspace has migrations")
                .help("begin with `cargo migrate init -p NAME`"))
        }
        _ => {
            let names: Vec<String> = packages.iter().map(|package| format!("`{}`", package.name)).collect();
            let message = format!("several packages of this workspace have migrations: {}", names.join(", "));
            Err(CommandError::usage(message).help("name one with `-p NAME`, or take all with `--workspace`"))
        }
    }
}

fn members(metadata: &Metadata) -> Vec<Package> {
    let packages = metadata.workspace_packages().into_iter().map(|package| Package {
        name: package.name.to_string(),
        root: package.manifest_path.parent().map(|root| root.as_std_path().to_owned()).unwrap_or_default(),
    });
    packages.collect()
}
