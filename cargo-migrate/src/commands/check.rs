//! `check`: runs the checks of the macro without compiling.

use crate::arguments::Format;
use crate::ci_reports;
use crate::command::Context;
use crate::known_services::{self, KnownWorkspace};
use crate::loaded_project;
use crate::packages;
use crate::relative_paths::relative_to_cwd;
use crate::shared_database::{self, Member};
use clap::Args;
use migrate_cli::Exit;
use migrate_cli::words::{self, count_migrations, count_of};
use migrate_cli::{CommandError, views};
use migrate_lint::folder_lint;
use migrate_model::files::check::{self, CheckOptions};
use migrate_model::files::project::Project;
use migrate_model::finding::Finding;
use migrate_model::finding::Level;
use serde_json::{Value, json};

/// Check the migration files (names, up/down pairs, order, directives) and the lock file, and lint the drafts (the migrations that are not locked)
#[derive(Debug, Args)]
pub struct Arguments {
    /// Report an error for each migration that is not locked; use this in CI before a deployment
    #[arg(long)]
    locked: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let options = CheckOptions { require_locked: arguments.locked };
    let (mut services, mut all) = (Vec::new(), Vec::new());
    let (mut members, mut checked) = (Vec::new(), Vec::new());
    let projects = packages::projects(context)?;
    let known = known_services::of(context, &projects)?;
    for project in projects {
        let dialect = match loaded_project::dialect_without_database(context, &project) {
            Ok(dialect) => dialect,
            Err(CommandError::Findings(findings)) => {
                // Continue, so that the findings of all packages are reported together.
                print(&findings, context);
                services.push(document(&project, None, &findings));
                all.extend(findings);
                continue;
            }
            Err(error) => return Err(error),
        };
        let folder = project.read(dialect);
        let mut findings = check::check(&folder, &project.settings, options);
        findings.extend(folder_lint::for_build(&folder, &project.settings));
        findings.extend(known.iter().flat_map(|known| known.problems(&folder.set)));
        checked.push(findings.into_iter().map(|finding| relative_to_cwd(&project, finding)).collect::<Vec<Finding>>());
        let drafts = folder_lint::drafts(&folder);
        members.push((Member::new(project, folder), drafts));
    }
    for (compared, mut findings) in shared_database::compare(context, members).into_iter().zip(checked) {
        findings.extend(compared.findings);
        let (project, count) = (&compared.member.project, compared.member.folder.set.len());
        print(&findings, context);
        summarize(project, count, &findings, &compared.neighbors, context);
        services.push(document(project, Some(count), &findings));
        all.extend(findings);
    }
    let cycle = known.as_ref().and_then(KnownWorkspace::cycle);
    let between: Vec<Finding> = cycle.into_iter().map(|(project, finding)| relative_to_cwd(project, finding)).collect();
    print(&between, context);
    let shared: Vec<_> = between.iter().map(views::finding).collect();
    all.extend(between);
    match context.global.format {
        Format::Human => {}
        Format::Json => context.output.json(&json!({ "services": services, "findings": shared })),
        Format::Sarif => context.output.json(&ci_reports::sarif(all.iter())),
        Format::Github => all.iter().for_each(|finding| context.output.ci_command(&ci_reports::github(finding))),
    }
    Ok(if all.iter().any(Finding::is_error) { Exit::Findings } else { Exit::Done })
}

fn print(findings: &[Finding], context: &Context<'_>) {
    if context.global.format == Format::Human {
        context.output.findings(findings);
    }
}

fn summarize(project: &Project, count: usize, findings: &[Finding], neighbors: &[String], context: &Context<'_>) {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.iter().filter(|finding| finding.level == Level::Warning).count();
    let problems = match (errors, warnings) {
        (0, 0) => "no problems".to_owned(),
        (0, warnings) => count_of(warnings, "warning"),
        (errors, 0) => count_of(errors, "error"),
        (errors, warnings) => format!("{}, {}", count_of(errors, "error"), count_of(warnings, "warning")),
    };
    let summary = format!("`{}`: {}, {problems}", project.service, count_migrations(count));
    if errors == 0 {
        context.output.status("Checked", &summary);
    } else {
        context.output.message(summary);
    }
    if let Some(neighbors) = words::neighbors(neighbors) {
        context.output.message(format!("             {neighbors}"));
    }
}

/// What is reported on a service, as JSON.
fn document(project: &Project, migrations: Option<usize>, findings: &[Finding]) -> Value {
    json!({
        "service": project.service,
        "migrations": migrations,
        "findings": findings.iter().map(views::finding).collect::<Vec<_>>(),
    })
}
