//! The rule `drop-cascade`.

use crate::context::StatementContext;
use crate::dependents::{self, Part};
use crate::object_name::ObjectName;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings, list};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags `CASCADE` in `DROP` statements and clauses for existing objects.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-cascade",
        "`CASCADE` also drops all dependent objects, such as views, foreign keys of other tables, defaults, and \
         columns of a dropped type. The statement does not name these objects, and they can differ between \
         databases. PostgreSQL locks each affected table or view with ACCESS EXCLUSIVE, which blocks reads and \
         writes.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "omit `CASCADE`, and drop each dependent object by name before the object itself",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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

/// The message of every finding of this rule.
const MESSAGE: &str = "`CASCADE` also drops all dependent objects, which the statement does not name";

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    match context.syntax() {
        Syntax::Drop(removal) if removal.cascade && !removal.temporary => {
            let keys = removal.names.iter().map(|name| context.schema.resolve(name));
            let existing: Vec<ObjectName> =
                keys.filter(|key| context.relation(key).is_none() || context.is_deployed(key)).collect();
            if !existing.is_empty() {
                let named = dependents::named(context.schema, removal);
                findings.add(with_dependents(context, RuleFinding::new(MESSAGE), named));
            }
        }
        _ => {
            for (table, action, range) in context.actions().filter(|(table, ..)| context.is_deployed(table)) {
                if let Some((part, true)) = dependents::named_in_clause(&table, action) {
                    findings.add(with_dependents(context, RuleFinding::new(MESSAGE).at(range), vec![part]));
                }
            }
        }
    }
}

/// Adds what is dropped with these parts, as far as the migrations show.
fn with_dependents(context: &StatementContext<'_>, finding: RuleFinding, named: Vec<Part>) -> RuleFinding {
    let dependents: Vec<String> = dependents::dropped_with(context.schema, named, true).iter().map(ToString::to_string).collect();
    if dependents.is_empty() { finding } else { finding.note(format!("known dependent objects: {}", list(&dependents))) }
}
