//! The rule `enum-rename-value`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{Syntax, TypeAction};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "enum-rename-value",
        "`RENAME VALUE` takes a label away from the release that runs: its queries that name the old one fail, and \
         what it reads has a name that it does not know.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "add the new label, let the application change over, change the rows in batches; the old label may stay",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m RENAME VALUE 'a' TO 'b';"])],
    not_flagged: &[postgres(&[
        "CREATE TYPE m AS ENUM ('a');",
        "-- migrate: phase contract\nALTER TYPE m RENAME VALUE 'a' TO 'b';",
    ])],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::AlterType { name, action: TypeAction::RenameValue { from, to } } = context.syntax()
        && !context.file.is_contract()
    {
        findings.add(RuleFinding::new(format!("the release that runs knows '{from}' of `{name}`, and not '{to}'")));
    }
}
