//! The rule `enum-add-value-down`.

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
        "enum-add-value-down",
        "A label of an enumerated type cannot be removed again: the way down cannot undo `ADD VALUE`.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    fix: "say so in the file: `-- migrate: irreversible: labels of a type stay`",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m ADD VALUE 'b';\n--- down\nSELECT 1;"])],
    not_flagged: &[
        postgres(&["CREATE TYPE m AS ENUM ('a');", "-- migrate: irreversible: labels stay\nALTER TYPE m ADD VALUE 'b';"]),
        postgres(&["CREATE TYPE m AS ENUM ('a'); ALTER TYPE m ADD VALUE 'b';\n--- down\nDROP TYPE m;"]),
    ],
    verification: Verification::Manual("PostgreSQL manual, ALTER TYPE"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::AlterType { name, action: TypeAction::AddValue { label, .. } } = context.syntax()
        && let Some(down) = &context.file.migration.down
    {
        let drops = down.text.to_ascii_uppercase().contains("DROP TYPE");
        if !drops {
            findings.add(RuleFinding::new(format!("the way down cannot take '{label}' from `{name}` again")));
        }
    }
}
