//! The rule `drop-schema`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ObjectKind, Syntax};

/// Flags `DROP SCHEMA` and `DROP DATABASE` outside a contract migration.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-schema",
        "`DROP SCHEMA` and `DROP DATABASE` can permanently delete every table and every other object in the schema \
         or database. On PostgreSQL, `DROP SCHEMA` without `CASCADE` fails if the schema contains objects; the rule \
         flags it nevertheless. The deployed version of the application may still use the deleted objects. In a \
         contract migration (`-- migrate: phase contract`), the statement is not flagged.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb],
    fix: "drop the tables and other objects one by one, in migrations with `-- migrate: phase contract` in their \
         header",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&["CREATE SCHEMA s;", "DROP SCHEMA s CASCADE;"]), mysql(&["DROP DATABASE d;"])],
    not_flagged: &[
        postgres(&["CREATE SCHEMA s;", "-- migrate: phase contract\nDROP SCHEMA s;"]),
        postgres(&["CREATE SCHEMA s;\n--- down\nDROP SCHEMA s;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Drop(removal) = context.syntax() else { return };
    if matches!(removal.kind, ObjectKind::Schema | ObjectKind::Database) && !context.file.is_contract() {
        let names: Vec<String> = removal.names.iter().map(|name| format!("`{name}`")).collect();
        findings.add(RuleFinding::new(format!("this permanently deletes all objects in {}", names.join(", "))));
    }
}
