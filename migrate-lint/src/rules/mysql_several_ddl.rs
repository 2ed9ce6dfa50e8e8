//! The rule `mysql-several-ddl`.

use crate::context::{FileContext, ParsedStatement};
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags a file that contains more than one DDL statement.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-several-ddl",
        "Each DDL statement causes an implicit commit, which also commits the statements before it in the file. If a \
         later statement fails, the earlier ones remain applied. `cargo migrate` records the number of completed \
         statements after each statement, and resumes at the failed one. Other tools leave the migration partially \
         applied.",
    ),
    level: Level::Note,
    on: &[Product::MySql, Product::MariaDb],
    fix: "write one DDL statement per migration if other tools also run the migrations",
    opt_in: true,
    down: false,
    check: RuleCheck::File(check),
    flagged: &[mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int; ALTER TABLE t ADD c int;"])],
    not_flagged: &[mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int;"])],
    verification: Verification::Manual("MariaDB knowledge base, SQL statements that cause an implicit commit"),
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    let is_ddl = |statement: &&ParsedStatement| {
        matches!(
            statement.syntax,
            Syntax::CreateTable(_) | Syntax::AlterTable(_) | Syntax::CreateIndex(_) | Syntax::Drop(_) | Syntax::RenameTables(_)
        )
    };
    let count = context.file.statements.iter().filter(is_ddl).count();
    if count > 1 {
        findings.add(RuleFinding::new(format!("{count} statements in this file each cause an implicit commit")));
    }
}
