//! The rule `fk-type-mismatch`.

use crate::context::FileContext;
use crate::relation::{ConstraintKind, Relation};
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "fk-type-mismatch",
        "A foreign key column has another type than the column it refers to: an `int` that refers to a `bigint` fails \
         on the first large value, and comparisons of different types may pass the index by.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "give both columns the same type",
    opt_in: false,
    down: false,
    check: Check::File(check),
    flagged: &[
        postgres(&["CREATE TABLE u (id bigint PRIMARY KEY);", "CREATE TABLE t (u_id int REFERENCES u (id));"]),
        postgres(&[
            "CREATE TABLE u (id bigserial PRIMARY KEY); CREATE TABLE t (a int);",
            "ALTER TABLE t ADD COLUMN u_id int REFERENCES u;",
        ]),
        postgres(&[
            "CREATE TABLE u (a bigint, b bigint, PRIMARY KEY (a, b));",
            "CREATE TABLE t (a bigint, b int, FOREIGN KEY (a, b) REFERENCES u);",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE u (id bigserial PRIMARY KEY);", "CREATE TABLE t (u_id bigint REFERENCES u (id));"]),
        postgres(&["CREATE TABLE u (id varchar(20) PRIMARY KEY);", "CREATE TABLE t (u_id text REFERENCES u (id));"]),
        postgres(&[
            "CREATE TABLE u (id bigint PRIMARY KEY, code int UNIQUE);",
            "CREATE TABLE t (u_code int REFERENCES u (code));",
        ]),
    ],
    verification: Verification::Files,
};

/// Of these PostgreSQL compares each with each.
const NUMBERS: [&str; 4] = ["smallint", "int", "bigint", "numeric"];

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    let schema = &context.after.schema;
    for (key, relation) in context.changed_relations() {
        let added = relation.constraints.iter().filter(|constraint| constraint.added.migration == context.file.index);
        for constraint in added {
            let ConstraintKind::Foreign { columns, table, targets, .. } = &constraint.kind else { continue };
            let Some(parent) = schema.relation(table) else { continue };
            for (column, target) in columns.iter().zip(parent.targets(targets).unwrap_or_default()) {
                let ty = |relation: &Relation, name: &str| relation.column(name).and_then(|column| column.ty.clone());
                let (Some(own), Some(other)) = (ty(relation, column), ty(parent, target)) else { continue };
                let comparable = [&own, &other].iter().all(|ty| NUMBERS.contains(&ty.name.as_str()) && !ty.array);
                if comparable && own.name != other.name {
                    findings.add(RuleFinding::new(format!(
                        "`{key}.{column}` is {own} and refers to `{table}.{target}`, which is {other}"
                    )));
                }
            }
        }
    }
}
