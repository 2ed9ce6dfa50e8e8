//! Groups the findings of one rule in one file into one finding.

use crate::rules;
use migrate_model::finding::Finding;

/// The first finding of a rule in a file, and the others.
struct Group {
    first: Finding,
    others: Vec<OtherPlace>,
}

struct OtherPlace {
    line: usize,
    message: String,
}

/// How many numbers of lines a note lists, if it is limited at all.
const MOST_LINES: usize = 100;

/// How many notes a finding has, if they are limited at all.
const MOST_NOTES: usize = 100;

/// Merges the findings that one rule reports in one file at one level: the first one remains and lists the others in notes,
/// because the decision about them is usually the same. `limit` is the maximum number of messages in the notes.
pub fn group_by_rule(findings: Vec<Finding>, limit: Option<usize>) -> Vec<Finding> {
    let mut groups: Vec<Group> = Vec::new();
    for finding in findings {
        let line = finding.place.as_ref().and_then(|place| place.span.as_ref()).map(|span| span.position.line);
        let group = groups.iter_mut().find(|group| group.accepts(&finding));
        match (group, line) {
            (Some(group), Some(line)) if rules::find(finding.code.name).is_some() => {
                group.others.push(OtherPlace { line, message: finding.message });
            }
            _ => groups.push(Group { first: finding, others: Vec::new() }),
        }
    }
    groups.into_iter().map(|group| group.into_finding(limit)).collect()
}

impl Group {
    fn accepts(&self, finding: &Finding) -> bool {
        let file = |finding: &Finding| finding.place.as_ref().map(|place| place.file.clone());
        self.first.code == finding.code && self.first.level == finding.level && file(&self.first) == file(finding)
    }

    fn into_finding(self, limit: Option<usize>) -> Finding {
        let Group { mut first, others } = self;
        let (same, different): (Vec<_>, Vec<_>) = others.iter().partition(|other| other.message == first.message);
        if !same.is_empty() {
            let most = if limit.is_some() { MOST_LINES } else { usize::MAX };
            let lines: Vec<String> = same.iter().take(most).map(|other| other.line.to_string()).collect();
            let noun = if same.len() == 1 { "line" } else { "lines" };
            let more = same.len() - lines.len();
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            first.notes.push(format!("also on {noun} {}{more}", lines.join(", ")));
        }
        let (listed, omitted) = different.split_at(limit.unwrap_or(usize::MAX).min(different.len()));
        first.notes.extend(listed.iter().map(|other| format!("also on line {}: {}", other.line, other.message)));
        if !omitted.is_empty() {
            first.notes.push(format!("and {} more in this file", omitted.len()));
        }
        // A finding about a whole file may have a note for each of its objects.
        if limit.is_some() && first.notes.len() > MOST_NOTES + 1 {
            let more = first.notes.split_off(MOST_NOTES).len();
            first.notes.push(format!("and {more} more; `-v` lists all"));
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use migrate_model::place::Place;

    #[test]
    fn long_lists_are_cut_unless_all_are_asked_for() {
        let code = &rules::ALL[0].code;
        let text = "x\n".repeat(1_000);
        let all = || (0..500).map(|at| Finding::error(code, "a problem").at(Place::range("a.sql", &text, at * 2..at * 2 + 1)));
        let note = |limit| group_by_rule(all().collect(), limit)[0].notes[0].clone();
        assert!(note(Some(8)).ends_with(", 101 and 399 more"), "{}", note(Some(8)));
        assert!(note(None).ends_with(", 499, 500"), "{}", note(None));
        let noted = || (0..500).fold(Finding::error(code, "a problem"), |finding, at| finding.note(format!("note {at}")));
        let count = |limit| group_by_rule(vec![noted()], limit)[0].notes.len();
        assert_eq!((count(Some(8)), count(None)), (101, 500));
    }
}
