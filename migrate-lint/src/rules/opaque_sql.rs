//! The rule `opaque-sql`.

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
        "opaque-sql",
        "A `DO` block that puts SQL together at run time (`EXECUTE`) can do anything; what it does is not looked at, \
         and what the rules say of later statements may miss it.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    instead: "write the statements out, one by one",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["DO $$ BEGIN EXECUTE format('DROP TABLE %I', 'x'); END $$;"])],
    silent: &[
        postgres(&["DO $$ BEGIN EXECUTE 'ANALYZE x'; END $$;"]),
        postgres(&["DO $$ BEGIN CREATE TYPE m AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN null; END $$;"]),
    ],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if let Syntax::Do { body } = scene.syntax()
        && migrate_core::reader::executes_text(scene.sql, body.clone(), Dialect::Postgres)
    {
        reports.add(Report::new("what this block executes is put together at run time and was not looked at"));
    }
}
