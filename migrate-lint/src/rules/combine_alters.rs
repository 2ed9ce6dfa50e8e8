//! The rule `combine-alters`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags an `ALTER TABLE` that scans a table directly after another one that scanned it.
pub static RULE: Rule = Rule {
    code: Code::new(
        "combine-alters",
        "If several consecutive `ALTER TABLE` statements each require a scan of the same table, PostgreSQL scans the \
         table once for each statement. If the same changes are clauses of one `ALTER TABLE`, a single scan is \
         enough.",
    ),
    level: Level::Note,
    on: &[Product::Postgres],
    fix: "write one `ALTER TABLE` with all clauses, separated by commas",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);\nALTER TABLE t ALTER a SET NOT NULL;",
    ])],
    not_flagged: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0), ALTER a SET NOT NULL;",
    ])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Some(alter) = context.alter() else { return };
    let table = context.schema.resolve(&alter.table);
    let Some(previous) = context.earlier_statements().last() else { return };
    let same_table = matches!(&previous.syntax, Syntax::AlterTable(previous) if context.schema.resolve(&previous.table) == table);
    let scans = |cause: &Cause| {
        matches!(cause, Cause::Check | Cause::NotNull | Cause::TypeRewrite | Cause::ColumnCheck | Cause::VolatileDefault(_))
    };
    let scans_now = context.impacts.iter().any(|impact| scans(&impact.cause));
    let mut held_locks = context.held_locks.of_table(&table).filter(|held| held.until == previous.statement);
    let scanned_before = held_locks.any(|held| scans(&held.cause));
    if same_table && scans_now && scanned_before && context.is_deployed(&table) && !context.is_emptied(&table) {
        findings.add(RuleFinding::new(format!("`{table}` is scanned again, directly after a statement that scanned it")));
    }
}
