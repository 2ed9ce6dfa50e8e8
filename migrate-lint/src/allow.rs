//! `-- migrate: allow RULE: reason`: what people have looked at and want.

use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::directives::{self, Allow};
use migrate_model::finding::Finding;
use migrate_model::place::Place;
use migrate_model::script::Script;

/// An `allow` that silences nothing.
pub static UNUSED_ALLOW: Code = Code::new(
    "unused-allow",
    "The file says `-- migrate: allow RULE: reason`, and that rule finds nothing there: the SQL was changed since, the name is misspelt, or \
     the line stands above another statement than the one that was meant. A line in the header of a file is for the whole file, one above a \
     statement for that statement. Remove the line, so that it does not silence something new one day.",
);

/// What a script allows, and what of it was needed.
#[derive(Debug)]
pub struct Allowed {
    all: Vec<(Allow, Option<usize>, bool)>,
}

impl Allowed {
    /// Reads them.
    pub fn of(script: &Script, dialect: Dialect) -> Self {
        if !script.text.contains("allow") {
            return Allowed { all: Vec::new() };
        }
        let first = script.statements.first().map_or(script.text.len(), |first| first.range.start);
        let place = |allow: &Allow| {
            // Behind a statement, on its line, it is for that one; else for the next.
            let line = script.text[..allow.range.start].rfind('\n').map_or(0, |at| at + 1);
            let same = script.statements.iter().position(|one| one.range.end > line && one.range.end <= allow.range.start);
            let above = same.or_else(|| script.statements.iter().position(|statement| statement.range.end > allow.range.start));
            if allow.range.start < first { None } else { above }
        };
        let allows = directives::allows(&script.text, dialect).into_iter();
        Allowed { all: allows.map(|allow| (place(&allow), allow)).map(|(place, allow)| (allow, place, false)).collect() }
    }

    /// Is a rule silenced at a statement, or for the file?
    pub fn suppresses(&mut self, rule: &str, statement: Option<usize>) -> bool {
        let mut found = false;
        for (allow, above, used) in &mut self.all {
            if allow.rule == rule && (above.is_none() || *above == statement || statement.is_none()) {
                (*used, found) = (true, true);
            }
        }
        found
    }

    /// What silences nothing. Rules that are asked elsewhere may silence something there.
    pub fn problems(self, script: &Script, known: impl Fn(&str) -> bool, elsewhere: &[&Code]) -> Vec<Finding> {
        let unused = self.all.into_iter().filter(|(_, _, used)| !used);
        let problem = |allow: Allow| {
            let place = Place::range(&*script.file, &script.text, allow.range);
            if crate::rules::find(&allow.rule).is_none() && elsewhere.iter().all(|code| code.name != allow.rule) {
                let near = crate::rules::nearest(&allow.rule);
                let finding = Finding::warning(&UNUSED_ALLOW, format!("there is no rule `{}`", allow.rule)).at(place);
                return Some(match near {
                    Some(near) => finding.help(format!("write `{near}`")),
                    None => finding.help("`cargo migrate explain` lists all"),
                });
            }
            // One that is not looked for here finds nothing.
            known(&allow.rule).then(|| {
                Finding::warning(&UNUSED_ALLOW, format!("`allow {}` silences nothing", allow.rule))
                    .at(place)
                    .help("remove the line")
            })
        };
        unused.filter_map(|(allow, _, _)| problem(allow)).collect()
    }
}
