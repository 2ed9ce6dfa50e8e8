//! The rule `partitioned-unsupported`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, ConstraintKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "partitioned-unsupported",
        "PostgreSQL refuses some statements on a partitioned table that it takes on others: `CREATE INDEX \
         CONCURRENTLY`, `ADD FOREIGN KEY ... NOT VALID` (before 18), `ADD CONSTRAINT ... USING INDEX`, and `DETACH \
         PARTITION ... CONCURRENTLY` where there is a DEFAULT partition.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "do it on each partition; for an index see `index-on-partitioned`",
    opt_in: false,
    down: true,
    check: Check::Statement(check),
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
            findings
                .add(RuleFinding::new(format!("`{table}` is partitioned, and PostgreSQL builds no index over it concurrently")));
        }
        return;
    }
    for (table, action, range) in context.actions() {
        let Some(relation) = context.relation(&table).filter(|relation| relation.partitioned) else { continue };
        let what = match action {
            ActionKind::Detach { concurrently: true, .. } if relation.default_partition.is_some() => {
                "has a DEFAULT partition, so none is detached concurrently"
            }
            ActionKind::AddConstraint(constraint) => match &constraint.kind {
                ConstraintKind::Foreign { .. } if constraint.not_valid && !context.server().is_at_least(18, 0) => {
                    "is partitioned, and takes no foreign key that is NOT VALID"
                }
                ConstraintKind::Unique { using_index: Some(_), .. } | ConstraintKind::Primary { using_index: Some(_), .. } => {
                    "is partitioned, and takes no constraint USING INDEX"
                }
                _ => continue,
            },
            _ => continue,
        };
        findings.add(RuleFinding::new(format!("`{table}` {what}")).at(range));
    }
}
