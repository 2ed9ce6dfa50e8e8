//! `lint`: what migrations would do to a database that is in use.

use super::check::apart_from_lock;
use super::up::{self, Running};
use crate::arguments::Format;
use crate::command::Context;
use crate::database_url;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::from_here::seen_from_here;
use crate::git;
use crate::output::finding_json;
use crate::packages;
use crate::reports;
use crate::selection::{self, Selected};
use crate::shared_database::{self, Member};
use clap::Args;
use migrate_core::finding::{Finding, Level};
use migrate_core::folder::Folder;
use migrate_core::project::Project;
use migrate_lint::lint::{self, Pending};
use migrate_lint::owners;
use migrate_lint::survey;
use migrate_runtime::Stop;
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
    /// Look at the migrations that this Git revision has not
    #[arg(long, value_name = "REV")]
    since: Option<String>,
    /// Do not ask a database what is deployed
    #[arg(long)]
    offline: bool,
    /// Warnings fail the command too
    #[arg(long)]
    strict: bool,
}

/// One service and what was found.
struct Linted {
    member: Member,
    pending: Pending,
    looked_at: String,
    findings: Vec<Finding>,
    statements: usize,
}

/// Runs it.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, Failure> {
    let mut linted = Vec::new();
    for project in packages::projects(context)? {
        linted.push(one(arguments, context, project).await?);
    }
    let linted = over_all(context, linted);
    let failing = if arguments.strict { Level::Warning } else { Level::Error };
    let failed = linted.iter().flat_map(|one| &one.findings).any(|finding| finding.level >= failing);
    match context.global.format {
        Format::Human => linted.iter().for_each(|one| for_people(one, context)),
        Format::Json => context.output.json(&json!({ "services": linted.iter().map(for_programs).collect::<Vec<_>>() })),
        Format::Sarif => context.output.json(&reports::sarif(linted.iter().flat_map(|one| &one.findings))),
        Format::Github => {
            for finding in linted.iter().flat_map(|one| &one.findings) {
                context.output.data(reports::github(finding));
            }
        }
    }
    Ok(if failed { Exit::Findings } else { Exit::Done })
}

async fn one(arguments: &Arguments, context: &Context<'_>, project: Project) -> Result<Linted, Failure> {
    let dialect = selection::dialect_without_database(context, &project)?;
    let folder = project.read(dialect);
    let (mut options, mut findings) = survey::options(&project.settings.safety, dialect);
    let (pending, whence) = pending(arguments, context, &project, &folder).await?;
    let count = match &pending {
        Pending::Unknown => folder.set.len(),
        Pending::Some(places) => places.len(),
    };
    let looked_at = format!("{} of {} ({whence})", count, up::counted(folder.set.len()));
    let examined = |at: &usize| match &pending {
        Pending::Unknown => true,
        Pending::Some(places) => places.contains(at),
    };
    let statements = folder.set.iter().enumerate().filter(|(at, _)| examined(at)).map(|(_, one)| one.up.statements.len()).sum();
    options.pending = pending;
    findings.extend(apart_from_lock(folder.findings.clone()));
    findings.extend(lint::lint(&folder.set.contents().migrations, &options));
    let findings = findings.into_iter().map(|finding| seen_from_here(&project, finding)).collect();
    Ok(Linted { member: Member::new(project, folder), pending: options.pending, looked_at, findings, statements })
}

/// Adds what services that share a database do to each other's tables.
fn over_all(context: &Context<'_>, linted: Vec<Linted>) -> Vec<Linted> {
    if linted.len() < 2 {
        return linted;
    }
    let mut others = Vec::new();
    let mut members = Vec::new();
    for Linted { member, pending, looked_at, findings, statements } in linted {
        others.push((member.project.service.clone(), pending, looked_at, findings, statements));
        members.push(member);
    }
    let mut whole = Vec::new();
    for sharing in shared_database::divided(context, members) {
        let of = |service: usize| &sharing.members[service].project.service;
        let pending = |service: usize| others.iter().find(|(name, ..)| name == of(service)).map(|(_, pending, ..)| pending);
        let looked_at = |service: usize, migration: usize| match pending(service) {
            Some(Pending::Some(places)) => places.contains(&migration),
            _ => true,
        };
        let found = owners::findings(&sharing.services(), sharing.dialect, looked_at);
        let found: Vec<(String, Finding)> = found
            .into_iter()
            .map(|(service, finding)| (of(service).clone(), seen_from_here(&sharing.members[service].project, finding)))
            .collect();
        for member in sharing.members {
            let Some(at) = others.iter().position(|(name, ..)| *name == member.project.service) else { continue };
            let (name, pending, looked_at, mut findings, statements) = others.swap_remove(at);
            findings.extend(found.iter().filter(|(service, _)| *service == name).map(|(_, finding)| finding.clone()));
            whole.push(Linted { member, pending, looked_at, findings, statements });
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
) -> Result<(Pending, String), Failure> {
    if arguments.all {
        return Ok((Pending::Unknown, "all".to_owned()));
    }
    if let Some(revision) = &arguments.since {
        let known = git::files_at(revision, &project.root)?;
        let old = |file: &str| known.contains(file);
        let places = folder.set.iter().enumerate().filter(|(_, migration)| !old(&migration.up.file)).map(|(at, _)| at);
        return Ok((Pending::Some(places.collect()), format!("new since {revision}")));
    }
    if !arguments.offline
        && let Some(applied) = applied(context, project, folder).await
    {
        let places = folder.set.iter().enumerate().filter(|(_, migration)| !applied.contains(migration.version.as_str()));
        return Ok((Pending::Some(places.map(|(at, _)| at).collect()), "not applied in the database".to_owned()));
    }
    Ok(match survey::drafts(folder) {
        Pending::Some(drafts) => (Pending::Some(drafts), "drafts of the lock file".to_owned()),
        Pending::Unknown => (Pending::Unknown, "all: there is no lock file, and no database was asked".to_owned()),
    })
}

/// The versions that the database has, if one is named and answers soon.
async fn applied(context: &Context<'_>, project: &Project, folder: &Folder) -> Option<BTreeSet<String>> {
    let url = database_url::of(context, project).ok()?;
    let selected = Selected { project: project.clone(), folder: project.read(folder.set.dialect()), url, among_others: false };
    let (running, stop) = (Running::default(), Stop::default());
    let migrator = up::migrator(&selected, &running, &stop, context.output);
    match tokio::time::timeout(Duration::from_secs(3), migrator.status(&selected.url)).await {
        Ok(Ok(status)) => {
            let applied = folder.set.iter().filter(|migration| status.history().get(&migration.version).is_some());
            Some(applied.map(|migration| migration.version.as_str().to_owned()).collect())
        }
        Ok(Err(error)) => {
            context.output.details(format!("the database was not asked what is deployed: {}", error.message()));
            None
        }
        Err(_) => {
            context.output.details("the database was not asked what is deployed: it did not answer within 3 s");
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
    context.output.verb("Linted", &format!("`{}`: {}: {found}", one.member.project.service, one.looked_at));
    if errors + warnings > 0 {
        context.output.words(
            "             `cargo migrate explain RULE` says more; what is meant as it is gets a line above the statement:",
        );
        context.output.words("             `-- migrate: allow RULE: reason`");
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
