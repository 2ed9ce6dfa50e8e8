//! Counts in messages.

/// `1 file`, `2 files`.
pub fn count_of(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `is` for one, `are` for any other number.
pub const fn is_are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
