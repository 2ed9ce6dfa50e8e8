//! The rule `drop-cascade`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-cascade",
        "`CASCADE` removes what depends on the thing too: views, foreign keys of other tables, columns of a type, \
         defaults. Nobody has listed them, each is locked with ACCESS EXCLUSIVE, and what they are differs from one \
         database to the next.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "leave `CASCADE` out, and drop each thing by name",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;",
            "-- migrate: phase contract\nDROP TABLE t CASCADE;",
        ]),
        postgres(&["CREATE TABLE t (a int, b int);", "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b CASCADE;"]),
        postgres(&["CREATE TYPE m AS ENUM ('a');", "-- migrate: phase contract\nDROP TYPE m CASCADE;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nDROP TABLE t;"]),
        postgres(&["CREATE TABLE t (a int); DROP TABLE t CASCADE;"]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES u (id) ON DELETE CASCADE);"]),
    ],
    verification: Verification::Seen("drop_cascade_removes_a_view"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let dependents = |key: &ObjectName| {
        let views = context.schema.views_reading(key).map(|(view, _)| format!("`{view}`"));
        let children = context.schema.children(key).map(|(child, ..)| format!("a foreign key of `{child}`"));
        views.chain(children).collect::<Vec<_>>()
    };
    match context.syntax() {
        Syntax::Drop(removal) if removal.cascade && !removal.temporary => {
            let keys = removal.names.iter().map(|name| context.schema.resolve(name));
            let old: Vec<ObjectName> = keys.filter(|key| context.relation(key).is_none() || context.is_deployed(key)).collect();
            if !old.is_empty() {
                let known: Vec<String> = old.iter().flat_map(dependents).collect();
                let finding = RuleFinding::new("CASCADE removes what depends on it too, unseen");
                findings.add(if known.is_empty() {
                    finding
                } else {
                    finding.note(format!("by what is known: {}", known.join(", ")))
                });
            }
        }
        _ => {
            for (_, action, range) in context.actions().filter(|(table, ..)| context.is_deployed(table)) {
                if let ActionKind::DropColumn { cascade: true, .. } | ActionKind::DropConstraint { cascade: true, .. } = action {
                    findings.add(RuleFinding::new("CASCADE removes what depends on it too, unseen").at(range));
                }
            }
        }
    }
}
