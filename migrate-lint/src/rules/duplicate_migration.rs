//! The rule `duplicate-migration`.

use crate::context::{FileContext, ParsedStatement};
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "duplicate-migration",
        "The file says the same as an earlier one, apart from comments and white space: it was copied and not \
         changed, or two branches brought the same change.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "delete one of them, or say why both are needed: `-- migrate: allow duplicate-migration: reason`",
    opt_in: false,
    down: false,
    check: Check::File(check),
    flagged: &[
        postgres(&["ALTER TABLE t ADD COLUMN IF NOT EXISTS c int;", "-- again\nALTER TABLE t ADD COLUMN IF NOT EXISTS c int;"]),
        postgres(&["INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"]),
    ],
    not_flagged: &[
        postgres(&["INSERT INTO t VALUES (1);", "INSERT INTO t VALUES (2);"]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nDROP TABLE t;", "CREATE TABLE t (a int);"]),
    ],
    verification: Verification::Files,
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    let does = |read: &ParsedStatement| !matches!(read.syntax, Syntax::Query | Syntax::Transaction(_) | Syntax::Set(_));
    if !context.file.statements.iter().any(does) {
        return;
    }
    if let Some(first) = context.same_as {
        let other = &context.history[first];
        // A table that was dropped in between comes back by the same words.
        let drops = |migration: &migrate_model::migration::Migration| migration.up.text.to_ascii_uppercase().contains("DROP ");
        if !context.history[first + 1..context.file.index].iter().any(drops) {
            findings.add(RuleFinding::new(format!("`{}` says the same as `{}`", context.file.migration.title(), other.title())));
        }
    }
}
