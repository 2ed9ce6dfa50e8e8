//! `001_create_users.sql`, with an optional down migration such as `rollback/001_drop_users.sql`.

use crate::layout::{FolderHints, Layout, NameMatch};
use crate::target::Direction;

/// The layout `simple`.
pub static LAYOUT: Layout = Layout { name: "simple", example: "001_create_users.sql", wants_down: false, read };

fn read(_: &FolderHints, path: &str) -> NameMatch {
    let Some(stem) = path.strip_suffix(".sql") else {
        return NameMatch::NoMatch;
    };
    match stem.split_once('/') {
        None => NameMatch::numbered(stem, Direction::Up),
        // `002_rollback_notifications.sql` reverts `002_notifications.sql`.
        Some(("rollback", stem)) => match NameMatch::numbered(stem, Direction::Down) {
            NameMatch::Matched(mut named) => {
                if let Some(name) = named.name.strip_prefix("rollback_") {
                    named.name = name.to_owned();
                }
                NameMatch::Matched(named)
            }
            other => other,
        },
        Some(_) => NameMatch::NoMatch,
    }
}
