//! The rule `drop-column-view-dep`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use crate::schema::Relation;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-column-view-dep",
        "PostgreSQL refuses to drop a column that a view uses, or from which another column is computed, unless \
         `CASCADE` removes that too: the migration fails.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "drop the view first and create it again without the column, all in this transaction",
    optional: false,
    down: true,
    check: Check::Statement(check),
    fires: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE VIEW v AS SELECT a FROM t;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE VIEW v AS SELECT x.* FROM t x;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
    ],
    silent: &[
        postgres(&[
            "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, 5 AS a FROM t;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
        postgres(&[
            "CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT * FROM (SELECT id FROM t) s;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE VIEW v AS SELECT count(*) AS n, max(id * 2) AS m FROM t;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY); CREATE VIEW v AS SELECT * FROM t;",
            "ALTER TABLE t ADD COLUMN a int;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE VIEW v AS SELECT b FROM t;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE VIEW v AS SELECT a FROM t;",
            "-- migrate: phase contract\nDROP VIEW v; ALTER TABLE t DROP COLUMN a;",
        ]),
    ],
    proof: Proof::Refused,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for (table, action, range) in scene.actions() {
        let ActionKind::DropColumn { name, cascade: false, .. } = action else { continue };
        // `*` is all columns that were there when the view was made.
        let made = scene.relation(&table).and_then(|relation| relation.column(name)).and_then(|column| column.made);
        let uses = |relation: &Relation| {
            let all = relation.mentions.iter().any(|word| word == "*") && made.is_none_or(|made| made < relation.made);
            relation.mentions.contains(name) || all
        };
        if let Some((view, _)) = scene.schema.readers(&table).find(|(_, relation)| relation.reads.len() == 1 && uses(relation)) {
            reports.add(Report::new(format!("`{view}` uses `{name}`, so it cannot be dropped")).at(range));
        }
    }
}
