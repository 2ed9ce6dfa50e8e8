//! `lint`: shows what migrations would do to a live database.

use crate::arguments::Format;
use crate::ci_reports;
use crate::command::Context;
use crate::connection_source::UrlOrigin;
use crate::database_url::{self, Connection};
use crate::file_writer;
use crate::git;
use crate::harmless_session;
use crate::loaded_project;
use crate::lock_file_guard::LockFileGuard;
use crate::lock_findings::apart_from_lock;
use crate::migration_files::{self, Numbering};
use crate::packages;
use crate::relative_paths::{rejected, relative_to_cwd};
use crate::shared_database::{self, Member};
use crate::template::{self, Template};
use clap::Args;
use migrate_cli::Exit;
use migrate_cli::words::count_of;
use migrate_cli::{CommandError, views, words};
use migrate_lint::fix::{self, Fix};
use migrate_lint::folder_lint;
use migrate_lint::lint::{self, LintScope};
use migrate_model::files::folder::{FileList, Folder};
use migrate_model::files::lock_file::LockFile;
use migrate_model::files::project::Project;
use migrate_model::finding::{Finding, Level};
use migrate_model::migration::Migration;
use migrate_runtime::{DatabaseUrl, Migrator};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// Report statements that are unsafe on a live database
///
/// By default, only migrations that might not have been deployed yet are linted: the drafts (migrations that are not locked) and, if
/// `--database-url` or the environment sets a database URL, the migrations that are not applied to that database.
/// Without a lock file, all migrations are linted.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Lint every migration, each as if all earlier ones were deployed
    #[arg(long, conflicts_with = "since")]
    all: bool,
    /// Lint the migrations that are new or changed since this Git revision
    #[arg(long, value_name = "REV")]
    since: Option<String>,
    /// Do not query the database for the list of applied migrations
    #[arg(long)]
    offline: bool,
    /// Exit with an error even if there are only warnings
    #[arg(long)]
    strict: bool,
    /// Rewrite drafts where an automatic fix exists; show each change and ask for confirmation first
    #[arg(long, conflicts_with = "all")]
    fix: bool,
}

/// The result of linting one service.
struct Linted {
    member: Member,
    scope: LintScope,
    /// The scope as text: how many migrations were linted, and which.
    scope_text: String,
    findings: Vec<Finding>,
    statements: usize,
    rewrites: Vec<Fix>,
    /// The other services whose tables are known.
    neighbors: Vec<String>,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    if arguments.fix && context.global.format != Format::Human {
        return Err(CommandError::usage(
            "`--fix` shows each change as text and asks for confirmation: it has no other output format",
        )
        .help("run `cargo migrate lint --fix` without `--format`; for a report, run `cargo migrate lint` without `--fix`"));
    }
    let mut linted = Vec::new();
    for project in packages::projects(context)? {
        linted.push(lint_project(arguments, context, project).await?);
    }
    if arguments.fix {
        return fix(context, linted);
    }
    let linted = over_all(context, linted);
    let failing = if arguments.strict { Level::Warning } else { Level::Error };
    let failed = linted.iter().flat_map(|linted| &linted.findings).any(|finding| finding.level >= failing);
    match context.global.format {
        Format::Human => {
            for (at, linted) in linted.iter().enumerate() {
                print_findings(linted, at > 0, context);
            }
        }
        Format::Json => context.output.json(&json!({ "services": linted.iter().map(linted_json).collect::<Vec<_>>() })),
        Format::Sarif => context.output.json(&ci_reports::sarif(linted.iter().flat_map(|linted| &linted.findings))),
        Format::Github => {
            for finding in linted.iter().flat_map(|linted| &linted.findings) {
                context.output.ci_command(&ci_reports::github(finding));
            }
        }
    }
    Ok(if failed { Exit::Findings } else { Exit::Done })
}

