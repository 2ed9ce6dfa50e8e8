//! The rule `partitioned-unsupported`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, ConstraintKind, Syntax};

/// Flags a statement that PostgreSQL rejects on a partitioned table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "partitioned-unsupported",
        "PostgreSQL rejects some statements on a partitioned table that it accepts on other tables. These are \
         `CREATE INDEX CONCURRENTLY`, `ADD FOREIGN KEY ... NOT VALID` (before PostgreSQL 18), `ADD CONSTRAINT ... \
         USING INDEX`, and, if the table has a DEFAULT partition, `DETACH PARTITION ... CONCURRENTLY`. The migration \
         fails. On an individual partition, PostgreSQL accepts the first three statements.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "run the statement on each partition (for an index, see the rule `index-on-partitioned`); for `DETACH \
         PARTITION`, omit `CONCURRENTLY`",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE p (id int) PARTITION BY RANGE (id);", "CREATE INDEX CONCURRENTLY i ON p (id);"]),
        postgres(&[
            "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE u (id int PRIMARY KEY);",
            "ALTER TABLE p ADD FOREIGN KEY (id) REFERENCES u (id) NOT VALID;",
        ]),
        postgres(&[
            "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); CREATE TABLE d PARTITION OF p DEFAULT;",
            "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE p (id int) PARTITION BY RANGE (id);", "CREATE INDEX i ON ONLY p (id);"]),
        postgres(&[
            "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
            "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;",
        ]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::CreateIndex(index) = context.syntax() {
        let table = context.schema.resolve(&index.table);
        if index.concurrently && context.relation(&table).is_some_and(|relation| relation.partitioned) {
            let message = format!("`{table}` is partitioned: PostgreSQL cannot build an index on it concurrently");
            findings.add(RuleFinding::new(message));
        }
        return;
    }
    for (table, action, range) in context.actions() {
        let Some(relation) = context.relation(&table).filter(|relation| relation.partitioned) else { continue };
        let reason = match action {
            ActionKind::Detach { concurrently: true, .. } if relation.default_partition.is_some() => {
                "has a DEFAULT partition: PostgreSQL cannot detach a partition concurrently"
            }
            ActionKind::AddConstraint(constraint) => match &constraint.kind {
                ConstraintKind::Foreign { .. } if constraint.not_valid && !context.server().is_at_least(18, 0) => {
                    "is partitioned: PostgreSQL before version 18 rejects a `NOT VALID` foreign key"
                }
                ConstraintKind::Unique { using_index: Some(_), .. } | ConstraintKind::Primary { using_index: Some(_), .. } => {
                    "is partitioned: PostgreSQL rejects a constraint `USING INDEX`"
                }
                _ => continue,
            },
            _ => continue,
        };
        findings.add(RuleFinding::new(format!("`{table}` {reason}")).at(range));
    }
}
