//! `001_create_users.sql`, with `rollback/001_drop_users.sql` where there is such a folder.

use crate::layout::{Layout, Listing, Reading};
use crate::target::Direction;

/// The convention.
pub static LAYOUT: Layout = Layout { name: "simple", example: "001_create_users.sql", wants_down: false, read };

fn read(_: &Listing, path: &str) -> Reading {
    let Some(stem) = path.strip_suffix(".sql") else {
        return Reading::Foreign;
    };
    match stem.split_once('/') {
        None => Reading::numbered(stem, Direction::Up),
        // `002_rollback_notifications.sql` reverts `002_notifications.sql`.
        Some(("rollback", stem)) => match Reading::numbered(stem, Direction::Down) {
            Reading::Named(mut named) => {
                if let Some(name) = named.name.strip_prefix("rollback_") {
                    named.name = name.to_owned();
                }
                Reading::Named(named)
            }
            other => other,
        },
        Some(_) => Reading::Foreign,
    }
}
