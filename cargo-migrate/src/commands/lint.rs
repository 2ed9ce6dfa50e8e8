//! `lint`: what migrations would do to a database that is in use.

use super::check::apart_from_lock;
use super::up::{self, RunArguments};
use crate::arguments::Format;
use crate::ci_reports;
use crate::command::Context;
use crate::database_url;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::git;
use crate::loaded_project::{self, LoadedProject};
use crate::lock_file_guard::LockFileGuard;
use crate::migration_files::{self, Numbering};
use crate::output::finding_json;
use crate::packages;
use crate::relative_paths::relative_to_cwd;
use crate::shared_database::{self, Member};
use crate::template::{self, Template};
use clap::Args;
use migrate_lint::fix::{self, Fix};
use migrate_lint::folder_lint;
use migrate_lint::lint::{self, LintScope};
use migrate_lint::owners::{self, ServiceFinding};
use migrate_model::finding::{Finding, Level};
use migrate_model::folder::{self, Folder};
use migrate_model::project::Project;
use migrate_runtime::StopSignal;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// Say what migrations would do to a database that is in use
///
/// Looked at is what is not deployed: what the database's history lacks when it can be reached, else the drafts of the lock
/// file, else everything.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Look at every migration, each as if those before it were deployed
    #[arg(long, conflicts_with = "since")]
    all: bool,
    /// Look at the migrations that this Git revision has not, or has otherwise
    #[arg(long, value_name = "REV")]
    since: Option<String>,
    /// Do not ask a database what is deployed
    #[arg(long)]
    offline: bool,
    /// Warnings fail the command too
    #[arg(long)]
    strict: bool,
    /// Rewrite drafts where that is mechanical; each change is shown and asked about first
    #[arg(long, conflicts_with = "all")]
    fix: bool,
}

/// One service and what was found.
struct Linted {
    member: Member,
    pending: LintScope,
    looked_at: String,
    findings: Vec<Finding>,
    statements: usize,
    rewrites: Vec<Fix>,
}

/// Runs it.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut linted = Vec::new();
    for project in packages::projects(context)? {
        linted.push(one(arguments, context, project).await?);
    }
    if arguments.fix {
        return fix(context, linted);
    }
    let linted = over_all(context, linted);
    let failing = if arguments.strict { Level::Warning } else { Level::Error };
    let failed = linted.iter().flat_map(|one| &one.findings).any(|finding| finding.level >= failing);
    match context.global.format {
        Format::Human => linted.iter().for_each(|one| for_people(one, context)),
        Format::Json => context.output.json(&json!({ "services": linted.iter().map(for_programs).collect::<Vec<_>>() })),
        Format::Sarif => context.output.json(&ci_reports::sarif(linted.iter().flat_map(|one| &one.findings))),
        Format::Github => {
            for finding in linted.iter().flat_map(|one| &one.findings) {
                context.output.data(ci_reports::github(finding));
            }
        }
    }
    Ok(if failed { Exit::Findings } else { Exit::Done })
}

async fn one(arguments: &Arguments, context: &Context<'_>, project: Project) -> Result<Linted, CommandError> {
    let dialect = loaded_project::dialect_without_database(context, &project)?;
    let folder = project.read(dialect);
    let (mut options, mut findings) = folder_lint::options(&project.settings.safety, dialect);
    let (pending, whence) = pending(arguments, context, &project, &folder).await?;
    let count = match &pending {
        LintScope::All => folder.set.len(),
        LintScope::Only(places) => places.len(),
    };
    let looked_at = format!("{} of {} ({whence})", count, up::count_migrations(folder.set.len()));
    let examined = |at: &usize| match &pending {
        LintScope::All => true,
        LintScope::Only(places) => places.contains(at),
    };
    let statements = folder.set.iter().enumerate().filter(|(at, _)| examined(at)).map(|(_, one)| one.up.statements.len()).sum();
    options.scope = pending;
    findings.extend(apart_from_lock(folder.findings.clone()));
    let rewrites = if arguments.fix { fix::fixes(&folder.set.contents().migrations, &options) } else { Vec::new() };
    findings.extend(lint::lint(&folder.set.contents().migrations, &options));
    let findings = findings.into_iter().map(|finding| relative_to_cwd(&project, finding)).collect();
    Ok(Linted { member: Member::new(project, folder), pending: options.scope, looked_at, findings, statements, rewrites })
}

