//! Words that several commands use.

pub use migrate_model::plural::count_of;
use migrate_runtime::Direction;

/// "1 migration", "2 migrations".
pub fn count_migrations(count: usize) -> String {
    count_of(count, "migration")
}

/// The verb for what a run does in a direction: "apply" or "revert".
pub fn verb(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "apply",
        Direction::Down => "revert",
    }
}
