//! `check`: runs the checks of the macro without compiling.

use crate::arguments::Format;
use crate::ci_reports;
use crate::command::Context;
use crate::loaded_project;
use crate::packages;
use crate::relative_paths::relative_to_cwd;
use clap::Args;
use migrate_cli::Exit;
use migrate_cli::words::{count_migrations, count_of};
use migrate_cli::{CommandError, views};
use migrate_lint::folder_lint;
use migrate_model::files::check::{self, CheckOptions};
use migrate_model::finding::Finding;
use migrate_model::finding::Level;
use serde_json::json;

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
    let mut errors = 0;
    for project in packages::projects(context)? {
        let dialect = match loaded_project::dialect_without_database(context, &project) {
            Ok(dialect) => dialect,
            Err(CommandError::Findings(findings)) => {
                // Continue, so that the findings of all packages are reported together.
                errors += findings.len();
                if context.global.format == Format::Human {
                    context.output.findings(&findings);
                }
                all.extend(findings.iter().cloned());
                services.push(json!({
                    "service": project.service, "migrations": null, "findings": findings.iter().map(views::finding).collect::<Vec<_>>(),
                }));
                continue;
            }
            Err(error) => return Err(error),
        };
        let folder = project.read(dialect);
        let mut findings = check::check(&folder, &project.settings, options);
        findings.extend(folder_lint::for_build(&folder, &project.settings));
        let findings: Vec<Finding> = findings.into_iter().map(|finding| relative_to_cwd(&project, finding)).collect();
        let error_count = findings.iter().filter(|finding| finding.is_error()).count();
        errors += error_count;
        if context.global.format == Format::Human {
            context.output.findings(&findings);
        }
        let checked = count_migrations(folder.set.len());
        let warnings = findings.iter().filter(|finding| finding.level == Level::Warning).count();
        let problems = match (error_count, warnings) {
            (0, 0) => "no problems".to_owned(),
            (0, warnings) => count_of(warnings, "warning"),
            (errors, 0) => count_of(errors, "error"),
            (errors, warnings) => format!("{}, {}", count_of(errors, "error"), count_of(warnings, "warning")),
        };
        let summary = format!("`{}`: {checked}, {problems}", project.service);
        if error_count == 0 {
            context.output.status("Checked", &summary);
        } else {
            context.output.message(summary);
        }
        services.push(json!({
            "service": project.service,
            "migrations": folder.set.len(),
            "findings": if context.global.format == Format::Json { findings.iter().map(views::finding).collect() } else { Vec::new() },
        }));
        all.extend(findings);
    }
    match context.global.format {
        Format::Human => {}
        Format::Json => context.output.json(&json!({ "services": services })),
        Format::Sarif => context.output.json(&ci_reports::sarif(all.iter())),
        Format::Github => all.iter().for_each(|finding| context.output.ci_command(&ci_reports::github(finding))),
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Findings })
}
