//! The words of other migration tools for commands of this one.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// A command of this tool, what it does, and the words of other tools for it.
const COMMANDS: [(&str, &str, &[&str]); 10] = [
    (
        "up",
        "applies the pending migrations",
        &["run", "migrate", "apply", "execute", "deploy", "update", "upgrade", "latest", "forward"],
    ),
    ("down", "reverts the newest migration", &["revert", "rollback", "undo", "downgrade", "back", "reverse"]),
    (
        "status",
        "shows the state of each migration",
        &["info", "list", "ls", "show", "history", "state", "version", "current", "pending"],
    ),
    ("new", "creates the files of a migration", &["add", "create", "make", "gen", "generate-migration"]),
    ("init", "creates the migrations folder", &["setup", "install"]),
    ("verify", "compares the migration files with the history", &["validate", "diff"]),
    ("db reset", "drops the database, creates it again and applies all migrations", &["reset", "fresh", "refresh", "recreate"]),
    ("db drop", "drops the database", &["drop", "clean", "wipe"]),
    ("lock", "records the checksums of the migration files", &["hash", "checksum"]),
    ("resolve", "settles the state of a partially applied migration", &["force", "mark", "skip", "resolved"]),
];

/// Adds to an error about an unknown command which command of this tool the word means elsewhere.
pub fn add_suggestion(error: &mut Error) {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return };
    let Some((command, effect, _)) = COMMANDS.iter().find(|(_, _, words)| words.contains(&word.as_str())) else { return };
    let suggestion = format!("`cargo migrate {command}` {effect}");
    // A similar name is not what is meant.
    error.remove(ContextKind::SuggestedSubcommand);
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![suggestion.into()]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::collections::BTreeSet;

    #[test]
    fn each_word_leads_to_one_command() {
        let commands = crate::Arguments::command();
        let mut known = BTreeSet::new();
        for (command, _, words) in COMMANDS {
            let found = command.split(' ').try_fold(&commands, |above, name| above.find_subcommand(name));
            assert!(found.is_some(), "{command}");
            for word in words {
                assert!(known.insert(word), "{word} leads to two commands");
                assert!(commands.find_subcommand(word).is_none(), "{word} is a command");
            }
        }
    }
}
