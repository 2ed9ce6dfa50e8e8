//! The rule `prefer-text`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a `varchar` or `char` column with a length limit.
pub static RULE: Rule = Rule {
    code: Code::new(
        "prefer-text",
        "`varchar(n)` has no advantage over `text` in PostgreSQL, and changing it to a shorter limit scans or \
         rewrites the whole table under an ACCESS EXCLUSIVE lock. A CHECK on the length can be replaced without \
         blocking reads and writes for long. The rule also flags `char(n)`.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "write `text`, and add a CHECK on the length if a limit is required",
    opt_in: true,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&["CREATE TABLE t (a varchar(20));"])],
    not_flagged: &[postgres(&["CREATE TABLE t (a text);"])],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for column in context.new_columns() {
        let Some(ty) = &column.ty else { continue };
        if matches!(ty.name.as_str(), "varchar" | "char") && !ty.arguments.is_empty() {
            findings.add(RuleFinding::new(format!("column `{}` has type `{ty}`", column.name)).at(&column.range));
        }
    }
}
