//! The rule `alter-type-view-dep`.

use crate::context::StatementContext;
use crate::parts::PartKey;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags a type change of a column that a view or a generated column uses.
pub static RULE: Rule = Rule {
    code: Code::new(
        "alter-type-view-dep",
        "PostgreSQL rejects a type change of a column that a view, a materialized view or a generated column uses. \
         The migration fails at this statement.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "in one transaction, drop the dependent view or generated column, change the type, and create the view or \
         column again",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE VIEW v AS SELECT a FROM t;",
            "ALTER TABLE t ALTER a TYPE numeric;",
        ]),
        postgres(&[
            "CREATE TABLE g (gid bigint, c text); CREATE TABLE t (id bigint, a int); CREATE VIEW v AS SELECT c, (SELECT sum(a) FROM t WHERE id = gid) FROM g;",
            "ALTER TABLE t ALTER a TYPE bigint;",
        ]),
        postgres(&["CREATE TABLE t (a int, c int GENERATED ALWAYS AS (a * 2) STORED);", "ALTER TABLE t ALTER a TYPE numeric;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE VIEW v AS SELECT * FROM t;",
            "ALTER TABLE t ALTER b TYPE varchar;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE VIEW v AS SELECT a FROM t;",
            "DROP VIEW v; ALTER TABLE t ALTER a TYPE numeric; CREATE VIEW v AS SELECT a FROM t;",
        ]),
        postgres(&[
            "CREATE TABLE g (id bigint, b text); CREATE TABLE t (id bigint, a int, b varchar(9)); CREATE VIEW v AS SELECT g.b, t.a FROM t JOIN g ON g.id = t.id;",
            "ALTER TABLE t ALTER b TYPE varchar(80);",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint); CREATE VIEW v AS SELECT * FROM t; ALTER TABLE t ADD b varchar(5);",
            "ALTER TABLE t ALTER b TYPE varchar(50);",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE VIEW v AS SELECT b FROM t;",
            "ALTER TABLE t ALTER a TYPE numeric;",
        ]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let ActionKind::SetType { column, .. } = action else { continue };
        for view in context.schema.views_of_column(&table, column) {
            findings.add(RuleFinding::new(format!("`{view}` uses `{column}`, so PostgreSQL rejects the type change")).at(range));
        }
        let columns =
            context.relation(&table).into_iter().flat_map(|relation| relation.columns.candidates(|| PartKey::column(column)));
        for generated in columns.filter(|other| other.generated && other.computed_from.contains(column)) {
            findings.add(
                RuleFinding::new(format!(
                    "generated column `{}` uses `{column}`, so PostgreSQL rejects the type change",
                    generated.name
                ))
                .at(range),
            );
        }
    }
}
