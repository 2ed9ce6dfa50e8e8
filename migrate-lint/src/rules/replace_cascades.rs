//! The rule `replace-cascades`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags `REPLACE` and `INSERT OR REPLACE` on a table that is referenced with `ON DELETE CASCADE` or `SET NULL`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "replace-cascades",
        "`REPLACE` and `INSERT OR REPLACE` delete a conflicting row, which deletes or changes rows of other tables \
         that reference the row with `ON DELETE CASCADE` or `SET NULL`. The statement then inserts a new row, which \
         does not restore the deleted or changed rows. Other tables are affected only while foreign keys are \
         enforced.",
    ),
    level: Level::Warning,
    on: &[Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "write `INSERT ... ON DUPLICATE KEY UPDATE` (MySQL, MariaDB) or `INSERT ... ON CONFLICT DO UPDATE` \
         (SQLite), which update the existing row",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        mysql(&[
            "CREATE TABLE u (id int PRIMARY KEY, b int); CREATE TABLE t (u int, FOREIGN KEY (u) REFERENCES u (id) ON DELETE CASCADE);",
            "REPLACE INTO u (id, b) VALUES (1, 2);",
        ]),
        sqlite(&[
            "CREATE TABLE u (id integer PRIMARY KEY, b int); CREATE TABLE t (u int REFERENCES u (id) ON DELETE CASCADE);",
            "INSERT OR REPLACE INTO u (id, b) VALUES (1, 2);",
        ]),
    ],
    not_flagged: &[
        mysql(&[
            "CREATE TABLE u (id int PRIMARY KEY, b int); CREATE TABLE t (u int, FOREIGN KEY (u) REFERENCES u (id));",
            "REPLACE INTO u (id, b) VALUES (1, 2);",
        ]),
        sqlite(&[
            "CREATE TABLE u (id integer PRIMARY KEY, b int); CREATE TABLE t (u int REFERENCES u (id) ON DELETE CASCADE);",
            "INSERT INTO u (id, b) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET b = 2;",
        ]),
        sqlite(&[
            "CREATE TABLE u (id integer PRIMARY KEY, b int); CREATE TABLE t (u int REFERENCES u (id) ON DELETE CASCADE);",
            "PRAGMA foreign_keys = OFF; INSERT OR REPLACE INTO u (id, b) VALUES (1, 2); PRAGMA foreign_keys = ON;",
        ]),
    ],
    verification: Verification::Seen("replacing_a_row_deletes_its_children"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Insert(insert) = context.syntax() else { return };
    let table = context.schema.resolve(&insert.table);
    let enforced = match context.server().dialect() {
        Dialect::Sqlite => context.foreign_keys_enforced,
        Dialect::MySql | Dialect::Postgres => !context.foreign_keys_unchecked,
    };
    if !insert.replaces || !enforced || !context.is_deployed(&table) {
        return;
    }
    if let Some((child, ..)) = context.schema.children(&table).find(|(_, _, cascades)| *cascades) {
        let message = format!("replacing a row of `{table}` deletes or changes the rows of `{child}` that reference it");
        findings.add(RuleFinding::new(message));
    }
}
