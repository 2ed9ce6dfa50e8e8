//! Selects the projects of a command: a folder, a package, several packages, or all packages of a workspace.

use crate::codes::DUPLICATE_SERVICE;
use crate::command::Context;
use crate::database_url;
use cargo_metadata::{Dependency, Metadata, MetadataCommand};
use migrate_cli::CommandError;
use migrate_lint::server::Server;
use migrate_model::dialect::Dialect;
use migrate_model::files::boundary::ALLOW_OUTSIDE;
use migrate_model::files::boundary::{self, Boundary};
use migrate_model::files::project::{Project, default_service};
use migrate_model::files::settings;
use migrate_model::finding::Finding;
use migrate_model::place::Place;
use migrate_model::suggestion::nearest;
use std::path::{Path, PathBuf};

/// The selected projects: at least one, each with its own service name.
///
/// # Errors
/// If the selection is ambiguous or empty, settings cannot be read, or two projects have the same service name.
pub fn projects(context: &Context<'_>) -> Result<Vec<Project>, CommandError> {
    let mut projects = discover(context)?;
    match (&context.global.service, projects.as_mut_slice()) {
        (Some(service), _) if !settings::is_service_name(service) => {
            return Err(CommandError::usage(format!("`{}` is not a valid service name", service.escape_debug()))
                .help("use a name without control characters or surrounding white space, such as `--service billing`"));
        }
        (Some(service), [only]) => only.service.clone_from(service),
        (Some(_), _) => {
            return Err(CommandError::usage("`--service` sets the name of one service, but several packages are selected")
                .help("select one package: `-p NAME`"));
        }
        (None, _) => {}
    }
    // The name of a folder.
    if let Some(project) = projects.iter().find(|project| !settings::is_service_name(&project.service)) {
        let message = format!("`{}` is not a valid service name", project.service.escape_debug());
        return Err(CommandError::usage(message).help("set `service` in `migrate.toml`, or use `--service NAME`"));
    }
    let mut services: Vec<&Project> = projects.iter().collect();
    services.sort_by(|left, right| left.service.cmp(&right.service));
    let duplicates = services.windows(2).filter(|pair| pair[0].service == pair[1].service);
    let findings: Vec<Finding> = duplicates
        .map(|pair| {
            let message = format!(
                "`{}` and `{}` store their histories under the same service name `{}`",
                pair[0].root.display(),
                pair[1].root.display(),
                pair[0].service
            );
            Finding::error(&DUPLICATE_SERVICE, message)
                .at(Place::file(pair[1].root.join(settings::FILE).display().to_string()))
                .help("set another name for one of them: `service = \"...\"` in its `migrate.toml`")
        })
        .collect();
    projects.iter_mut().for_each(|project| resolve_server(context, project));
    if findings.is_empty() { Ok(projects) } else { Err(CommandError::Findings(findings)) }
}

/// All projects of the workspace; none with `--source`, or outside a workspace.
///
/// # Errors
/// If settings cannot be read.
pub fn of_workspace(context: &Context<'_>) -> Result<Vec<Project>, CommandError> {
    workspace_projects(context, |_, _| true)
}

fn workspace_projects(
    context: &Context<'_>,
    is_wanted: impl Fn(&Package, &Project) -> bool,
) -> Result<Vec<Project>, CommandError> {
    let current_dir = std::env::current_dir()?;
    if !context.global.source.is_empty() || !current_dir.ancestors().any(|folder| folder.join("Cargo.toml").is_file()) {
        return Ok(Vec::new());
    }
    let metadata = context.metadata();
    let metadata = metadata.map_err(|error| CommandError::other(format!("cargo cannot read this workspace: {error}")))?;
    let mut packages = members(metadata);
    packages.retain(Package::has_migrations);
    let allowed = allowed_folders();
    let boundary = Boundary::of(&current_dir, &allowed);
    packages.retain(|package| boundary.contains(&package.root));
    let (mut projects, mut findings) = (Vec::new(), Vec::new());
    for package in &packages {
        let of_package = package.projects(&allowed).into_iter().filter(|(project, _)| is_wanted(package, project));
        for (mut project, problems) in of_package {
            findings.extend(problems);
            resolve_server(context, &mut project);
            projects.push(project);
        }
    }
    if findings.is_empty() { Ok(projects) } else { Err(CommandError::Findings(findings)) }
}

