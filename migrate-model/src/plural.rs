//! Counts in messages.

/// `1 file`, `2 files`.
pub fn count_of(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// What follows the first of several: ` (and 2 more errors)`; nothing if there are no others.
pub fn and_more(others: usize, noun: &str) -> String {
    if others == 0 { String::new() } else { format!(" (and {})", count_of(others, &format!("more {noun}"))) }
}

/// `is` for one, `are` for any other number.
pub const fn is_are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
