//! The rule `sqlite-unsupported`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};

/// Flags statements and `ALTER TABLE` clauses that SQLite does not support.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-unsupported",
        "In `ALTER TABLE`, SQLite supports only `ADD COLUMN`, `DROP COLUMN`, `RENAME TO` and `RENAME COLUMN`, with \
         one clause per statement. SQLite has no `ALTER COLUMN`, no `ADD CONSTRAINT` or `DROP CONSTRAINT`, no `IF \
         NOT EXISTS` for a column, no `CONCURRENTLY` and no `TRUNCATE`.",
    ),
    level: Level::Error,
    on: &[Product::Sqlite],
    fix: "rebuild the table: write `PRAGMA foreign_keys = OFF;` first, create a new table, copy the rows, drop the \
         old table, and rename the new one",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ALTER COLUMN a TYPE text;"]),
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);"]),
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN IF NOT EXISTS b int;"]),
        sqlite(&["CREATE TABLE t (a int); CREATE INDEX CONCURRENTLY i ON t (a);"]),
        sqlite(&["CREATE TABLE t (a int); TRUNCATE t;"]),
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD b int, ADD c int;"]),
    ],
    not_flagged: &[
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN b int;"]),
        sqlite(&["CREATE TABLE t (a int); CREATE INDEX IF NOT EXISTS i ON t (a);"]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    match context.syntax() {
        Syntax::Truncate { .. } => {
            findings.add(RuleFinding::new("SQLite does not support `TRUNCATE`").fix("write `DELETE FROM t`"))
        }
        Syntax::CreateIndex(index) if index.concurrently => findings
            .add(RuleFinding::new("SQLite does not support `CONCURRENTLY`").fix("remove it: SQLite allows one writer at a time")),
        Syntax::AlterTable(alter) => {
            for action in &alter.actions {
                let supported = match &action.kind {
                    ActionKind::AddColumn { if_not_exists, .. } => !if_not_exists,
                    ActionKind::DropColumn { if_exists, .. } => !if_exists,
                    ActionKind::Rename(_) | ActionKind::RenameColumn { .. } => true,
                    _ => false,
                };
                if !supported || alter.if_exists {
                    let finding = RuleFinding::new("SQLite does not support this clause of `ALTER TABLE`").at(&action.range);
                    let only_if = matches!(action.kind, ActionKind::AddColumn { .. } | ActionKind::DropColumn { .. });
                    findings.add(if only_if { finding.fix("remove `IF EXISTS` and `IF NOT EXISTS`") } else { finding });
                }
            }
            if let [_, second, ..] = alter.actions.as_slice() {
                let finding = RuleFinding::new("SQLite allows one clause per `ALTER TABLE`").at(&second.range);
                findings.add(finding.fix("write a separate statement for each clause"));
            }
        }
        _ => {}
    }
}
