//! Words that several commands use.

use migrate_runtime::Direction;

/// "1 migration", "2 migrations".
pub fn count_migrations(count: usize) -> String {
    count_of(count, "migration")
}

/// "1 file", "2 files".
pub fn count_of(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The verb for what a run does in a direction: "apply" or "revert".
pub fn verb(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "apply",
        Direction::Down => "revert",
    }
}
