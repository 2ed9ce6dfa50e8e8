//! The rule `narrow-type`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::type_change;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "narrow-type",
        "The new type cannot hold every value of the old one: the migration fails on the first row that does not fit, \
         or cuts values off (MySQL without strict mode), and the release that runs may write such values meanwhile.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "add a column of the new type, let the application change over, and drop the old one in a contract migration",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
        let lost = old
            .members
            .iter()
            .find(|member| !new.members.contains(member))
            .filter(|_| matches!(new.name.as_str(), "enum" | "set"));
        if let Some(lost) = lost {
            findings.add(RuleFinding::new(format!("`{table}.{column}` can hold '{lost}', which the new type has not")).at(range));
        } else if type_change::narrows(old, new) {
            findings.add(RuleFinding::new(format!("`{table}.{column}` is {old} and may hold what {new} cannot")).at(range));
        }
    }
}