/// Rewrites drafts, each when its change was shown and agreed to.
fn fix(context: &Context<'_>, linted: Vec<Linted>) -> Result<Exit, CommandError> {
    let mut changed = 0;
    for one in &linted {
        let project = &one.member.project;
        if one.pending == LintScope::All && !one.rewrites.is_empty() {
            return Err(CommandError::usage(format!(
                "nothing says which files of `{}` are still drafts and may be changed",
                project.service
            ))
            .help("begin with a lock file: `cargo migrate init`; or name a revision that has the others: `--since REV`"));
        }
        let root = project.root.join(&project.settings.dirs[0]);
        for fix in &one.rewrites {
            let migration = &one.member.folder.set.contents().migrations[fix.migration];
            let names = folder::list_files(&project.root, &project.settings);
            let mut held = match one.member.folder.lock.is_some() {
                true => Some(LockFileGuard::take(&root)?),
                false => None,
            };
            let mut lock = held.as_mut().map(|held| held.read(&names)).transpose()?.unwrap_or_default();
            let released =
                |file: &str| names.files.iter().any(|own| own.display_path == file && lock.locked_checksum(&own.name).is_some());
            if released(&migration.up.file) {
                context.output.message(format!("`{}` is released and stays as it is", migration.title()));
                continue;
            }
            let mut edits = vec![(&migration.up.file, &migration.up.text, &fix.up)];
            if let (Some(down), Some(text)) = (&migration.down, &fix.down) {
                edits.push((&down.file, &down.text, text));
            }
            edits.retain(|(_, before, after)| before != after);
            let mut files = Vec::new();
            let mut version = migration_files::next_version(Numbering::SameAsLatest, &names)?;
            for added in &fix.added {
                let template = Template { up: added.up.clone(), down: added.down.clone() };
                let named = migration_files::file_names(&names, &version, &template::file_name(&added.name), &template);
                version = version.successor();
                files.extend(named);
            }
            for (file, before, after) in &edits {
                context.output.data(difference(file, before, after));
            }
            for (file, text) in &files {
                context.output.data(difference(file, "", text));
            }
            let question = format!("change `{}` so, for {}?", migration.title(), fix.rules.join(" and "));
            let agreed = match context.global.yes {
                true => true,
                false => context.output.confirm(&question).ok_or_else(|| {
                    CommandError::usage("nobody is there to agree to a change")
                        .help("look at what is shown, then run it again with `--yes`")
                })?,
            };
            if !agreed {
                continue;
            }
            migration_files::write(&root, &files)?;
            for (file, _, after) in &edits {
                let path = project.root.join(&***file);
                std::fs::write(&path, after.as_bytes())
                    .map_err(|error| CommandError::other(format!("cannot write `{}`: {error}", path.display())))?;
            }
            if let Some(held) = &mut held {
                lock.drafts.extend(files.iter().map(|(path, _)| path.clone()));
                held.write(&lock)?;
            }
            context.output.status("Fixed", migration.title());
            changed += 1;
        }
    }
    match changed {
        0 => context.output.message("nothing was changed"),
        _ => context.output.message("run it once more to see what is left"),
    }
    Ok(Exit::Done)
}

fn difference(file: &str, before: &str, after: &str) -> String {
    let from = if before.is_empty() { "/dev/null" } else { file };
    let diff = similar::TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(3).header(from, file).to_string().trim_end().to_owned()
}

/// Adds what services that share a database do to each other's tables.
fn over_all(context: &Context<'_>, linted: Vec<Linted>) -> Vec<Linted> {
    if linted.len() < 2 {
        return linted;
    }
    let mut others = Vec::new();
    let mut members = Vec::new();
    for Linted { member, pending, looked_at, findings, statements, .. } in linted {
        others.push((member.project.service.clone(), pending, looked_at, findings, statements));
        members.push(member);
    }
    let mut whole = Vec::new();
    for sharing in shared_database::group_by_database(context, members) {
        let of = |service: usize| &sharing.members[service].project.service;
        let pending = |service: usize| others.iter().find(|(name, ..)| name == of(service)).map(|(_, pending, ..)| pending);
        let looked_at = |service: usize, migration: usize| match pending(service) {
            Some(LintScope::Only(places)) => places.contains(&migration),
            _ => true,
        };
        let found = owners::findings(&sharing.services(), sharing.dialect, looked_at);
        let found: Vec<(String, Finding)> = found
            .into_iter()
            .map(|ServiceFinding { service, finding }| {
                (of(service).clone(), relative_to_cwd(&sharing.members[service].project, finding))
            })
            .collect();
        for member in sharing.members {
            let Some(at) = others.iter().position(|(name, ..)| *name == member.project.service) else { continue };
            let (name, pending, looked_at, mut findings, statements) = others.swap_remove(at);
            findings.extend(found.iter().filter(|(service, _)| *service == name).map(|(_, finding)| finding.clone()));
            whole.push(Linted { member, pending, looked_at, findings, statements, rewrites: Vec::new() });
        }
    }
    whole
}

