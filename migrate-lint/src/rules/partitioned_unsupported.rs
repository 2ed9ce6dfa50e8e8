//! The rule `partitioned-unsupported`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::relation::Relation;
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
         USING INDEX`, and, if the table has a DEFAULT partition, `DETACH PARTITION ... CONCURRENTLY`. PostgreSQL also \
         rejects a primary key, a unique constraint or a unique index without all columns of the partition key, and dropping \
         such a column or changing its type. The migration fails. On an individual partition, PostgreSQL accepts these \
         statements, except for `DETACH PARTITION`.",
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
        postgres(&["CREATE TABLE p (id int, k int) PARTITION BY RANGE (k);", "ALTER TABLE p ADD PRIMARY KEY (id);"]),
        postgres(&["CREATE TABLE p (id int, k int) PARTITION BY RANGE (k);", "ALTER TABLE p ADD CONSTRAINT c UNIQUE (id);"]),
        postgres(&["CREATE TABLE p (id int, k int, l int) PARTITION BY LIST (k);", "CREATE UNIQUE INDEX i ON p (id, l);"]),
        postgres(&[
            "CREATE TABLE p (id int, k int) PARTITION BY HASH (k);",
            "-- migrate: phase contract\nALTER TABLE p DROP COLUMN k;",
        ]),
        postgres(&["CREATE TABLE p (id int, k int) PARTITION BY RANGE (k);", "ALTER TABLE p ALTER COLUMN k TYPE bigint;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE p (id int, k int) PARTITION BY RANGE (k);", "ALTER TABLE p ADD PRIMARY KEY (id, k);"]),
        postgres(&["CREATE TABLE p (id int, k int) PARTITION BY RANGE ((k + 1));", "CREATE INDEX i ON p (id);"]),
        postgres(&["CREATE TABLE p (id int, k int) PARTITION BY RANGE (k);", "CREATE UNIQUE INDEX i ON p (k, id);"]),
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
        let Some(relation) = context.relation(&table).filter(|relation| relation.partitioned) else { return };
        if index.concurrently {
            let message = format!("`{table}` is partitioned: PostgreSQL cannot build an index on it concurrently");
            findings.add(RuleFinding::new(message));
        } else if index.unique
            && !index.expressions
            && let Some(column) = missing_key_column(relation, &index.columns)
        {
            findings.add(without_key_column(&table, column, "a unique index"));
        }
        return;
    }
    for (table, action, range) in context.actions() {
        let Some(relation) = context.relation(&table).filter(|relation| relation.partitioned) else { continue };
        if let Some(finding) = about_partition_key(&table, relation, action) {
            findings.add(finding.at(range));
            continue;
        }
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

/// The columns of the partition key, if it consists of columns only, and the table certainly has it.
fn key_columns(relation: &Relation) -> &[String] {
    let is_plain = relation.partition_key.iter().all(|name| relation.has_column(name));
    if is_plain && !relation.certainty.is_uncertain() && !relation.may_predate_history { &relation.partition_key } else { &[] }
}

/// A column of the partition key that a unique index over these columns lacks.
fn missing_key_column<'a>(relation: &'a Relation, columns: &[String]) -> Option<&'a str> {
    key_columns(relation).iter().find(|key| !columns.contains(key)).map(String::as_str)
}

fn without_key_column(table: &ObjectName, column: &str, what: &str) -> RuleFinding {
    let message = format!("`{table}` is partitioned by `{column}`: PostgreSQL rejects {what} without this column");
    RuleFinding::new(message).fix(format!("add `{column}` to the columns"))
}

/// The finding for a clause that ignores the partition key.
fn about_partition_key(table: &ObjectName, relation: &Relation, action: &ActionKind) -> Option<RuleFinding> {
    match action {
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::Unique { columns, using_index: None } => {
                let column = missing_key_column(relation, columns)?;
                Some(without_key_column(table, column, "a unique constraint"))
            }
            ConstraintKind::Primary { columns, using_index: None } => {
                let column = missing_key_column(relation, columns)?;
                Some(without_key_column(table, column, "a primary key"))
            }
            _ => None,
        },
        ActionKind::DropColumn { name, .. } | ActionKind::SetType { column: name, .. }
            if key_columns(relation).contains(name) =>
        {
            let message =
                format!("`{table}` is partitioned by `{name}`: PostgreSQL can neither drop this column nor change its type");
            Some(RuleFinding::new(message).fix("create a new partitioned table, and copy the rows"))
        }
        _ => None,
    }
}
