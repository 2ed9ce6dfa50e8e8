//! The rule `mysql-drop-with-dependents`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::relation::{Constraint, ConstraintKind, ForeignKeyRef, Index, Relation};
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, ObjectKind, Syntax};

/// Flags a `DROP`, `TRUNCATE` or type change that the server rejects because a foreign key depends on the object.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-drop-with-dependents",
        "MySQL and MariaDB reject a statement that drops a column of a foreign key (error 1828), the only index that \
         begins with the columns of a foreign key (error 1553), or a table that a foreign key of another table \
         references (error 1451 on MariaDB, error 3730 on MySQL). They also reject a `TRUNCATE` of a referenced \
         table (error 1701), and a change of the type of a referencing or referenced column (errors 1832 and 1833).",
    ),
    level: Level::Error,
    on: &[Product::MySql, Product::MariaDb],
    fix: "drop the foreign key first",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "-- migrate: phase contract\nDROP TABLE p;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "-- migrate: phase contract\nTRUNCATE TABLE p;",
        ]),
        mysql(&[
            "CREATE TABLE p (id varchar(9) PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a varchar(9), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "ALTER TABLE t MODIFY a varchar(20);",
        ]),
        mysql(&[
            "CREATE TABLE p (id int AUTO_INCREMENT PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "ALTER TABLE p MODIFY id bigint NOT NULL AUTO_INCREMENT;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "ALTER TABLE t CHANGE a p_id bigint;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "SET foreign_key_checks = 0; ALTER TABLE p MODIFY id bigint NOT NULL;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, KEY ka (a), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, KEY ka (a), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "ALTER TABLE t DROP INDEX ka;",
        ]),
    ],
    not_flagged: &[
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "-- migrate: phase contract\nDROP TABLE t; DROP TABLE p;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "ALTER TABLE t DROP FOREIGN KEY f; ALTER TABLE t MODIFY a bigint; ALTER TABLE p MODIFY id bigint NOT NULL; ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id);",
        ]),
        mysql(&[
            "CREATE TABLE p (id varchar(9) PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a varchar(9), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "ALTER TABLE t MODIFY a varchar(9) NOT NULL;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "ALTER TABLE t DROP FOREIGN KEY f, MODIFY a bigint;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, KEY ka (a), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "-- migrate: phase contract\nALTER TABLE t DROP FOREIGN KEY f; ALTER TABLE t DROP INDEX ka; ALTER TABLE t DROP COLUMN a;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY ka (a), KEY kab (a, b), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "ALTER TABLE t DROP INDEX ka;",
        ]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    // With `foreign_key_checks = 0` the server allows drops and `TRUNCATE`, but no change of a column type.
    if !context.foreign_keys_unchecked {
        check_dropped_tables(context, findings);
        check_truncated_tables(context, findings);
    }
    check_changed_types(context, findings);
    if !context.foreign_keys_unchecked {
        check_dropped_parts(context, findings);
    }
}

/// Tables that another table references.
fn check_dropped_tables(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Drop(removal) = context.syntax() else { return };
    if removal.kind != ObjectKind::Table || removal.temporary {
        return;
    }
    let tables: Vec<ObjectName> = removal.names.iter().map(|name| context.schema.resolve(name)).collect();
    for table in &tables {
        // A referencing table may be dropped in the same statement.
        if let Some(child) = context.schema.certain_children(table).find(|child| !tables.contains(child)) {
            findings.add(RuleFinding::new(format!("`{table}` cannot be dropped: `{child}` references it")));
        }
    }
}

/// Truncated tables that another table references.
fn check_truncated_tables(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Truncate { tables, .. } = context.syntax() else { return };
    for table in tables.iter().map(|name| context.schema.resolve(name)) {
        if let Some(child) = context.schema.certain_children(&table).find(|child| **child != table) {
            let finding = RuleFinding::new(format!("`{table}` cannot be truncated: `{child}` references it"));
            findings.add(finding.fix("delete the rows with `DELETE`"));
        }
    }
}

