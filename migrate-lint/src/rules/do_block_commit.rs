//! The rule `do-block-commit`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "do-block-commit",
        "`COMMIT` or `ROLLBACK` inside a `DO` block or a procedure fails (error 2D000) where the block runs in a \
         transaction that somebody else began.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "take `BEGIN` and `COMMIT` out of the file: this tool then runs the block outside a transaction",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;", "BEGIN; CALL p(); COMMIT;"])],
    silent: &[
        postgres(&["CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;", "-- migrate: no-transaction\nCALL p();"]),
        postgres(&["CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;", "BEGIN; CALL p(); COMMIT;"]),
        postgres(&["DO $$ BEGIN COMMIT; END $$;"]),
        postgres(&["DO $$ BEGIN PERFORM 1; END $$;"]),
    ],
    proof: Proof::Refused,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if let Syntax::Call { name: Some(name) } = scene.syntax()
        && scene.read.in_transaction
        && scene.schema.commits(name)
    {
        let report = Report::new(format!("`{name}` ends a transaction that it did not begin, which fails"));
        reports.add(report.help("write `-- migrate: no-transaction` above the first statement of the file"));
    }
    let Syntax::Do { body } = scene.syntax() else { return };
    let body = scene.sql.get(body.clone()).unwrap_or_default().to_ascii_uppercase();
    let commits = body.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == "COMMIT" || word == "ROLLBACK");
    if commits && scene.read.in_transaction {
        reports.add(Report::new("this block ends a transaction that it did not begin, which fails"));
    }
}
