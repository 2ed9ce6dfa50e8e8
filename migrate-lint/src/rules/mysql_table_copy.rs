//! The rule `mysql-table-copy`.

use crate::context::StatementContext;
use crate::impact::{Algorithm, AlterReason, Cause, Impact};
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Column};

/// Flags an `ALTER TABLE` that copies an existing table row by row.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-table-copy",
        "The server can make some changes only by copying the whole table row by row, which blocks writes until the \
         copy is complete (`ALGORITHM=COPY, LOCK=SHARED`). Examples are a change of the type or character set of a \
         column, a VARCHAR that becomes shorter or (in most cases) grows beyond 255 bytes, and a new ENUM value that \
         is not added at the end. Other examples are a new stored generated column, a new CHECK, a new foreign key \
         (while `foreign_key_checks` is on), and a change of the partitioning, of the order of the rows or of the \
         storage engine. On a small table, the copy is brief. MariaDB 11.2 and later allow writes during most \
         copies.",
    ),
    level: Level::Error,
    on: &[Product::MySql, Product::MariaDb],
    fix: "use a tool that copies the table online (gh-ost, pt-online-schema-change); or add a new column and fill it in \
          batches",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t MODIFY a bigint;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t MODIFY b varchar(100);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb3;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50)); CREATE TABLE u (id int PRIMARY KEY);",
            "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
        ]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD CONSTRAINT c CHECK (a >= 0);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD s int AS (a + 1) STORED;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t MODIFY b text;"]),
        mysql(&["CREATE TABLE t (e enum('x','y'));", "ALTER TABLE t MODIFY e enum('x','w','y');"]),
        mysql(&["ALTER TABLE made_elsewhere MODIFY a bigint;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));",
            "ALTER TABLE t ADD z varchar(40) DEFAULT (uuid());",
        ]),
        mysql(&["CREATE TABLE t (a int, v int AS (a + 1) VIRTUAL);", "ALTER TABLE t ADD z int FIRST;"]),
        mysql(&["CREATE TABLE t (a int, b int, s int AS (a + 1) STORED);", "ALTER TABLE t MODIFY b int NOT NULL;"]),
        mysql(&["CREATE TABLE t (a int, b int, s int AS (a + 1) STORED);", "ALTER TABLE t ADD PRIMARY KEY (b);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY);", "ALTER TABLE t ADD z char(36) DEFAULT uuid();"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, x int, b int AS (a+1) VIRTUAL, KEY(b));", "ALTER TABLE t DROP x;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, x int, b int AS (a+1) VIRTUAL, KEY(b));",
            "ALTER TABLE t MODIFY x int NOT NULL;",
        ]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int) ENGINE=MyISAM;", "ALTER TABLE t ENGINE=InnoDB;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int) ENGINE=MyISAM;", "ALTER TABLE t ADD c int;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int) ENGINE=MyISAM;", "ALTER TABLE t ADD INDEX i (a);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int) ENGINE=MyISAM;", "ALTER TABLE t DROP COLUMN a;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, c int);", "ALTER TABLE t MODIFY c int zerofill;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(80)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t MODIFY a varchar(80) CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a enum('x','y')) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t MODIFY a enum('x','y') CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20)) DEFAULT CHARSET=latin1;",
            "ALTER TABLE t MODIFY a varchar(20) CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b text) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (a varchar(20) PRIMARY KEY) DEFAULT CHARSET=utf8mb4;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(80)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20) CHARACTER SET utf8mb4);",
            "ALTER TABLE t MODIFY a varchar(20) CHARACTER SET utf8;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a enum('x') COLLATE utf8mb4_general_ci);",
            "ALTER TABLE t MODIFY a enum('x') COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a enum('x')) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a enum('x')) DEFAULT CHARSET=utf8mb4;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a mediumtext) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;",
        ]),
    ],
    not_flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int;"]),
        mysql(&[
            "CREATE TABLE t (a varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin);",
            "ALTER TABLE t MODIFY a varchar(30) COLLATE utf8mb4_bin;",
        ]),
        mysql(&["CREATE TABLE t (b varchar(30));", "ALTER TABLE t MODIFY b varchar(100);"]),
        mysql(&["CREATE TABLE t (b varchar(70)) CHARACTER SET latin1;", "ALTER TABLE t MODIFY b varchar(256);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY);", "ALTER TABLE t ADD z json DEFAULT (json_object());"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t MODIFY b varchar(60);"]),
        mysql(&["CREATE TABLE t (b varchar(300));", "ALTER TABLE t MODIFY b varchar(400);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD INDEX i (a);"]),
        mysql(&["CREATE TABLE t (e enum('x','y'));", "ALTER TABLE t MODIFY e enum('x','y','z');"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int FIRST;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50)); CREATE TABLE u (id int PRIMARY KEY);",
            "SET foreign_key_checks = 0; ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
        ]),
        mysql(&["CREATE TABLE t (a int); ALTER TABLE t MODIFY a bigint;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t MODIFY a int NULL;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    // A statement that the server rejects copies nothing; `mysql-algorithm-refused` reports it.
    if context.refused_algorithm().is_some() {
        return;
    }
    // `mysql-rebuilds-table` reports a copy that allows writes.
    let copies =
        |impact: &&Impact| impact.online.is_some_and(|online| online.algorithm == Algorithm::Copy && !online.allows_writes);
    for impact in context.impacts.iter().filter(copies) {
        let Cause::Alter(reason) = impact.cause else { continue };
        let Some(finding) =
            context.finding(impact, format!("{}: this copies `{}` and blocks writes", reason.text(), impact.table))
        else {
            continue;
        };
        let finding = match alternative(context, reason) {
            Some(fix) => finding.fix(fix),
            None => finding,
        };
        // Without the definition of the table, the old type is unknown and the change may not need a copy.
        let is_known = context.relation(&impact.table).is_some();
        findings.add(if is_known { finding } else { finding.at_most(Level::Warning) });
    }
}

/// The fix for a change that a new column cannot replace.
fn alternative(context: &StatementContext<'_>, reason: AlterReason) -> Option<&'static str> {
    match reason {
        AlterReason::ForeignKeyAdded | AlterReason::ForeignKeyColumnAdded => Some(
            "run the migration at a time of low traffic; with `SET foreign_key_checks = 0`, the table is not copied, but \
             rows that reference a missing row remain undetected",
        ),
        AlterReason::TypeChanged if modifies_enum(context) => {
            Some("append new enum values after the existing ones: that needs no copy")
        }
        AlterReason::TypeChanged
        | AlterReason::TypeUnknown
        | AlterReason::CurrentTypeUnknown
        | AlterReason::GeneratedColumnRedefined
        | AlterReason::StoredColumnAdded
        | AlterReason::ComputedDefaultAdded => None,
        _ => Some(
            "use a tool that copies the table online (gh-ost, pt-online-schema-change), or run the migration at a time of low traffic",
        ),
    }
}

fn modifies_enum(context: &StatementContext<'_>) -> bool {
    let is_enum = |column: &Column| column.ty.as_ref().is_some_and(|ty| matches!(ty.name.as_str(), "enum" | "set"));
    context.actions().any(|(_, action, _)| match action {
        ActionKind::ModifyColumn(column) | ActionKind::ChangeColumn { column, .. } => is_enum(column),
        _ => false,
    })
}