/// Columns and indexes that a foreign key of the same table depends on.
fn check_dropped_parts(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let Some(relation) = context.relation(&table) else { continue };
        let part = match action {
            ActionKind::DropColumn { name, .. } => format!("column `{name}`"),
            ActionKind::DropIndex(name) => format!("index `{name}`"),
            _ => continue,
        };
        if let Some(key) = dependent_key(context, relation, action) {
            let message = format!("{part} of `{table}` cannot be dropped: foreign key `{}` depends on it", key.name);
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}

/// The foreign key that depends on the column or index that an action drops.
fn dependent_key<'a>(context: &StatementContext<'_>, relation: &'a Relation, action: &ActionKind) -> Option<&'a Constraint> {
    let remains = |(key, ..): &ForeignKeyRef<'_>| !drops_constraint(context, &key.name);
    let dependent = match action {
        ActionKind::DropColumn { name, .. } => {
            relation.foreign_keys_with(name).filter(remains).find(|(_, columns, ..)| contains(columns, name))
        }
        ActionKind::DropIndex(name) => {
            // A foreign key needs an index that starts with its columns.
            let first = relation.indexes.find(name, false)?.columns.first()?;
            let mut keys = relation.foreign_keys_with(first).filter(remains);
            keys.find(|(_, columns, ..)| is_only_index(context, relation, name, columns))
        }
        _ => None,
    };
    dependent.map(|(key, ..)| key)
}

/// Is this the only index that starts with these columns, with no other added in the same statement?
fn is_only_index(context: &StatementContext<'_>, relation: &Relation, name: &str, columns: &[String]) -> bool {
    let Some(first) = columns.first() else { return false };
    let has_name = |index: &Index| index.name.as_deref().is_some_and(|index_name| index_name.eq_ignore_ascii_case(name));
    let serves_key = relation.indexes.find(name, false).is_some_and(|index| starts_with(&index.columns, columns));
    let has_other = relation.indexes_with(first).any(|index| !has_name(index) && starts_with(&index.columns, columns))
        || relation.primary().is_some_and(|key| starts_with(key, columns));
    let adds_other = context
        .actions_naming(first)
        .any(|action| matches!(&action.kind, ActionKind::AddIndex(index) if starts_with(&index.columns, columns)));
    serves_key && !has_other && !adds_other
}

/// Columns on either side of a foreign key whose type changes.
fn check_changed_types(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let (name, column) = match action {
            ActionKind::ModifyColumn(column) => (&column.name, column),
            ActionKind::ChangeColumn { from, column } => (from, column),
            _ => continue,
        };
        let Some(relation) = context.relation(&table) else { continue };
        let old = relation.column(name).and_then(|before| before.ty.as_ref());
        let (Some(old), Some(new)) = (old, &column.ty) else { continue };
        if old.name == new.name && old.unsigned == new.unsigned && old.arguments == new.arguments {
            continue;
        }
        let mut own_keys = relation.foreign_keys_with(name);
        let own_key = own_keys.find(|(key, columns, ..)| contains(columns, name) && !drops_constraint(context, &key.name));
        let dependent = match own_key {
            Some((key, ..)) => Some((&table, key)),
            None => referencing_key(context, &table, name),
        };
        let Some((owner, key)) = dependent else { continue };
        let message = format!(
            "the type of column `{name}` of `{table}` cannot change: foreign key `{}` of `{owner}` depends on it",
            key.name
        );
        findings.add(RuleFinding::new(message).at(range));
    }
}

/// A foreign key of another table that references this column, with that table.
fn referencing_key<'a>(
    context: &'a StatementContext<'_>,
    table: &'a ObjectName,
    column: &str,
) -> Option<(&'a ObjectName, &'a Constraint)> {
    context.schema.children(table).find_map(|(child, relation, _)| {
        let references_column = |(constraint, ..): &ForeignKeyRef<'_>| match &constraint.kind {
            ConstraintKind::Foreign { targets, .. } => relation.targets(targets).is_some_and(|columns| contains(columns, column)),
            _ => false,
        };
        relation.foreign_keys_to(table).find(references_column).map(|(constraint, ..)| (child, constraint))
    })
}

/// Does the statement itself drop the constraint of this name?
fn drops_constraint(context: &StatementContext<'_>, name: &str) -> bool {
    context.actions_naming(name).any(|action| match &action.kind {
        ActionKind::DropForeignKey(dropped) | ActionKind::DropConstraint { name: dropped, .. } => {
            dropped.eq_ignore_ascii_case(name)
        }
        _ => false,
    })
}

fn starts_with(index: &[String], columns: &[String]) -> bool {
    index.len() >= columns.len() && index.iter().zip(columns).all(|(indexed, column)| indexed.eq_ignore_ascii_case(column))
}

fn contains(columns: &[String], name: &str) -> bool {
    columns.iter().any(|column| column.eq_ignore_ascii_case(name))
}
