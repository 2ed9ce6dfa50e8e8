//! `001_create_users.sql`, with `rollback/001_drop_users.sql` where there is such a folder.

use crate::layout::{FolderUse, Layout, NameMatch, NewMigration, NewPaths};
use crate::target::Direction;

/// The layout `simple`.
pub static LAYOUT: Layout = Layout {
    name: "simple",
    example: "001_create_users.sql",
    wants_down: false,
    detect: |_| false,
    parse,
    down_path: |up| format!("{FOLDER}/{up}"),
    new_paths,
    folder_use: |path| path.split_once('/').filter(|(folder, _)| *folder == FOLDER).map(|_| FolderUse::DownMigrations),
    title: |_| None,
};

/// The folder of the down migrations.
const FOLDER: &str = "rollback";

fn parse(_: bool, path: &str) -> NameMatch {
    let Some(stem) = path.strip_suffix(".sql") else {
        return NameMatch::NoMatch;
    };
    match stem.split_once('/') {
        None => NameMatch::numbered(stem, Direction::Up),
        // `002_rollback_notifications.sql` reverts `002_notifications.sql`.
        Some((FOLDER, stem)) => match NameMatch::numbered(stem, Direction::Down) {
            NameMatch::Matched(mut parsed) => {
                if let Some(name) = parsed.name.strip_prefix("rollback_") {
                    parsed.name = name.to_owned();
                }
                NameMatch::Matched(parsed)
            }
            other => other,
        },
        Some(_) => NameMatch::NoMatch,
    }
}

/// Only a folder that has down migrations gets another one.
fn new_paths(new: &NewMigration<'_>) -> NewPaths {
    let up = format!("{}_{}.sql", new.version, new.name);
    let down = (!new.downs.is_empty()).then(|| format!("{FOLDER}/{up}"));
    NewPaths { up, down }
}