async fn lint_project(arguments: &Arguments, context: &Context<'_>, project: Project) -> Result<Linted, CommandError> {
    let dialect = loaded_project::dialect_without_database(context, &project)?;
    let folder = project.read(dialect);
    let (mut options, mut findings) = folder_lint::options(&project.settings, dialect);
    // A program, and a reader who asks for everything, gets every place.
    if context.global.verbose || context.global.format != Format::Human {
        options.places_listed = None;
    }
    let (scope, selection) = lint_scope(arguments, context, &project, &folder, &mut options.undeployed).await?;
    let total = words::count_migrations(folder.set.len());
    let count = match &scope {
        LintScope::All => folder.set.len(),
        LintScope::Only(positions) => positions.len(),
    };
    let scope_text = format!("{count} of {total} ({selection})");
    let is_linted = |at: &usize| match &scope {
        LintScope::All => true,
        LintScope::Only(positions) => positions.contains(at),
    };
    let statements =
        folder.set.iter().enumerate().filter(|(at, _)| is_linted(at)).map(|(_, migration)| migration.up.statements.len()).sum();
    options.scope = scope;
    findings.extend(apart_from_lock(folder.findings.clone()));
    let rewrites = if arguments.fix { fix::fixes(folder.set.migrations(), &options) } else { Vec::new() };
    findings.extend(lint::lint(folder.set.migrations(), &options));
    let findings = findings.into_iter().map(|finding| relative_to_cwd(&project, finding)).collect();
    let member = Member::new(project, folder);
    Ok(Linted { member, scope: options.scope, scope_text, findings, statements, rewrites, neighbors: Vec::new() })
}

/// Rewrites drafts. Each change is shown first and needs confirmation.
fn fix(context: &Context<'_>, linted: Vec<Linted>) -> Result<Exit, CommandError> {
    let mut changed = 0;
    for linted in &linted {
        let project = &linted.member.project;
        let problems = linted.member.folder.findings.iter().filter(|finding| finding.is_error());
        let problems: Vec<Finding> = apart_from_lock(problems.cloned().collect()).into_iter().collect();
        if !problems.is_empty() {
            return Err(rejected(project, problems));
        }
        if linted.scope == LintScope::All && !linted.rewrites.is_empty() {
            return Err(CommandError::usage(format!(
                "cannot determine which files of `{}` are drafts that may be changed",
                project.service
            ))
            .help("create a lock file with `cargo migrate init`; or use `--since REV` with a Git revision: only files that are new or changed since then may be rewritten"));
        }
        for fix in &linted.rewrites {
            if apply_fix(context, &linted.member, fix)? {
                changed += 1;
            }
        }
    }
    context.output.message(if changed == 0 {
        "nothing was changed"
    } else {
        "run `cargo migrate lint` again to show the remaining findings"
    });
    Ok(Exit::Done)
}

/// Shows a fix and, once it is confirmed, writes its files. Returns `false` if nothing was written.
fn apply_fix(context: &Context<'_>, member: &Member, fix: &Fix) -> Result<bool, CommandError> {
    let project = &member.project;
    let root = project.first_folder().map_err(|finding| rejected(project, [*finding]))?;
    let migration = &member.folder.set.migrations()[fix.migration];
    let names = project.list_files();
    let mut guard = if member.folder.lock.is_some() { Some(LockFileGuard::take(project)?) } else { None };
    let mut lock = guard.as_mut().map(|guard| guard.read(&names)).transpose()?.unwrap_or_default();
    if is_locked(&migration.up.file, &names, &lock) {
        context.output.message(format!("`{}` is locked and was not changed", migration.title()));
        return Ok(false);
    }
    let edits = file_edits(migration, fix);
    let files = added_files(fix, &names)?;
    for edit in &edits {
        context.output.data(difference(edit.file, edit.before, edit.after));
    }
    for (file, text) in &files {
        context.output.data(difference(file, "", text));
    }
    if !confirm(context, migration, fix)? {
        return Ok(false);
    }
    migration_files::write(&root, &files, &project.boundary)?;
    for edit in &edits {
        file_writer::replace(&project.root.join(edit.file), edit.after)?;
    }
    if let Some(guard) = guard {
        lock.drafts.extend(files.iter().map(|(path, _)| path.clone()));
        guard.write(&lock)?;
    }
    context.output.status("Fixed", migration.title());
    Ok(true)
}

fn is_locked(path: &str, names: &FileList, lock: &LockFile) -> bool {
    names.files.iter().any(|file| file.display_path == path && lock.locked_checksum(&file.name).is_some())
}

/// A new text of an existing file.
struct FileEdit<'a> {
    file: &'a str,
    before: &'a str,
    after: &'a str,
}

