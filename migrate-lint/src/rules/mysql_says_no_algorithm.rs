//! The rule `mysql-says-no-algorithm`.

use crate::impact::Algorithm;
use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-says-no-algorithm",
        "Without `ALGORITHM` and `LOCK`, the server does what it is told in the best way it can, and where that is \
         copying the table, it copies it. With them it refuses what it cannot do so: the migration fails at once, \
         instead of stopping all writers for an hour. What the server can do depends on its version and on the table.",
    ),
    level: Level::Note,
    on: &[Dialect::MySql],
    instead: "",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t DROP COLUMN b;"]),
    ],
    silent: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int, ALGORITHM=INSTANT;"]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));",
            "ALTER TABLE t ADD INDEX i (a), ALGORITHM=NOCOPY, LOCK=NONE;",
        ]),
        mysql(&["CREATE TABLE t (a int); ALTER TABLE t ADD z int;"]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let Some(alter) = scene.alter().filter(|alter| alter.algorithm.is_none() && alter.lock.is_none()) else { return };
    // Where a clause was not read, and behind `ORDER BY`, nothing is advised.
    let known = |kind: &ActionKind| !matches!(kind, ActionKind::Opaque | ActionKind::Partitioning);
    if alter.ignore || !alter.actions.iter().all(|action| known(&action.kind)) {
        return;
    }
    let dearest = scene
        .impacts
        .iter()
        .filter(|impact| impact.online.is_some())
        .max_by_key(|impact| impact.online.map(|online| (online.algorithm, !online.writes)));
    let Some(impact) = dearest.filter(|impact| scene.is_deployed(&impact.table)) else { return };
    let Some(online) = impact.online.filter(|online| online.algorithm != Algorithm::Copy) else { return };
    let lock = match (online.algorithm, online.writes) {
        (Algorithm::Instant, _) => "",
        (_, true) => ", LOCK=NONE",
        (_, false) => ", LOCK=SHARED",
    };
    let clause = format!(", ALGORITHM={}{lock}", online.algorithm);
    reports.add(Report::new(format!("nothing holds the server to what it can do for `{}` at best", alter.table)).append(clause));
}
