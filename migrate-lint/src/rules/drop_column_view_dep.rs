//! The rule `drop-column-view-dep`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-column-view-dep",
        "PostgreSQL refuses to drop a column that a view uses, or from which another column is computed, unless \
         `CASCADE` removes that too: the migration fails.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "drop the view first and create it again without the column, all in this transaction",
    opt_in: false,
    down: true,
    check: Check::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (id int, a int, b int GENERATED ALWAYS AS (a * 2) STORED);",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
        postgres(&[
            "CREATE TABLE c (u int, active boolean); CREATE TABLE us (id int); CREATE VIEW v AS SELECT us.id FROM us WHERE EXISTS (SELECT 1 FROM c WHERE c.u = us.id AND c.active);",
            "-- migrate: phase contract\nALTER TABLE c DROP COLUMN active;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE VIEW v AS SELECT a FROM t;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE VIEW v AS SELECT x.* FROM t x;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id int, name text); CREATE VIEW v AS SELECT q.name FROM (SELECT id AS name FROM t) q;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN name;",
        ]),
        postgres(&[
            "CREATE TABLE t (id int, data jsonb, name text); CREATE VIEW v AS SELECT t.id, x.name FROM t CROSS JOIN LATERAL jsonb_to_record(t.data) AS x(name text);",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN name;",
        ]),
        postgres(&[
            "CREATE TABLE t (id int, price int, cents int GENERATED ALWAYS AS (price * 100) STORED);",
            "-- migrate: phase contract\nALTER TABLE t RENAME COLUMN price TO price_old; ALTER TABLE t ADD COLUMN price numeric; ALTER TABLE t DROP COLUMN price;",
        ]),
        postgres(&[
            "CREATE TABLE t (id int, a int, b int GENERATED ALWAYS AS (a * 2) STORED);",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b, DROP COLUMN a;",
        ]),
        postgres(&[
            "CREATE TABLE c (id int, total int); CREATE TABLE us (uid int, n int); CREATE VIEW v AS SELECT sum(n) total FROM us JOIN c ON uid = id;",
            "-- migrate: phase contract\nALTER TABLE c DROP COLUMN total;",
        ]),
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
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let ActionKind::DropColumn { name, cascade: false, .. } = action else { continue };
        if let Some(view) = context.schema.view_of_column(&table, name) {
            findings.add(RuleFinding::new(format!("`{view}` uses `{name}`, so it cannot be dropped")).at(range));
        }
        // What was dropped before in the same statement is gone.
        let gone = |own: &str| {
            let before = context.actions().take_while(|(.., other)| other.start < range.start);
            before.into_iter().any(|(_, other, _)| matches!(other, ActionKind::DropColumn { name, .. } if name == own))
        };
        let columns = context.relation(&table).map(|relation| relation.columns.as_slice()).unwrap_or_default();
        let mut computed = columns.iter().filter(|other| other.generated && other.name != *name && !gone(&other.name));
        if let Some(other) = computed.find(|other| other.computed_from.contains(name)) {
            let message = format!("`{}` is computed from `{name}`, so that cannot be dropped", other.name);
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}