/// All projects of the workspace that no `--exclude` leaves out.
///
/// # Errors
/// As [`of_workspace`].
pub fn not_excluded(context: &Context<'_>) -> Result<Vec<Project>, CommandError> {
    let excluded = &context.global.exclude;
    let is_excluded = |package: &Package, project: &Project| {
        excluded.iter().any(|word| package.is_named(word) || is_match(word, &project.service))
    };
    workspace_projects(context, |package, project| !is_excluded(package, project))
}

/// The selected project.
///
/// # Errors
/// If several are selected, and for the reasons of `projects`.
pub fn project(context: &Context<'_>) -> Result<Project, CommandError> {
    let mut projects = projects(context)?;
    match projects.len() {
        1 => Ok(projects.remove(0)),
        _ => Err(CommandError::several_services()),
    }
}

fn discover(context: &Context<'_>) -> Result<Vec<Project>, CommandError> {
    let mut findings = Vec::new();
    let mut collect = |(project, problems): (Project, Vec<Finding>)| {
        findings.extend(problems);
        project
    };
    let allowed = allowed_folders();
    let projects: Vec<Project> = if !context.global.source.is_empty() {
        if let Some(file) = context.global.source.iter().find(|source| source.is_file()) {
            return Err(CommandError::usage(format!("`{}` is a file, not a folder", file.display()))
                .help("use the folder that contains it"));
        }
        context.global.source.iter().map(|source| collect(Project::of_folder(source, &allowed))).collect()
    } else {
        let current_dir = std::env::current_dir()?;
        match packages(context, &current_dir)? {
            Some(packages) => {
                let (names, excluded) = (&context.global.package, &context.global.exclude);
                let is_explicit = !names.is_empty() || context.global.workspace;
                let is_one_of = |words: &[String], package: &Package, project: &Project| {
                    words.iter().any(|word| package.is_named(word) || is_match(word, &project.service))
                };
                let is_selected = |package: &Package, project: &Project| {
                    (names.is_empty() || is_one_of(names, package, project)) && !is_one_of(excluded, package, project)
                };
                let is_here =
                    |project: &Project| project.settings.dirs.iter().any(|dir| current_dir.starts_with(project.root.join(dir)));
                let of_package = |package: &Package| {
                    let mut projects = package.projects(&allowed);
                    projects.retain(|(project, findings)| !findings.is_empty() || is_selected(package, project));
                    // In the folder of one of several sets.
                    if !is_explicit && projects.iter().any(|(project, _)| is_here(project)) {
                        projects.retain(|(project, _)| is_here(project));
                    }
                    projects
                };
                if let Some(unknown) = unknown_exclusion(&packages, excluded, &allowed) {
                    return Err(unknown);
                }
                packages.iter().flat_map(of_package).map(&mut collect).collect()
            }
            // Outside a cargo package, the current folder may still contain migrations.
            None => {
                let service = default_service(&current_dir).map_err(|finding| CommandError::Findings(vec![*finding]))?;
                vec![collect(Project::of_package(&current_dir, None, &service, &allowed))]
            }
        }
    };
    if findings.is_empty() && projects.is_empty() {
        return Err(CommandError::usage("no service is selected: all are left out").help("correct `--exclude`"));
    }
    if findings.is_empty() { Ok(projects) } else { Err(CommandError::Findings(findings)) }
}

/// The folders outside the repository that the user allows.
fn allowed_folders() -> Vec<PathBuf> {
    let folders = std::env::var_os(ALLOW_OUTSIDE).unwrap_or_default();
    std::env::split_paths(&folders).filter(|folder| !folder.as_os_str().is_empty()).collect()
}

/// Sets the server that the safety rules assume: from `--dialect`, then from `migrate.toml`, then from the URL.
fn resolve_server(context: &Context<'_>, project: &mut Project) {
    let product = |text: &str| text.parse::<Server>().ok().map(|server| server.product);
    let configured = project.settings.safety.server.as_ref().and_then(|(text, _)| product(text));
    let word = match &context.global.dialect {
        Some(argument) => Some((argument.word.clone(), "--dialect")),
        None if configured.is_none() => {
            // Without a URL, or with an invalid one, the dialect alone decides.
            let url = database_url::of(context, project).ok();
            url.map(|url| (url.scheme().to_owned(), "DATABASE_URL"))
        }
        None => None,
    };
    if let Some((word, place)) = word.filter(|(word, _)| product(word).is_some() && product(word) != configured) {
        project.settings.safety.server = Some((word, Place::file(place)));
    }
}

struct Package {
    name: String,
    root: PathBuf,
    /// The only database for which it enables a feature of `migrate-runtime`.
    database: Option<Dialect>,
}

