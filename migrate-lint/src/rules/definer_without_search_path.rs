//! The rule `definer-without-search-path`.

use crate::context::{ParsedStatement, StatementContext};
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ObjectKind, Syntax};

/// Flags a `SECURITY DEFINER` function without its own `search_path`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "definer-without-search-path",
        "A `SECURITY DEFINER` function runs with the privileges of its owner and resolves names in the `search_path` \
         of its caller. The caller can create an object in a schema of this path. If the function refers to an \
         object by the same name, it uses the object of the caller with the privileges of the owner.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "add `SET search_path = pg_catalog, ...` to the function, with `pg_temp` last",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&["CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';"])],
    not_flagged: &[
        postgres(&[
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1';",
        ]),
        postgres(&[
            "CREATE FUNCTION f(a text) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 2'; ALTER FUNCTION f(text) SET search_path = '';",
        ]),
        postgres(&["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';"]),
    ],
    verification: Verification::Manual("PostgreSQL manual, CREATE FUNCTION, Writing SECURITY DEFINER Functions Safely"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::CreateRoutine { name, definer: true, sets_path: false, .. } = context.syntax() {
        let sets_search_path = |statement: &ParsedStatement| {
            matches!(&statement.syntax, Syntax::Alter { kind: ObjectKind::Routine, name: altered, .. } if altered == name)
                && context.file.sql(statement).to_ascii_lowercase().contains("search_path")
        };
        if context.later_statements_with(&["search_path"]).any(sets_search_path) {
            return;
        }
        findings
            .add(RuleFinding::new(format!("`{name}` runs with the privileges of its owner and the `search_path` of its caller")));
    }
}
