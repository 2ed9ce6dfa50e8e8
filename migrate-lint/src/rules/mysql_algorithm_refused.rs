//! The rule `mysql-algorithm-refused`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-algorithm-refused",
        "`ALGORITHM` and `LOCK` say what the server may do at most, and it needs more for this: it refuses the statement \
         (errors 1845 and 1846), and the migration fails. Nothing has happened to the table then.",
    ),
    level: Level::Error,
    on: &[Dialect::MySql],
    instead: "",
    optional: false,
    down: true,
    check: Check::Statement(check),
    fires: &[
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
    ],
    silent: &[
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
    proof: Proof::Refused,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let Some((asked, needed)) = scene.refused_algorithm() else { return };
    let report = Report::new(format!("the server refuses {asked} for this"));
    reports.add(report.help(format!("it needs {needed}: write that if you can bear it, or find another way to the same end")));
}
