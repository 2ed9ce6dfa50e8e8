//! The rule `duplicate-migration`.

use crate::context::{FileContext, ParsedStatement};
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::migration::Migration;
use migrate_model::syntax::Syntax;

/// Flags a file that contains the same SQL as an earlier migration.
pub static RULE: Rule = Rule {
    code: Code::new(
        "duplicate-migration",
        "The file contains the same SQL as an earlier migration, apart from comments and white space. Either the \
         file was copied and not edited, or two branches added the same change.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "delete one of the two files; or, if both are needed, state the reason above the first statement of this \
         file: `-- migrate: allow duplicate-migration: reason`",
    opt_in: false,
    down: false,
    check: RuleCheck::File(check),
    flagged: &[
        postgres(&["ALTER TABLE t ADD COLUMN IF NOT EXISTS c int;", "-- again\nALTER TABLE t ADD COLUMN IF NOT EXISTS c int;"]),
        postgres(&["INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"]),
    ],
    not_flagged: &[
        postgres(&["INSERT INTO t VALUES (1);", "INSERT INTO t VALUES (2);"]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nDROP TABLE t;", "CREATE TABLE t (a int);"]),
    ],
    verification: Verification::Files,
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    let has_effect =
        |statement: &ParsedStatement| !matches!(statement.syntax, Syntax::Query | Syntax::Transaction(_) | Syntax::Set(_));
    if !context.file.statements.iter().any(has_effect) {
        return;
    }
    if let Some(first) = context.same_as {
        let original = &context.history[first];
        // A migration in between may have dropped the object, so that it is created again.
        let drops = |migration: &Migration| migration.up.text.to_ascii_uppercase().contains("DROP ");
        if !context.history[first + 1..context.file.index].iter().any(drops) {
            let (copy, original) = (context.file.migration.title(), original.title());
            findings.add(RuleFinding::new(format!("`{copy}` contains the same SQL as `{original}`")));
        }
    }
}
