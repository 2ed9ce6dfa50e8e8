//! The rule `mysql-algorithm-refused`.

use crate::context::StatementContext;
use crate::impact::{ImpactContext, impacts};
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::{Product, Server};
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags an `ALTER TABLE` whose `ALGORITHM` or `LOCK` clause the server does not support for the change.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-algorithm-refused",
        "An `ALTER TABLE` or a `CREATE INDEX` specifies an `ALGORITHM` or `LOCK` that the server does not support for this change. The \
         server rejects the statement (errors 1845 and 1846). The migration fails, and the table is unchanged.",
    ),
    level: Level::Error,
    on: &[Product::MySql, Product::MariaDb],
    fix: "",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int);", "ALTER TABLE t ADD INDEX i (a), ALGORITHM=INSTANT;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "ALTER TABLE t MODIFY a int NOT NULL DEFAULT 0, ALGORITHM=INSTANT;",
        ]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int);", "ALTER TABLE t MODIFY a bigint, ALGORITHM=INPLACE, LOCK=NONE;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int);", "ALTER TABLE t MODIFY a bigint, LOCK=NONE;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a text);",
            "ALTER TABLE t ADD FULLTEXT KEY f (a), ALGORITHM=INPLACE, LOCK=NONE;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "ALTER TABLE t ADD b int, ADD INDEX i (b), ALGORITHM=NOCOPY, LOCK=NONE;",
        ]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int);", "CREATE INDEX i ON t (a) ALGORITHM=INSTANT;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int);", "CREATE INDEX i ON t (a) ALGORITHM = COPY LOCK = NONE;"]),
    ],
    not_flagged: &[
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "CREATE INDEX i ON t (a) COMMENT 'x' ALGORITHM=INPLACE LOCK=NONE;",
        ]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int);", "CREATE INDEX i ON t (a) ALGORITHM=COPY;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int);", "ALTER TABLE t ADD b int, ALGORITHM=INSTANT;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int);", "ALTER TABLE t ADD INDEX i (a), ALGORITHM=INPLACE, LOCK=NONE;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int);", "ALTER TABLE t MODIFY a bigint, ALGORITHM=COPY, LOCK=SHARED;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "ALTER TABLE t MODIFY a bigint, ALGORITHM=DEFAULT, LOCK=DEFAULT;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a text);",
            "ALTER TABLE t ADD FULLTEXT KEY f (a), ALGORITHM=INPLACE, LOCK=SHARED;",
        ]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Some((rejected, needed)) = context.refused_algorithm() else { return };
    let server = if accepts_since_11_2(context) { "MariaDB before version 11.2" } else { "the server" };
    let finding = RuleFinding::new(format!("{server} rejects `{rejected}` for this change"));
    findings.add(finding.help(format!(
        "write `{needed}`, which this change requires, if its cost is acceptable; otherwise change the table in another way"
    )));
}

/// Does MariaDB 11.2, which copies tables online, accept the statement?
fn accepts_since_11_2(context: &StatementContext<'_>) -> bool {
    let server = Server { product: Product::MariaDb, version: (11, 2) };
    let foreign_keys_unchecked = context.foreign_keys_unchecked;
    let newer = ImpactContext { server, utc: false, foreign_keys_unchecked, table_is_empty: false };
    let impacts = impacts(context.schema, context.syntax(), context.sql, newer);
    let algorithm = match context.syntax() {
        Syntax::CreateIndex(index) => Some(index.algorithm.as_deref()),
        _ => context.alter().map(|alter| alter.algorithm.as_deref()),
    };
    let requests_copy = algorithm.is_some_and(|algorithm| matches!(algorithm, None | Some("COPY" | "DEFAULT")));
    context.server().product == Product::MariaDb
        && requests_copy
        && impacts.iter().filter_map(|impact| impact.online).all(|online| online.allows_writes)
}
