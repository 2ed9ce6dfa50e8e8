//! The rule `table-without-primary-key`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ConstraintKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "table-without-primary-key",
        "A table without a primary key has rows that nothing tells apart: logical replication cannot send its \
         updates, and batches have no order to go by.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "add a primary key",
    opt_in: true,
    down: false,
    check: Check::Statement(check),
    flagged: &[postgres(&["CREATE TABLE t (a int);"]), mysql(&["CREATE TABLE t (a int);"])],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int PRIMARY KEY);"]),
        postgres(&["CREATE TABLE t (a int, b int, PRIMARY KEY (a, b));"]),
        postgres(&["CREATE TABLE p (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p DEFAULT;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::CreateTable(table) = context.syntax() else { return };
    let keyed = table.columns.iter().any(|column| column.primary)
        || table.constraints.iter().any(|constraint| matches!(constraint.kind, ConstraintKind::Primary { .. }));
    let whole = table.like.is_empty() && table.partition_of.is_none() && !table.as_query && !table.temporary && !table.opaque;
    if let Some(name) = table.name.as_ref().filter(|_| !keyed && whole) {
        findings.add(RuleFinding::new(format!("`{name}` has no primary key")));
    }
}