/// Whether a name is a word, or matches it as a pattern in which `*` is any text and `?` any character.
fn is_match(pattern: &str, name: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return name.is_empty() };
    let rest = &pattern[first.len_utf8()..];
    match first {
        '*' => name.char_indices().map(|(at, _)| at).chain([name.len()]).any(|at| is_match(rest, &name[at..])),
        _ => name
            .chars()
            .next()
            .is_some_and(|letter| (first == '?' || first == letter) && is_match(rest, &name[letter.len_utf8()..])),
    }
}

impl Package {
    /// Whether a word of the command line means this package: its name, a pattern, or its path.
    fn is_named(&self, word: &str) -> bool {
        let is_path = || {
            // What does not exist is the path of no package.
            let path = Path::new(word).canonicalize().ok();
            path.is_some() && path == self.root.canonicalize().ok()
        };
        is_match(word, &self.name) || word.contains(['/', '.']) && is_path()
    }

    fn has_migrations(&self) -> bool {
        self.root.join(settings::FILE).is_file() || self.root.join("migrations").is_dir()
    }

    fn projects(&self, allowed: &[PathBuf]) -> Vec<(Project, Vec<Finding>)> {
        let mut projects = Project::all_of_package(&self.root, &self.name, allowed);
        for (project, _) in &mut projects {
            project.settings.dialect = project.settings.dialect.or(self.database);
        }
        projects
    }
}

/// The selected packages; `None` outside a cargo package. A workspace may name members anywhere, also through a link: those
/// outside the repository are neither read nor written.
fn packages(context: &Context<'_>, current_dir: &Path) -> Result<Option<Vec<Package>>, CommandError> {
    let packages = selected_packages(context, current_dir)?;
    let boundary = Boundary::of(current_dir, &allowed_folders());
    let outside = packages.iter().flatten().filter(|package| !boundary.contains(&package.root));
    let findings: Vec<Finding> =
        outside.map(|package| boundary::outside(&format!("the folder of the package `{}`", package.name))).collect();
    if findings.is_empty() { Ok(packages) } else { Err(CommandError::Findings(findings)) }
}

fn selected_packages(context: &Context<'_>, current_dir: &Path) -> Result<Option<Vec<Package>>, CommandError> {
    let is_explicit = !context.global.package.is_empty() || context.global.workspace;
    if !is_explicit && !current_dir.ancestors().any(|folder| folder.join("Cargo.toml").is_file()) {
        return Ok(None);
    }
    // Cargo would print a line of the file that it cannot read.
    let manifests = current_dir.ancestors().map(|folder| folder.join("Cargo.toml")).filter(|manifest| manifest.is_symlink());
    for manifest in manifests {
        let folder = manifest.parent().unwrap_or(current_dir);
        if !Boundary::of(folder, &allowed_folders()).contains(&manifest) {
            return Err(CommandError::Findings(vec![boundary::outside("`Cargo.toml`")]));
        }
    }
    let metadata = context.metadata().map_err(|error| {
        CommandError::other(format!("cargo cannot read this package: {error}"))
            .help("or specify the migrations folder, so that cargo is not needed: `--source DIR`")
    })?;
    let mut packages = members(metadata);
    let names = &context.global.package;
    if !names.is_empty() {
        return named(packages, names).map(Some);
    }
    if context.global.workspace {
        packages.retain(Package::has_migrations);
        return if packages.is_empty() {
            Err(CommandError::usage("no package of this workspace has migrations")
                .help("create the files with `cargo migrate init -p NAME`"))
        } else {
            Ok(Some(packages))
        };
    }
    let enclosing = packages.iter().enumerate().filter(|(_, package)| current_dir.starts_with(&package.root));
    if let Some((at, _)) = enclosing.max_by_key(|(_, package)| package.root.as_os_str().len()) {
        return Ok(Some(vec![packages.swap_remove(at)]));
    }
    // The current folder is the root of a workspace without a root package.
    packages.retain(Package::has_migrations);
    match packages.len() {
        1 => Ok(Some(packages)),
        0 => Err(CommandError::usage("no package of this workspace has migrations")
            .help("create the files with `cargo migrate init -p NAME`")),
        _ => {
            let names: Vec<String> = packages.iter().map(|package| format!("`{}`", package.name)).collect();
            let message = format!("several packages of this workspace have migrations: {}", names.join(", "));
            Err(CommandError::usage(message).help("select one with `-p NAME`, or all with `--workspace`"))
        }
    }
}

