//! The rule `duplicate-migration`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::{FileScene, Read};
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "duplicate-migration",
        "The file says the same as an earlier one, apart from comments and white space: it was copied and not \
         changed, or two branches brought the same change.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "delete one of them, or say why both are needed: `-- migrate: allow duplicate-migration: reason`",
    optional: false,
    down: false,
    check: Check::File(check),
    fires: &[
        postgres(&["ALTER TABLE t ADD COLUMN IF NOT EXISTS c int;", "-- again\nALTER TABLE t ADD COLUMN IF NOT EXISTS c int;"]),
        postgres(&["INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"]),
    ],
    silent: &[
        postgres(&["INSERT INTO t VALUES (1);", "INSERT INTO t VALUES (2);"]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nDROP TABLE t;", "CREATE TABLE t (a int);"]),
    ],
    proof: Proof::Files,
};

fn check(scene: &FileScene<'_>, reports: &mut Reports) {
    let does = |read: &Read| !matches!(read.syntax, Syntax::Query | Syntax::Transaction(_) | Syntax::Set(_));
    if !scene.file.reads.iter().any(does) {
        return;
    }
    if let Some(first) = scene.same_as {
        let other = &scene.history[first];
        // A table that was dropped in between comes back by the same words.
        let drops = |migration: &migrate_core::migration::Migration| migration.up.text.to_ascii_uppercase().contains("DROP ");
        if !scene.history[first + 1..scene.file.index].iter().any(drops) {
            reports.add(Report::new(format!("`{}` says the same as `{}`", scene.file.migration.title(), other.title())));
        }
    }
}
