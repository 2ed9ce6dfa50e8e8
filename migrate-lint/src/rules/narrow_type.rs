//! The rule `narrow-type`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use crate::type_change;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags a column type change to a type that cannot hold every value of the old type.
pub static RULE: Rule = Rule {
    code: Code::new(
        "narrow-type",
        "The new type cannot hold every value of the old type. In most cases, the migration fails on the first value \
         that does not fit. In some cases, the server rounds or truncates the value instead: for example, if the \
         scale of `numeric` becomes smaller, if a timestamp becomes a `date`, or on MySQL and MariaDB without strict \
         mode. The deployed version of the application may still write values that do not fit. In a contract \
         migration (`-- migrate: phase contract`), the change is not flagged.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb],
    fix: "add a column of the new type, switch the application to it, and drop the old column in a contract migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a bigint);", "ALTER TABLE t ALTER a TYPE int;"]),
        postgres(&["CREATE TABLE t (a varchar(50));", "ALTER TABLE t ALTER a TYPE varchar(20);"]),
        mysql(&["CREATE TABLE t (a varchar(50));", "ALTER TABLE t MODIFY a varchar(20);"]),
        mysql(&["CREATE TABLE t (a enum('x','y'));", "ALTER TABLE t MODIFY a enum('x');"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ALTER a TYPE bigint;"]),
        postgres(&["CREATE TABLE t (a bigint);", "-- migrate: phase contract\nALTER TABLE t ALTER a TYPE int;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t MODIFY a bigint;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.file.is_contract() {
        return;
    }
    for (table, action, range) in context.actions() {
        let (column, new) = match action {
            ActionKind::SetType { column, ty, .. } => (column, ty),
            ActionKind::ModifyColumn(column) => match &column.ty {
                Some(ty) => (&column.name, ty),
                None => continue,
            },
            ActionKind::ChangeColumn { from, column } => match &column.ty {
                Some(ty) => (from, ty),
                None => continue,
            },
            _ => continue,
        };
        let old = context.relation(&table).and_then(|relation| relation.column(column)).and_then(|column| column.ty.as_ref());
        let Some(old) = old.filter(|_| context.is_deployed(&table)) else { continue };
        let is_enum = matches!(new.name.as_str(), "enum" | "set");
        let removed = old.members.iter().find(|member| is_enum && !new.members.contains(member));
        if let Some(value) = removed {
            let message = format!("`{table}.{column}` may contain '{value}', which is not a value of the new type");
            findings.add(RuleFinding::new(message).at(range));
        } else if type_change::narrows(old, new) {
            let message = format!("`{table}.{column}` has type `{old}` and may contain values that `{new}` cannot hold");
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}
