//! The parsers of argument values.

use migrate_runtime::{LockStrategy, Version};
use std::time::Duration;

/// Parses a duration.
///
/// # Errors
/// If the number or its unit is missing.
pub fn duration(text: &str) -> Result<Duration, String> {
    migrate_model::duration::parse(text)
        .ok_or_else(|| format!("`{text}` is not a valid duration: write a number and a unit, as in `500ms`, `30s` or `10m`"))
}

/// Parses a locking strategy.
///
/// # Errors
/// If there is no such strategy.
pub fn lock_strategy(text: &str) -> Result<LockStrategy, String> {
    let known = LockStrategy::ALL.map(LockStrategy::name).join("`, `");
    text.parse().map_err(|()| format!("`{text}` is not a valid locking strategy: use one of `{known}`"))
}

/// Parses a version.
///
/// # Errors
/// If the text is not a version.
pub fn version(text: &str) -> Result<Version, String> {
    text.parse().map_err(|error: migrate_model::version::InvalidVersion| error.to_string())
}

/// Parses a number of migrations, which is at least 1.
///
/// # Errors
/// If the text is not such a number.
pub fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| format!("`{text}` is not a valid number of migrations: the number must be at least 1"))
}
