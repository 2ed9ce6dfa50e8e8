//! What changed between two texts of one statement, line by line.

/// The lines that only one has, with `-` and `+` before them; what stands before and behind them is left out, but for the
/// line before.
///
/// ```
/// # use migrate_model::difference::difference;
/// assert_eq!(difference("a\nb\nc", "a\nx\nc"), "  a\n- b\n+ x");
/// ```
pub fn diff_statements(before: &str, now: &str) -> String {
    let (before, now): (Vec<&str>, Vec<&str>) = (before.lines().collect(), now.lines().collect());
    let head = before.iter().zip(&now).take_while(|(one, other)| one == other).count();
    let (rest, other) = (&before[head..], &now[head..]);
    let tail = rest.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    let context = head.checked_sub(1).filter(|_| before != now).map(|line| format!("  {}", before[line]));
    let removed = rest[..rest.len() - tail].iter().map(|line| format!("- {line}"));
    let added = other[..other.len() - tail].iter().map(|line| format!("+ {line}"));
    context.into_iter().chain(removed).chain(added).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_has() {
        assert_eq!(diff_statements("SELECT 1", "SELECT 2"), "- SELECT 1\n+ SELECT 2");
        assert_eq!(diff_statements("SELECT 1", ""), "- SELECT 1");
        assert_eq!(diff_statements("a\nb", "a\nb\nc"), "  b\n+ c");
        assert_eq!(diff_statements("a\na\na", "a\na"), "  a\n- a");
        assert_eq!(diff_statements("same", "same"), "");
    }
}
