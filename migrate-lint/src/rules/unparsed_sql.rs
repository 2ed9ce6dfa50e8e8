//! The rule `unparsed-sql`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags `DO` blocks that build SQL at run time.
pub static RULE: Rule = Rule {
    code: Code::new(
        "unparsed-sql",
        "A `DO` block that builds SQL at run time (`EXECUTE`) can run any statement. The linter does not check these \
         statements and does not know their effects, so findings for later statements may be missing. `EXECUTE` of a \
         string literal is checked like any other statement.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    fix: "write the statements directly, without `EXECUTE`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
        findings.add(RuleFinding::new("this block builds SQL at run time, which was not checked"));
    }
}
