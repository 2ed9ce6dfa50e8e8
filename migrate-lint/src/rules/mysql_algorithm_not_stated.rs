//! The rule `mysql-algorithm-not-stated`.

use crate::context::StatementContext;
use crate::impact::Algorithm;
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags an `ALTER TABLE` of an existing table that specifies neither `ALGORITHM` nor `LOCK`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-algorithm-not-stated",
        "Without `ALGORITHM` and `LOCK`, the server may fall back to copying the table, which blocks writes until the \
         copy is complete. With these clauses, the server rejects a change that it cannot make as specified, and the \
         migration fails immediately. Which algorithms are supported depends on the version of the server and on the \
         table.",
    ),
    level: Level::Note,
    on: &[Product::MySql, Product::MariaDb],
    fix: "",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t DROP COLUMN b;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY kb (b));", "ALTER TABLE t ADD c int, ADD INDEX ic (c);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY kb (b));", "ALTER TABLE t ADD c int, ADD INDEX ic (a);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY kb (b));", "ALTER TABLE t ADD c int UNIQUE;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY kb (b));", "ALTER TABLE t DROP a, ADD INDEX ic (b);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY kb (b));", "ALTER TABLE t DROP b;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY kb (b));", "ALTER TABLE t DROP b, DROP INDEX kb;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY kb (b));", "ALTER TABLE t ADD c int, DROP INDEX kb;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY kb (b));",
            "ALTER TABLE t RENAME COLUMN a TO d, ADD INDEX ic (b, d);",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(10), KEY kb (b));",
            "ALTER TABLE t MODIFY b varchar(20), ADD INDEX ic (a);",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY kb (b));",
            "ALTER TABLE t ADD c int, MODIFY a int NOT NULL;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY kb (b));",
            "ALTER TABLE t ADD v int AS (a+1) VIRTUAL, ADD INDEX iv (v);",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b int, KEY kb (b));",
            "ALTER TABLE t ADD v int AS (a+1) VIRTUAL, ADD INDEX iv (a);",
        ]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int AS (a+1) VIRTUAL);", "ALTER TABLE t ADD INDEX iv (b);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int AS (a+1) VIRTUAL, KEY(b));", "ALTER TABLE t ADD x int;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, x int, b int AS (a+1) VIRTUAL);", "ALTER TABLE t DROP x;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, x int, b int AS (a+1) VIRTUAL, KEY(b));", "ALTER TABLE t FORCE;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a text, b int, FULLTEXT KEY f(a));", "ALTER TABLE t DROP b;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a text, b int, FULLTEXT KEY f(a));", "ALTER TABLE t FORCE;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a text, b int, FULLTEXT KEY f(a));", "ALTER TABLE t ENGINE=InnoDB;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a text, b int, FULLTEXT KEY f(a));",
            "ALTER TABLE t MODIFY b int NOT NULL;",
        ]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a text, b int, FULLTEXT KEY f(a));", "ALTER TABLE t ADD INDEX ib (b);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a text, b int, FULLTEXT KEY f(a));", "ALTER TABLE t DROP INDEX f;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a text, b int, FULLTEXT KEY f(a));",
            "ALTER TABLE t ADD v int AS (b+1) VIRTUAL;",
        ]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a text, b int, FULLTEXT KEY f(a));", "ALTER TABLE t RENAME COLUMN b TO c;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a text, b int, FULLTEXT KEY f(a));", "ALTER TABLE t ADD c int UNIQUE;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a geometry NOT NULL, b int, SPATIAL KEY f(a));",
            "ALTER TABLE t ADD c int;",
        ]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a geometry NOT NULL, b int, SPATIAL KEY f(a));", "ALTER TABLE t DROP b;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a geometry NOT NULL, b int, SPATIAL KEY f(a));", "ALTER TABLE t FORCE;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int) ROW_FORMAT=COMPRESSED;", "ALTER TABLE t ADD c int;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b int) ENGINE=MyISAM;", "ALTER TABLE t RENAME COLUMN a TO c;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, c int zerofill);", "ALTER TABLE t MODIFY c int unsigned;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t MODIFY a varchar(20) CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(40)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t MODIFY a varchar(80) CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a char(20)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t MODIFY a char(20) CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a text) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t MODIFY a text CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), KEY(a)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t MODIFY a varchar(20) CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), UNIQUE(a)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t MODIFY a varchar(20) CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (a varchar(20) PRIMARY KEY) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t MODIFY a varchar(20) CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(191), UNIQUE(a)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), KEY(a)) DEFAULT CHARSET=utf8mb4;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b text) DEFAULT CHARSET=utf8mb4;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int) DEFAULT CHARSET=latin1;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a char(80)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;",
        ]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, c datetime);", "ALTER TABLE t MODIFY c datetime(0);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, c char(1));", "ALTER TABLE t MODIFY c char;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, c decimal(8));", "ALTER TABLE t MODIFY c decimal(8,0);"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, c mediumtext);", "ALTER TABLE t MODIFY c long varchar;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20) COLLATE utf8mb4_general_ci);",
            "ALTER TABLE t MODIFY a varchar(20) COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20) COLLATE utf8mb4_general_ci, KEY(a));",
            "ALTER TABLE t MODIFY a varchar(20) COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a text COLLATE utf8mb4_general_ci);",
            "ALTER TABLE t MODIFY a text COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20) COLLATE utf8mb3_unicode_ci, KEY(a));",
            "ALTER TABLE t MODIFY a varchar(20) CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20) CHARACTER SET utf8, KEY(a));",
            "ALTER TABLE t MODIFY a varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20) CHARACTER SET utf8);",
            "ALTER TABLE t MODIFY a varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(60) CHARACTER SET utf8);",
            "ALTER TABLE t MODIFY a varchar(60) CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a char(20) COLLATE utf8mb4_general_ci);",
            "ALTER TABLE t MODIFY a char(20) COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), FULLTEXT(a)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a json) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a longtext) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), KEY(a)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (a varchar(20) PRIMARY KEY) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), KEY(a)) DEFAULT CHARSET=utf8;",
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
        ]),
        mysql(&["CREATE TABLE t (id int NOT NULL, a text, FULLTEXT KEY f(a));", "ALTER TABLE t ADD PRIMARY KEY (id);"]),
    ],
    not_flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int, ALGORITHM=INSTANT;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));",
            "ALTER TABLE t ADD INDEX i (a), ALGORITHM=NOCOPY, LOCK=NONE;",
        ]),
        mysql(&["CREATE TABLE t (a int); ALTER TABLE t ADD z int;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Some(alter) = context.alter().filter(|alter| alter.algorithm.is_none() && alter.lock.is_none()) else { return };
    // The cost of an unparsed clause is unknown, and `ALGORITHM` cannot follow a partitioning clause.
    let is_supported = |kind: &ActionKind| !matches!(kind, ActionKind::Opaque | ActionKind::Partitioning);
    if alter.ignore || !alter.actions.iter().all(|action| is_supported(&action.kind)) {
        return;
    }
    let deployed = context.is_deployed(&context.schema.resolve(&alter.table));
    let Some(online) = context.costliest().filter(|online| deployed && online.algorithm != Algorithm::Copy) else { return };
    let lock = if online.algorithm == Algorithm::Instant {
        ""
    } else if online.allows_writes {
        ", LOCK=NONE"
    } else {
        ", LOCK=SHARED"
    };
    let clause = format!(", ALGORITHM={}{lock}", online.algorithm);
    findings.add(
        RuleFinding::new(format!("without `ALGORITHM` or `LOCK`, the server may fall back to copying `{}`", alter.table))
            .append(clause),
    );
}
