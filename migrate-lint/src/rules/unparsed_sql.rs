//! The rule `unparsed-sql`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "unparsed-sql",
        "A `DO` block that puts SQL together at run time (`EXECUTE`) can do anything; what it does is not looked at, \
         and what the rules say of later statements may miss it.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    fix: "write the statements out, one by one",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[postgres(&["DO $$ BEGIN EXECUTE format('DROP TABLE %I', 'x'); END $$;"])],
    not_flagged: &[
        postgres(&["DO $$ BEGIN EXECUTE 'ANALYZE x'; END $$;"]),
        postgres(&["DO $$ BEGIN CREATE TYPE m AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN null; END $$;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::Do { body } = context.syntax()
        && migrate_model::reader::executes_text(context.sql, body.clone(), Dialect::Postgres)
    {
        findings.add(RuleFinding::new("what this block executes is put together at run time and was not looked at"));
    }
}
