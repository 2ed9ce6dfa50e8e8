//! The rule `mysql-several-ddl`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql};
use crate::scene::{FileScene, Read};
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::Syntax;

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
    instead: "write one statement of DDL in each migration, if other tools run it too",
    optional: true,
    down: false,
    check: Check::File(check),
    fires: &[mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int; ALTER TABLE t ADD c int;"])],
    silent: &[mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int;"])],
    proof: Proof::Manual("MariaDB knowledge base, SQL statements that cause an implicit commit"),
};

fn check(scene: &FileScene<'_>, reports: &mut Reports) {
    let commits = |read: &&Read| {
        matches!(
            read.syntax,
            Syntax::CreateTable(_) | Syntax::AlterTable(_) | Syntax::CreateIndex(_) | Syntax::Drop(_) | Syntax::RenameTables(_)
        )
    };
    let count = scene.file.reads.iter().filter(commits).count();
    if count > 1 {
        reports.add(Report::new(format!("{count} statements here commit by themselves, one by one")));
    }
}
