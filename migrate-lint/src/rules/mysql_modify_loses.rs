//! The rule `mysql-modify-loses`.

use crate::context::StatementContext;
use crate::relation;
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Column};

/// Flags a `MODIFY` or `CHANGE` that does not repeat an attribute of the column.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-modify-loses",
        "`MODIFY` and `CHANGE` drop every column attribute that the new definition does not repeat. If \
         `AUTO_INCREMENT` is omitted, the next `INSERT` fails or stores 0 as the key. If the default is omitted, \
         INSERTs that omit the column may fail. If `NOT NULL` is omitted, the column accepts nulls. If the collation \
         is omitted, text comparisons can give different results.",
    ),
    level: Level::Error,
    on: &[Product::MySql, Product::MariaDb],
    fix: "repeat the whole definition, or use a statement that changes one attribute only: `ALTER COLUMN c SET \
         DEFAULT`, `RENAME COLUMN a TO b`; if the column should accept nulls, write `NULL` explicitly",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        mysql(&["CREATE TABLE t (id int NOT NULL AUTO_INCREMENT PRIMARY KEY);", "ALTER TABLE t MODIFY id bigint NOT NULL;"]),
        mysql(&["CREATE TABLE t (a varchar(20) NOT NULL DEFAULT 'x');", "ALTER TABLE t MODIFY a varchar(40) NOT NULL;"]),
        mysql(&["CREATE TABLE t (a varchar(20) NOT NULL);", "ALTER TABLE t CHANGE a b varchar(40);"]),
        mysql(&[
            "CREATE TABLE t (a timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP);",
            "ALTER TABLE t MODIFY a timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP;",
        ]),
        mysql(&["CREATE TABLE t (a varchar(20) CHARACTER SET ascii COLLATE ascii_bin);", "ALTER TABLE t MODIFY a varchar(40);"]),
    ],
    not_flagged: &[
        mysql(&[
            "CREATE TABLE t (id int NOT NULL AUTO_INCREMENT PRIMARY KEY);",
            "ALTER TABLE t MODIFY id bigint AUTO_INCREMENT;",
        ]),
        mysql(&[
            "CREATE TABLE t (a varchar(20) COLLATE utf8mb4_bin) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;",
            "ALTER TABLE t MODIFY a varchar(30);",
        ]),
        mysql(&["CREATE TABLE t (a varchar(20) NOT NULL);", "ALTER TABLE t MODIFY a varchar(40) NULL;"]),
        mysql(&["CREATE TABLE t (a varchar(20) NOT NULL);", "ALTER TABLE t MODIFY a varchar(40) DEFAULT NULL;"]),
        mysql(&["CREATE TABLE t (a varchar(20) DEFAULT NULL);", "ALTER TABLE t MODIFY a varchar(40);"]),
        mysql(&["CREATE TABLE t (a int DEFAULT 1);", "ALTER TABLE t MODIFY a int DEFAULT 2;"]),
        mysql(&[
            "CREATE TABLE t (a varchar(20) CHARACTER SET ascii COLLATE ascii_bin);",
            "ALTER TABLE t MODIFY a varchar(40) COLLATE utf8mb4_bin;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int NOT NULL AUTO_INCREMENT PRIMARY KEY);",
            "ALTER TABLE t MODIFY id int NOT NULL, DROP PRIMARY KEY, ADD COLUMN k int NOT NULL AUTO_INCREMENT PRIMARY KEY;",
        ]),
    ],
    verification: Verification::Seen("a_redefined_column_loses_its_attributes"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Some(alter) = context.alter() else { return };
    // An AUTO_INCREMENT column must be a key, so dropping the primary key requires dropping AUTO_INCREMENT.
    let drops_key = alter.actions.iter().any(|action| matches!(action.kind, ActionKind::DropPrimaryKey));
    for (table, action, range) in context.actions() {
        let (from, column) = match action {
            ActionKind::ModifyColumn(column) => (&column.name, column),
            ActionKind::ChangeColumn { from, column } => (from, column),
            _ => continue,
        };
        let Some(relation) = context.relation(&table) else { continue };
        let Some(before) = relation.column(from) else { continue };
        let in_key = relation.primary().is_some_and(|key| key.iter().any(|column| column.eq_ignore_ascii_case(from)));
        let lost = lost_attributes(before, column, in_key, relation.collation.as_deref());
        if lost.is_empty() || (drops_key && before.auto_increments) {
            continue;
        }
        let finding = RuleFinding::new(format!("`{table}.{}` loses {}", column.name, lost.join(", "))).at(range);
        findings.add(if before.auto_increments && !column.identity { finding } else { finding.at_most(Level::Warning) });
    }
}

/// The attributes that the new definition drops. `table_collation` is the default collation of the table.
fn lost_attributes(before: &relation::Column, column: &Column, in_key: bool, table_collation: Option<&str>) -> Vec<&'static str> {
    let mut lost = Vec::new();
    if before.auto_increments && !column.identity {
        lost.push("`AUTO_INCREMENT`");
    }
    if before.has_default && !before.auto_increments && column.default.is_none() && !column.identity && column.generated.is_none()
    {
        lost.push("its default");
    }
    if before.not_null && !in_key && !column.not_null && !column.primary && !column.says_null {
        lost.push("`NOT NULL`");
    }
    if before.on_update && !column.on_update {
        lost.push("`ON UPDATE`");
    }
    let has_charset = |ty: &migrate_model::syntax::Type| ty.charset.is_some() || ty.collation.is_some();
    if let (Some(old), Some(new)) = (&before.ty, &column.ty)
        && has_charset(old)
        && !has_charset(new)
        && is_text(&new.name)
        && !(old.collation.is_some() && old.collation.as_deref() == table_collation)
    {
        lost.push("its character set or collation");
    }
    lost
}

fn is_text(name: &str) -> bool {
    ["char", "varchar", "text", "enum", "set"].iter().any(|ending| name.ends_with(ending))
}
