//! The rule `mysql-drop-with-dependents`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::relation::{Constraint, ConstraintKind};
use crate::rule::{Check, Rule, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, ObjectKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-drop-with-dependents",
        "A foreign key needs its columns, an index that begins with them, and the table that it leads to: while it is \
         there, MySQL and MariaDB refuse to drop any of the three (errors 1553, 1828 and 1451), to truncate that table (1701), and to give the columns on \
         either side another type (errors 1832 and 1833).",
    ),
    level: Level::Error,
    on: &[Dialect::MySql],
    fix: "drop the foreign key first",
    opt_in: false,
    down: true,
    check: Check::Statement(check),
    flagged: &[
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
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "-- migrate: phase contract\nDROP TABLE p;",
        ]),
    ],
    not_flagged: &[
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
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "-- migrate: phase contract\nDROP TABLE t; DROP TABLE p;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY ka (a), KEY kab (a, b), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "ALTER TABLE t DROP INDEX ka;",
        ]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.foreign_keys_unchecked {
        // What is not checked may be dropped; columns that do not go together are refused all the same.
        columns(context, findings);
        return;
    }
    if let Syntax::Drop(removal) = context.syntax()
        && removal.kind == ObjectKind::Table
        && !removal.temporary
    {
        let keys: Vec<ObjectName> = removal.names.iter().map(|name| context.schema.resolve(name)).collect();
        for key in &keys {
            // One that goes in the same statement is in nobody's way.
            if let Some((child, ..)) = context.schema.children(key).find(|(child, ..)| !keys.contains(child)) {
                findings.add(RuleFinding::new(format!("`{child}` refers to `{key}`, so it cannot be dropped")));
            }
        }
    }
    columns(context, findings);
    if let Syntax::Truncate { tables, .. } = context.syntax() {
        for key in tables.iter().map(|table| context.schema.resolve(table)) {
            if let Some((child, ..)) = context.schema.children(&key).find(|(child, ..)| **child != key) {
                findings.add(
                    RuleFinding::new(format!("`{child}` refers to `{key}`, so it cannot be truncated")).fix("delete the rows"),
                );
            }
        }
    }
    let dropped = |name: &str| {
        context.actions().any(|(_, action, _)| matches!(action, ActionKind::DropForeignKey(own) | ActionKind::DropConstraint { name: own, .. } if own.eq_ignore_ascii_case(name)))
    };
    for (table, action, range) in context.actions() {
        let Some(relation) = context.relation(&table) else { continue };
        let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        let begins = |index: &[String], columns: &[String]| {
            index.len() >= columns.len() && index.iter().zip(columns).all(|(one, other)| same(one, other))
        };
        let needed =
            relation.foreign_keys().filter(|(constraint, ..)| !dropped(&constraint.name)).find(|(_, columns, ..)| match action {
                ActionKind::DropColumn { name, .. } => columns.iter().any(|column| same(column, name)),
                ActionKind::DropIndex(name) => {
                    let own = relation.indexes.iter().find(|index| index.name.as_deref().is_some_and(|own| same(own, name)));
                    let serves = own.is_some_and(|own| begins(&own.columns, columns));
                    let others =
                        relation.indexes.iter().filter(|index| !index.name.as_deref().is_some_and(|own| same(own, name)));
                    let instead = others.into_iter().any(|other| begins(&other.columns, columns))
                        || relation.primary().is_some_and(|key| begins(key, columns));
                    let added = context
                        .actions()
                        .any(|(_, other, _)| matches!(other, ActionKind::AddIndex(index) if begins(&index.columns, columns)));
                    serves && !instead && !added
                }
                _ => false,
            });
        if let Some((constraint, ..)) = needed {
            findings.add(
                RuleFinding::new(format!("foreign key `{}` of `{table}` needs it, so it cannot be dropped", constraint.name))
                    .at(range),
            );
        }
    }
}

/// Columns of a foreign key, on either side, that get another type.
fn columns(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let (from, column) = match action {
            ActionKind::ModifyColumn(column) => (&column.name, column),
            ActionKind::ChangeColumn { from, column } => (from, column),
            _ => continue,
        };
        let Some(relation) = context.relation(&table) else { continue };
        let old = relation.column(from).and_then(|before| before.ty.as_ref());
        let (Some(old), Some(new)) = (old, &column.ty) else { continue };
        if old.name == new.name && old.unsigned == new.unsigned && old.arguments == new.arguments {
            continue;
        }
        let gone = |name: &str| {
            let gone = |action: &ActionKind| matches!(action, ActionKind::DropForeignKey(own) | ActionKind::DropConstraint { name: own, .. } if own.eq_ignore_ascii_case(name));
            context.actions().any(|(_, other, _)| gone(other))
        };
        let has = |columns: &[String]| columns.iter().any(|own| own.eq_ignore_ascii_case(from));
        let own = relation.foreign_keys().find(|(key, columns, ..)| has(columns) && !gone(&key.name)).map(|(key, ..)| key);
        let children = context.schema.children(&table).filter_map(|(child, ..)| Some((child, context.relation(child)?)));
        let of_child = children.into_iter().find_map(|(child, relation_of_child)| {
            let leads = |constraint: &&Constraint| match &constraint.kind {
                ConstraintKind::Foreign { table: parent, targets, .. } => {
                    *parent == table && relation.targets(targets).is_some_and(has)
                }
                _ => false,
            };
            relation_of_child.constraints.iter().find(leads).map(|constraint| (child, constraint))
        });
        let (of, key) = match (own, of_child) {
            (Some(key), _) => (&table, key),
            (None, Some((child, key))) => (child, key),
            (None, None) => continue,
        };
        let message = format!("foreign key `{}` of `{of}` needs `{from}` as it is, so it gets no other type", key.name);
        findings.add(RuleFinding::new(message).at(range));
    }
}
