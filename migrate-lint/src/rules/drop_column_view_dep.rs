//! The rule `drop-column-view-dep`.

use crate::context::StatementContext;
use crate::parts::PartKey;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags `DROP COLUMN` of a column that a view or a generated column depends on.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-column-view-dep",
        "PostgreSQL rejects `DROP COLUMN` without `CASCADE` if a view or a generated column depends on the column \
         (error 2BP01). The migration fails at this statement.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "drop the dependent view or generated column first; in the same transaction, create the view again without \
         the dropped column",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE VIEW v AS SELECT a FROM t;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
        postgres(&[
            "CREATE TABLE t (id int, a int, b int GENERATED ALWAYS AS (a * 2) STORED);",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
        postgres(&[
            "CREATE TABLE c (u int, active boolean); CREATE TABLE us (id int); CREATE VIEW v AS SELECT us.id FROM us WHERE EXISTS (SELECT 1 FROM c WHERE c.u = us.id AND c.active);",
            "-- migrate: phase contract\nALTER TABLE c DROP COLUMN active;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE VIEW v AS SELECT x.* FROM t x;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE VIEW v AS SELECT a FROM t;",
            "-- migrate: phase contract\nDROP VIEW v; ALTER TABLE t DROP COLUMN a;",
        ]),
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
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let ActionKind::DropColumn { name, cascade: false, .. } = action else { continue };
        for view in context.schema.views_of_column(&table, name) {
            findings.add(RuleFinding::new(format!("cannot drop `{table}.{name}`: view `{view}` depends on it")).at(range));
        }
        // An earlier clause of the same statement may have dropped the generated column.
        let is_dropped_before = |column: &str| {
            let mut earlier = context.actions_naming(column).take_while(|clause| clause.range.start < range.start);
            earlier.any(|action| matches!(&action.kind, ActionKind::DropColumn { name, .. } if name == column))
        };
        let columns =
            context.relation(&table).into_iter().flat_map(|relation| relation.columns.candidates(|| PartKey::column(name)));
        let generated = columns.filter(|column| column.generated && column.name != *name);
        let dependents = generated.filter(|column| column.computed_from.contains(name) && !is_dropped_before(&column.name));
        for column in dependents {
            let message = format!("cannot drop `{table}.{name}`: generated column `{}` depends on it", column.name);
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}