/// What is looked at, and how that is known.
async fn pending(
    arguments: &Arguments,
    context: &Context<'_>,
    project: &Project,
    folder: &Folder,
) -> Result<(LintScope, String), CommandError> {
    if arguments.all {
        return Ok((LintScope::All, "all".to_owned()));
    }
    if let Some(revision) = &arguments.since {
        let known = git::files_at(revision, &project.root)?;
        let old = |file: &str| known.contains(file);
        let places = folder.set.iter().enumerate().filter(|(_, migration)| !old(&migration.up.file)).map(|(at, _)| at);
        return Ok((LintScope::Only(places.collect()), format!("new since {revision}")));
    }
    if !arguments.offline
        && let Some(applied) = applied(context, project, folder).await
    {
        let places = folder.set.iter().enumerate().filter(|(_, migration)| !applied.contains(migration.version.as_str()));
        return Ok((LintScope::Only(places.map(|(at, _)| at).collect()), "not applied in the database".to_owned()));
    }
    Ok(match folder_lint::drafts(folder) {
        LintScope::Only(drafts) => (LintScope::Only(drafts), "drafts of the lock file".to_owned()),
        LintScope::All => (LintScope::All, "all: there is no lock file, and no database was asked".to_owned()),
    })
}

/// The versions that the database has, if one is named and answers soon.
async fn applied(context: &Context<'_>, project: &Project, folder: &Folder) -> Option<BTreeSet<String>> {
    let url = database_url::of(context, project).ok()?;
    let selected =
        LoadedProject { project: project.clone(), folder: project.read(folder.set.dialect()), url, show_service: false };
    let (running, stop) = (RunArguments::default(), StopSignal::default());
    let migrator = up::migrator(&selected, &running, &stop, context.output);
    match tokio::time::timeout(Duration::from_secs(3), migrator.status(&selected.url)).await {
        Ok(Ok(status)) => {
            let applied = folder.set.iter().filter(|migration| status.history().get(&migration.version).is_some());
            Some(applied.map(|migration| migration.version.as_str().to_owned()).collect())
        }
        Ok(Err(error)) => {
            context.output.verbose(format!("the database was not asked what is deployed: {}", error.message()));
            None
        }
        Err(_) => {
            context.output.verbose("the database was not asked what is deployed: it did not answer within 3 s");
            None
        }
    }
}

fn for_people(one: &Linted, context: &Context<'_>) {
    let shown = |finding: &&Finding| finding.level > Level::Note || context.global.verbose;
    let findings: Vec<Finding> = one.findings.iter().filter(shown).cloned().collect();
    context.output.findings(&findings);
    let count = |level: Level| one.findings.iter().filter(|finding| finding.level == level).count();
    let several = |count: usize, word: &str| if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") };
    let (errors, warnings, notes) = (count(Level::Error), count(Level::Warning), count(Level::Note));
    let hidden = if notes > 0 && !context.global.verbose { " (`-v` shows them)" } else { "" };
    let found = match one.findings.is_empty() {
        true => "nothing found".to_owned(),
        false => format!("{}, {}, {}{hidden}", several(errors, "error"), several(warnings, "warning"), several(notes, "note")),
    };
    context.output.status("Linted", &format!("`{}`: {}: {found}", one.member.project.service, one.looked_at));
    if errors + warnings > 0 {
        context.output.message(
            "             `cargo migrate explain RULE` says more; what is meant as it is gets a line above the statement:",
        );
        context.output.message("             `-- migrate: allow RULE: reason`");
    }
}

fn for_programs(one: &Linted) -> serde_json::Value {
    json!({
        "service": one.member.project.service,
        "migrations": one.member.folder.set.len(),
        "statements": one.statements,
        "findings": one.findings.iter().map(finding_json).collect::<Vec<_>>(),
    })
}
