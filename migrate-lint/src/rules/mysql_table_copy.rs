//! The rule `mysql-table-copy`.

use crate::context::StatementContext;
use crate::impact::{Algorithm, Cause};
use crate::rule::{Check, Rule, Verification, mysql};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Column};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-table-copy",
        "The server can only do this by copying the whole table, row by row, and nobody can write to it meanwhile \
         (ALGORITHM=COPY, LOCK=SHARED). So are changed: the type of a column, its character set, a length of VARCHAR \
         that crosses 255 bytes, the middle of an ENUM; so are added: stored columns, foreign keys (with checks on), \
         CHECKs; and so are rows divided into other partitions, put into another order or another engine.",
    ),
    level: Level::Error,
    on: &[Dialect::MySql],
    fix: "use a tool that copies beside the table (gh-ost, pt-online-schema-change); or add a new column and fill it \
         in batches",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
        mysql(&[
            "CREATE TABLE t (a varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin);",
            "ALTER TABLE t MODIFY a varchar(30) COLLATE utf8mb4_bin;",
        ]),
        mysql(&["CREATE TABLE t (b varchar(30));", "ALTER TABLE t MODIFY b varchar(100);"]),
        mysql(&["CREATE TABLE t (b varchar(70)) CHARACTER SET latin1;", "ALTER TABLE t MODIFY b varchar(256);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY);", "ALTER TABLE t ADD z json DEFAULT (json_object());"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int;"]),
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
    // What the server refuses is not done.
    if context.refused_algorithm().is_some() {
        return;
    }
    for impact in context.impacts.iter().filter(|impact| impact.online.is_some_and(|online| online.algorithm == Algorithm::Copy))
    {
        let Cause::Alter(what) = &impact.cause else { continue };
        let known = context.relation(&impact.table).is_some();
        let finding = context.finding(impact, format!("{what}: `{}` is copied, and writes to it wait", impact.table));
        let finding = finding.map(|finding| match instead(context, what) {
            Some(instead) => finding.fix(instead),
            None => finding,
        });
        // A column that no migration here made: its type before decides.
        findings.all.extend(finding.map(|finding| if known { finding } else { finding.at_most(Level::Warning) }));
    }
}

/// What to do where a new column is no way out.
fn instead(context: &StatementContext<'_>, what: &str) -> Option<&'static str> {
    let is_enum = |column: &Column| column.ty.as_ref().is_some_and(|ty| matches!(ty.name.as_str(), "enum" | "set"));
    let modifies_enum = context.actions().any(|(_, action, _)| match action {
        ActionKind::ModifyColumn(column) | ActionKind::ChangeColumn { column, .. } => is_enum(column),
        _ => false,
    });
    match () {
        () if what.contains("foreign key") => Some(
            "do it in a time of little traffic; with `SET foreign_key_checks = 0` nothing is copied, and rows that lead \
             nowhere are not found",
        ),
        () if what.contains("type of a column") && modifies_enum => {
            Some("write new labels behind those that are there: that takes no copy")
        }
        () if what.contains("type") || what.contains("defined anew") || what.contains("computed") => None,
        () => Some("use a tool that copies beside the table (gh-ost, pt-online-schema-change), or a time of little traffic"),
    }
}
