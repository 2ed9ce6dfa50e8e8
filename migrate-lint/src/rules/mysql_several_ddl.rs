//! The rule `mysql-several-ddl`.

use crate::context::{FileContext, ParsedStatement};
use crate::rule::{Check, Rule, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-several-ddl",
        "Each statement of DDL commits by itself, and what stood before it in the file as well: where a later \
         statement fails, the earlier ones stay. This tool marks each statement that is done and goes on with the one \
         that failed; other tools leave a half-applied file.",
    ),
    level: Level::Note,
    on: &[Dialect::MySql],
    fix: "write one statement of DDL in each migration, if other tools run it too",
    opt_in: true,
    down: false,
    check: Check::File(check),
    flagged: &[mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int; ALTER TABLE t ADD c int;"])],
    not_flagged: &[mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int;"])],
    verification: Verification::Manual("MariaDB knowledge base, SQL statements that cause an implicit commit"),
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    let commits = |read: &&ParsedStatement| {
        matches!(
            read.syntax,
            Syntax::CreateTable(_) | Syntax::AlterTable(_) | Syntax::CreateIndex(_) | Syntax::Drop(_) | Syntax::RenameTables(_)
        )
    };
    let count = context.file.statements.iter().filter(commits).count();
    if count > 1 {
        findings.add(RuleFinding::new(format!("{count} statements here commit by themselves, one by one")));
    }
}