/// The error about a name that is left out and that nothing has.
fn unknown_exclusion(packages: &[Package], excluded: &[String], allowed: &[PathBuf]) -> Option<CommandError> {
    let is_service = |word: &str| {
        let projects = packages.iter().flat_map(|package| package.projects(allowed));
        projects.into_iter().any(|(project, _)| is_match(word, &project.service))
    };
    let is_known = |word: &&String| packages.iter().any(|package| package.is_named(word)) || is_service(word);
    let unknown = excluded.iter().find(|word| !is_known(word))?;
    let names = packages.iter().map(|package| package.name.as_str());
    let error = CommandError::usage(format!("`--exclude {unknown}` matches none of the selected packages and services"));
    Some(match nearest(unknown, names) {
        Some(near) => error.help(format!("write `--exclude {near}`")),
        None => error.help("correct the name, or remove the option"),
    })
}

/// The packages that have one of these names, or a service that has one.
fn named(mut packages: Vec<Package>, names: &[String]) -> Result<Vec<Package>, CommandError> {
    let is_package = |name: &String| packages.iter().any(|package| package.is_named(name));
    let services: Vec<&String> = names.iter().filter(|name| !is_package(name)).collect();
    let mut missing = services.clone();
    let allowed = allowed_folders();
    let services_of = |package: &Package| {
        let projects = if services.is_empty() || !package.has_migrations() { Vec::new() } else { package.projects(&allowed) };
        projects.into_iter().map(|(project, _)| project.service).collect::<Vec<String>>()
    };
    let mut known: Vec<String> = packages.iter().map(|package| package.name.clone()).collect();
    packages.retain(|package| {
        let of_package = services_of(package);
        missing.retain(|name| !of_package.iter().any(|service| is_match(name, service)));
        let is_named = names.iter().any(|name| package.is_named(name))
            || services.iter().any(|name| of_package.iter().any(|service| is_match(name, service)));
        known.extend(of_package);
        is_named
    });
    let Some(unknown) = missing.first() else { return Ok(packages) };
    known.sort_unstable();
    known.dedup();
    let help = match nearest(unknown, known.iter().map(String::as_str)) {
        Some(near) => format!("write `-p {near}`"),
        None => format!("use one of `{}`", known.join("`, `")),
    };
    Err(CommandError::usage(format!("the workspace contains neither a package nor a service `{unknown}`")).help(help))
}

/// The packages of the workspace that have migrations, and their services, to complete words; none outside a workspace.
pub fn names() -> Vec<String> {
    let mut packages = MetadataCommand::new().no_deps().exec().map(|metadata| members(&metadata)).unwrap_or_default();
    packages.retain(Package::has_migrations);
    let allowed = allowed_folders();
    let services = packages.iter().flat_map(|package| package.projects(&allowed)).map(|(project, _)| project.service);
    let mut names: Vec<String> = services.collect();
    names.extend(packages.into_iter().map(|package| package.name));
    names.sort_unstable();
    names.dedup();
    names
}

/// The database of a package whose dependencies on the runtime have the feature of exactly one; as for `embed_migrations!`. With
/// several databases, or none, `migrate.toml` must say it.
fn only_database(dependencies: &[Dependency]) -> Option<Dialect> {
    let is_runtime = |dependency: &&Dependency| dependency.name == "migrate-runtime";
    let runtime: Vec<&Dependency> = dependencies.iter().filter(is_runtime).collect();
    // The default features are all databases.
    if runtime.iter().any(|dependency| dependency.uses_default_features) {
        return None;
    }
    // The other features are not databases.
    let features = runtime.iter().flat_map(|dependency| &dependency.features);
    let mut databases = features.filter_map(|feature| feature.parse::<Dialect>().ok());
    let first = databases.next()?;
    databases.all(|other| other == first).then_some(first)
}

fn members(metadata: &Metadata) -> Vec<Package> {
    let packages = metadata.workspace_packages().into_iter().map(|package| Package {
        name: package.name.to_string(),
        root: package.manifest_path.parent().map(|root| root.as_std_path().to_owned()).unwrap_or_default(),
        database: only_database(&package.dependencies),
    });
    packages.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("billing", "billing", true),
            ("billing", "billing-svc", false),
            ("billing*", "billing-svc", true),
            ("*-svc", "billing-svc", true),
            ("b*g-*", "billing-svc", true),
            ("b?lling", "billing", true),
            ("*", "", true),
            ("", "x", false),
            ("*é?", "caféx", true),
        ] {
            assert_eq!(is_match(pattern, name), expected, "{pattern} {name}");
        }
    }
}
