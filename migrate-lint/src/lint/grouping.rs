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
            let lines: Vec<String> = same.iter().map(|other| other.line.to_string()).collect();
            let noun = if lines.len() == 1 { "line" } else { "lines" };
            first.notes.push(format!("also on {noun} {}", lines.join(", ")));
        }
        let (listed, omitted) = different.split_at(limit.unwrap_or(usize::MAX).min(different.len()));
        first.notes.extend(listed.iter().map(|other| format!("also on line {}: {}", other.line, other.message)));
        if !omitted.is_empty() {
            first.notes.push(format!("and {} more in this file", omitted.len()));
        }
        first
    }
}