/// The files of a migration that a fix changes.
fn file_edits<'a>(migration: &'a Migration, fix: &'a Fix) -> Vec<FileEdit<'a>> {
    let up = FileEdit { file: &migration.up.file, before: &migration.up.text, after: &fix.up };
    let down = migration.down.as_ref().zip(fix.down.as_ref());
    let down = down.map(|(script, after)| FileEdit { file: &script.file, before: &script.text, after });
    [up].into_iter().chain(down).filter(|edit| edit.before != edit.after).collect()
}

/// The files of the migrations that a fix adds, each as a path relative to the folder and a text.
fn added_files(fix: &Fix, names: &FileList) -> Result<Vec<(String, String)>, CommandError> {
    let mut files = Vec::new();
    let mut version = migration_files::next_version(Numbering::SameAsLatest, names, None)?;
    for added in &fix.added {
        let template = Template { suffix: "", up: added.up.clone(), down: added.down.clone() };
        files.extend(migration_files::file_names(names, &version, &template::file_name(&added.name), &template));
        version = version.successor();
    }
    Ok(files)
}

fn confirm(context: &Context<'_>, migration: &Migration, fix: &Fix) -> Result<bool, CommandError> {
    if context.global.yes {
        return Ok(true);
    }
    let question = format!("apply this change to `{}` to fix {}?", migration.title(), fix.rules.join(" and "));
    context.output.confirm(&question).ok_or_else(|| {
        CommandError::usage("the change needs confirmation, but no terminal is available")
            .help("review the change, then run the command again with `--yes`")
    })
}

fn difference(file: &str, before: &str, after: &str) -> String {
    let from = if before.is_empty() { "/dev/null" } else { file };
    let diff = similar::TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(3).header(from, file).to_string().trim_end().to_owned()
}

/// Adds the findings about services of one database that change each other's objects.
fn over_all(context: &Context<'_>, linted: Vec<Linted>) -> Vec<Linted> {
    let (mut members, mut results) = (Vec::new(), Vec::new());
    for Linted { member, scope, scope_text, findings, statements, rewrites, .. } in linted {
        members.push((member, scope.clone()));
        results.push((scope, scope_text, findings, statements, rewrites));
    }
    let compared = shared_database::compare(context, members).into_iter().zip(results);
    let combined = compared.map(|(compared, (scope, scope_text, mut findings, statements, rewrites))| {
        findings.extend(compared.findings);
        Linted { member: compared.member, scope, scope_text, findings, statements, rewrites, neighbors: compared.neighbors }
    });
    combined.collect()
}

/// The migrations to lint, and which these are, as text. Those that are deployed nowhere are put into `undeployed` if they are fewer.
async fn lint_scope(
    arguments: &Arguments,
    context: &Context<'_>,
    project: &Project,
    folder: &Folder,
    undeployed: &mut Option<BTreeSet<usize>>,
) -> Result<(LintScope, String), CommandError> {
    if arguments.all {
        return Ok((LintScope::All, "all, as requested by `--all`".to_owned()));
    }
    if let Some(revision) = &arguments.since {
        let files: Vec<(&str, &str)> = folder.set.iter().map(|migration| (&*migration.up.file, &*migration.up.text)).collect();
        let unchanged = git::unchanged_since(revision, &project.root, &files)?;
        let is_unchanged = |file: &str| unchanged.contains(file);
        let positions =
            folder.set.iter().enumerate().filter(|(_, migration)| !is_unchanged(&migration.up.file)).map(|(at, _)| at);
        return Ok((LintScope::Only(positions.collect()), format!("new or changed since {revision}")));
    }
    let LintScope::Only(drafts) = folder_lint::drafts(folder) else {
        return Ok((LintScope::All, "all, because there is no lock file".to_owned()));
    };
    let selection = if drafts.len() == 1 { "the migration that is not locked" } else { "the migrations that are not locked" };
    let applied = if arguments.offline { Ok(None) } else { applied(context, project, folder).await };
    let applied = applied.unwrap_or_else(|reason| {
        let linted = match drafts.len() {
            0 => "no migration is linted, because all of them are locked".to_owned(),
            1 => format!("only {selection} is linted"),
            _ => format!("only {selection} are linted"),
        };
        context.output.message(format!("{reason}; {linted}"));
        None
    });
    let Some((url, applied)) = applied else {
        return Ok((LintScope::Only(drafts), selection.to_owned()));
    };
    // The database may be one of several: a draft that it has is still a draft, and a locked migration that it lacks may be
    // deployed elsewhere.
    let unapplied = folder.set.iter().enumerate().filter(|(_, migration)| !applied.contains(migration.version.as_str()));
    let checked = unapplied.map(|(at, _)| at).chain(drafts.iter().copied()).collect();
    *undeployed = Some(drafts);
    Ok((LintScope::Only(checked), format!("the drafts and the migrations that are not applied in `{url}`")))
}

