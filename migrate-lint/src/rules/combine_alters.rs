//! The rule `combine-alters`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "combine-alters",
        "Several statements that each read the whole of one table read it as often as there are statements. Clauses \
         of one `ALTER TABLE` share a single pass.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    fix: "write one `ALTER TABLE` with both clauses, separated by a comma",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    let Some(before) = context.earlier_statements().last() else { return };
    let same = matches!(&before.syntax, Syntax::AlterTable(other) if context.schema.resolve(&other.table) == table);
    let reads = |cause: &Cause| {
        matches!(cause, Cause::Check | Cause::NotNull | Cause::TypeRewrite | Cause::ColumnCheck | Cause::VolatileDefault(_))
    };
    let own = context.impacts.iter().any(|impact| reads(&impact.cause));
    let other = context.held_locks.iter().any(|held| held.since == before.statement && held.table == table && reads(&held.cause));
    if same && own && other && context.is_deployed(&table) {
        findings.add(RuleFinding::new(format!("`{table}` is read once more, right behind a statement that read it")));
    }
}
