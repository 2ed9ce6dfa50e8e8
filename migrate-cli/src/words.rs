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
/// How many services a line names.
const NAMED_SERVICES: usize = 6;

/// With which services of its database a service was compared; `None` if it is alone.
pub fn neighbors(services: &[String]) -> Option<String> {
    let mut names: Vec<String> = services.iter().take(NAMED_SERVICES).map(|name| format!("`{name}`")).collect();
    if services.len() > NAMED_SERVICES {
        names.push(format!("{} more", services.len() - NAMED_SERVICES));
    }
    let last = names.pop()?;
    let names = if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) };
    Some(format!("compared with what {names} own{} in the same database", if services.len() == 1 { "s" } else { "" }))
}
