//! The rule `enum-rename-value`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{Syntax, TypeAction};

/// Flags `RENAME VALUE` outside a contract migration.
pub static RULE: Rule = Rule {
    code: Code::new(
        "enum-rename-value",
        "`ALTER TYPE ... RENAME VALUE` breaks the deployed version of the application: queries that contain the old \
         value fail, and queries return the new value, which this version does not know. In a contract migration \
         (`-- migrate: phase contract`), the statement is not flagged.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "add the new value with `ADD VALUE`, deploy a version of the application that uses it, and update the rows \
         in batches; the old value can remain in the type",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
        findings.add(RuleFinding::new(format!(
            "the deployed version of the application uses '{from}' of `{name}` and does not know '{to}'"
        )));
    }
}
