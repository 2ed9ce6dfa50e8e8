//! The rule `do-block-commit`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags `COMMIT` and `ROLLBACK` in a `DO` block or a procedure that runs inside a transaction.
pub static RULE: Rule = Rule {
    code: Code::new(
        "do-block-commit",
        "A `DO` block or procedure that executes `COMMIT` or `ROLLBACK` fails (error 2D000) if it runs inside a \
         transaction block. PostgreSQL allows `COMMIT` and `ROLLBACK` in a `DO` block or procedure only if the `DO` \
         or `CALL` statement runs outside a transaction block.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "remove `BEGIN` and `COMMIT` from the file, so that `cargo migrate` runs the `DO` block outside a \
         transaction; for a `CALL`, also add `-- migrate: no-transaction` before the first statement of the file",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&["CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;", "BEGIN; CALL p(); COMMIT;"])],
    not_flagged: &[
        postgres(&["CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;", "-- migrate: no-transaction\nCALL p();"]),
        postgres(&["CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;", "BEGIN; CALL p(); COMMIT;"]),
        postgres(&["DO $$ BEGIN COMMIT; END $$;"]),
        postgres(&["DO $$ BEGIN PERFORM 1; END $$;"]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::Call { name: Some(name) } = context.syntax()
        && context.parsed.in_transaction
        && context.schema.commits(name)
    {
        let finding = RuleFinding::new(format!("`{name}` executes `COMMIT` or `ROLLBACK` inside a transaction, which fails"));
        findings.add(finding.fix(
            "add `-- migrate: no-transaction` before the first statement of the file, and remove `BEGIN` and `COMMIT` if it contains them",
        ));
    }
    let Syntax::Do { body } = context.syntax() else { return };
    let body = context.sql.get(body.clone()).unwrap_or_default().to_ascii_uppercase();
    let commits = body.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == "COMMIT" || word == "ROLLBACK");
    if commits && context.parsed.in_transaction {
        findings.add(RuleFinding::new("this block executes `COMMIT` or `ROLLBACK` inside a transaction, which fails"));
    }
}
