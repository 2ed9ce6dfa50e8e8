//! The difference between two texts of a statement, line by line.

/// The changed lines, with `-` for the old text and `+` for the new one. Equal lines at the start and the end are omitted,
/// except for the last one before the change.
///
/// ```
/// # use migrate_model::diff::diff_statements;
/// assert_eq!(diff_statements("a\nb\nc", "a\nx\nc"), "  a\n- b\n+ x");
/// ```
pub fn diff_statements(before: &str, now: &str) -> String {
    let (before, now): (Vec<&str>, Vec<&str>) = (before.lines().collect(), now.lines().collect());
    let head = before.iter().zip(&now).take_while(|(old, new)| old == new).count();
    let (old, new) = (&before[head..], &now[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let context = head.checked_sub(1).filter(|_| before != now).map(|line| format!("  {}", before[line]));
    let removed = old[..old.len() - tail].iter().map(|line| format!("- {line}"));
    let added = new[..new.len() - tail].iter().map(|line| format!("+ {line}"));
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
