//! Completion in shells: the scripts call this program, which answers with the candidates for a word. So versions of migrations
//! and names of rules can be completed, too.

use crate::commands::explain;
use crate::packages;
use clap::{Arg, Command};
use clap_complete::ArgValueCandidates;
use clap_complete::engine::{self, CompletionCandidate};
use migrate_model::files::project::Project;
use migrate_model::files::settings;
use migrate_model::target::Direction;
use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

/// A script sets this variable to the position of the word that is to be completed; the arguments are the words of the line.
pub const INDEX: &str = "CARGO_MIGRATE_COMPLETE";

/// The candidates for a word, one on each line; after a tab, its description. Without a candidate, the shell completes files.
pub fn candidates(mut command: Command, words: Vec<OsString>, index: usize) -> String {
    let with_values = |argument: Arg| {
        let name = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
        if name == "VERSION" {
            argument.add(ArgValueCandidates::new(versions))
        } else if argument.get_id() == "package" {
            argument.add(ArgValueCandidates::new(packages_and_services))
        } else if name.contains('|') {
            // The help lists the values.
            let values = move || name.split('|').map(|value| CompletionCandidate::new(value.to_owned())).collect();
            argument.add(ArgValueCandidates::new(values))
        } else {
            argument
        }
    };
    command = command.mut_args(with_values).mut_subcommands(|command| command.mut_args(with_values));
    command = command
        .mut_subcommand("explain", |command| command.mut_arg("code", |argument| argument.add(ArgValueCandidates::new(codes))));
    let folder = env::current_dir().ok();
    let candidates = engine::complete(&mut command, words, index, folder.as_deref()).unwrap_or_default();
    let mut text = String::new();
    for candidate in candidates.iter().filter(|candidate| !candidate.is_hide_set()) {
        let value = candidate.get_value().to_string_lossy();
        match candidate.get_help().map(ToString::to_string) {
            // Only the first line of a description fits.
            Some(help) => {
                let _ = writeln!(text, "{value}\t{}", help.lines().next().unwrap_or_default());
            }
            None => {
                let _ = writeln!(text, "{value}");
            }
        }
    }
    text
}

/// The versions of the nearest project, the newest first.
fn versions() -> Vec<CompletionCandidate> {
    let Ok(folder) = env::current_dir() else { return Vec::new() };
    let has_project = |folder: &&Path| folder.join(settings::FILE).is_file() || folder.join("migrations").is_dir();
    let Some(root) = folder.ancestors().find(has_project) else { return Vec::new() };
    let (project, _) = Project::of_folder(root, &[]);
    let files = project.list_files().files;
    let ups = files.iter().rev().filter(|file| file.direction == Direction::Up);
    ups.map(|file| CompletionCandidate::new(file.version.as_str()).help(Some(file.title.clone().into()))).collect()
}

/// What `-p` accepts, if cargo can read the workspace.
fn packages_and_services() -> Vec<CompletionCandidate> {
    packages::names().into_iter().map(CompletionCandidate::new).collect()
}

/// All codes, among them the names of the safety rules.
fn codes() -> Vec<CompletionCandidate> {
    explain::codes().into_iter().map(|code| CompletionCandidate::new(code.name)).collect()
}