/// The database that was asked, and the versions in its history; `None` if no database may be asked.
///
/// `lint` runs over the files of strangers, so a file of the repository does not choose the server.
///
/// # Errors
/// Why the database cannot be queried, in one line; it has to answer within 3 seconds.
async fn applied(
    context: &Context<'_>,
    project: &Project,
    folder: &Folder,
) -> Result<Option<(DatabaseUrl, BTreeSet<String>)>, String> {
    let failed =
        |database: &str, reason: &str| format!("cannot query {database} for deployed migrations: {}", in_one_line(reason));
    let connection = database_url::if_given(context, project).map_err(|error| {
        let messages: Vec<String> = error.findings().into_iter().map(|finding| finding.message).collect();
        failed("the database", &messages.join("; "))
    })?;
    let Some(Connection { url, origin, .. }) = connection else { return Ok(None) };
    if let UrlOrigin::File(path) = origin {
        context.output.verbose(format!(
            "`{url}` was not queried for deployed migrations, because only `{path}` contains this URL; to query it, use `--database-url` or set `DATABASE_URL` in the environment"
        ));
        return Ok(None);
    }
    let failed = |reason: &str| failed(&format!("the database `{url}`"), reason);
    let migrator = Migrator::new(harmless_session::of(project, folder.set.dialect()).read(folder.set.dialect()).set);
    match tokio::time::timeout(Duration::from_secs(3), migrator.status(&url)).await {
        Ok(Ok(status)) => {
            let applied = folder.set.iter().filter(|migration| status.history().get(&(&migration.version).into()).is_some());
            let applied = applied.map(|migration| migration.version.as_str().to_owned()).collect();
            Ok(Some((url, applied)))
        }
        Ok(Err(error)) => Err(failed(error.message())),
        Err(_) => Err(failed("no answer within 3 s")),
    }
}

fn in_one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Prints the findings of a service and a summary; after another service, an empty line first, so that the findings are not
/// read as those of the summary above them.
fn print_findings(linted: &Linted, follows_another: bool, context: &Context<'_>) {
    let is_visible = |finding: &&Finding| finding.level > Level::Note || context.global.verbose;
    let findings: Vec<Finding> = linted.findings.iter().filter(is_visible).cloned().collect();
    if follows_another && !findings.is_empty() {
        context.output.message("");
    }
    context.output.findings(&findings);
    let count = |level: Level| linted.findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings, notes) = (count(Level::Error), count(Level::Warning), count(Level::Note));
    let of_level_note = match notes {
        0 => String::new(),
        _ if context.global.verbose => format!(", {} of level note", count_of(notes, "finding")),
        1 => ", 1 finding of level note (`-v` shows it)".to_owned(),
        _ => format!(", {notes} findings of level note (`-v` shows them)"),
    };
    let counts = if linted.findings.is_empty() {
        "no findings".to_owned()
    } else {
        format!("{}, {}{of_level_note}", count_of(errors, "error"), count_of(warnings, "warning"))
    };
    context.output.status("Linted", &format!("`{}`: {}, {counts}", linted.member.project.service, linted.scope_text));
    if let Some(neighbors) = words::neighbors(&linted.neighbors) {
        context.output.message(format!("             {neighbors}"));
    }
    if errors + warnings > 0 {
        context.output.message(
            "             `cargo migrate explain RULE` explains a rule; to suppress a finding, add above the statement:",
        );
        context.output.message("             `-- migrate: allow RULE: reason`");
    }
}

fn linted_json(linted: &Linted) -> serde_json::Value {
    json!({
        "service": linted.member.project.service,
        "migrations": linted.member.folder.set.len(),
        "statements": linted.statements,
        "same_database": linted.neighbors,
        "findings": linted.findings.iter().map(views::finding).collect::<Vec<_>>(),
    })
}
