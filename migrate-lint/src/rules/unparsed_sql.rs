//! The rule `unparsed-sql`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::reader::executes_text;
use migrate_model::syntax::Syntax;

/// Flags statements that build SQL at run time.
pub static RULE: Rule = Rule {
    code: Code::new(
        "unparsed-sql",
        "A `DO` block or an `EXECUTE` that builds SQL at run time can run any statement. The linter cannot check the \
         statements that are built at run time and does not know their effects, so findings for later statements may \
         be missing. The same is true for the call of a procedure, or of a function of an earlier migration, because only the \
         bodies of routines that the same file creates are checked, where it calls them. `EXECUTE` of a string literal is checked like any other statement, even if the literal is \
         passed through `PREPARE` and a user variable.",
    ),
    level: Level::Note,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb],
    fix: "write the statements directly, without `EXECUTE`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["DO $$ BEGIN EXECUTE format('DROP TABLE %I', 'x'); END $$;"]),
        mysql(&["PREPARE s FROM @sql; EXECUTE s;"]),
        mysql(&["EXECUTE IMMEDIATE CONCAT('DROP TABLE ', 't');"]),
        postgres(&["CREATE FUNCTION m() RETURNS int LANGUAGE sql AS 'SELECT 1';", "SELECT m();"]),
        mysql(&["CALL upgrade();"]),
    ],
    not_flagged: &[
        postgres(&["CREATE FUNCTION m() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT m();"]),
        postgres(&["DO $$ BEGIN EXECUTE 'ANALYZE x'; END $$;"]),
        mysql(&["PREPARE s FROM 'ANALYZE TABLE x'; EXECUTE s; DEALLOCATE PREPARE s;"]),
        postgres(&["DO $$ BEGIN CREATE TYPE m AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN null; END $$;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    match context.syntax() {
        Syntax::Do { body } if executes_text(context.sql, body.clone(), context.schema.dialect()) => {
            findings.add(RuleFinding::new("this block builds SQL at run time, which was not checked"));
        }
        // The parser replaces `EXECUTE` of a known text by the statement in that text.
        Syntax::Call { name: None } => {
            findings.add(RuleFinding::new("this statement executes SQL that was built at run time, which was not checked"));
        }
        Syntax::Call { name: Some(name) } if !context.file.creates_routine(name) => {
            findings.add(RuleFinding::new(format!("the body of procedure `{name}` is not in this file, and was not checked")));
        }
        Syntax::Query
            if context.schema.calls_user_function(context.sql) && !context.file.creates_a_called_routine(context.sql) =>
        {
            findings
                .add(RuleFinding::new("this query calls a function of an earlier migration, whose body was not checked here"));
        }
        _ => {}
    }
}
