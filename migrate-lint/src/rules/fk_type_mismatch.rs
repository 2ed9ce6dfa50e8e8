//! The rule `fk-type-mismatch`.

use crate::context::FileContext;
use crate::relation::{ConstraintKind, Relation};
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags foreign key columns whose numeric type differs from that of the referenced column.
pub static RULE: Rule = Rule {
    code: Code::new(
        "fk-type-mismatch",
        "The numeric type of a foreign key column differs from the type of the column that it references. If an \
         `int` column references a `bigint` column, an `INSERT` fails on the first value above the range of `int`. \
         When PostgreSQL compares values of different types, it may be unable to use an index. The rule compares \
         only `smallint`, `int`, `bigint` and `numeric`.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "give both columns the same type",
    opt_in: false,
    down: false,
    check: RuleCheck::File(check),
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

/// Types that PostgreSQL can compare with each other.
const NUMBERS: [&str; 4] = ["smallint", "int", "bigint", "numeric"];

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    let schema = &context.after.schema;
    for (key, relation) in context.changed_relations() {
        let added = relation.constraints.iter().filter(|constraint| constraint.added.migration == context.file.index);
        for constraint in added {
            let ConstraintKind::Foreign { columns, table, targets, .. } = &constraint.kind else { continue };
            let Some(parent) = schema.relation(table) else { continue };
            for (column, target) in columns.iter().zip(parent.targets(targets).unwrap_or_default()) {
                let type_of = |relation: &Relation, name: &str| relation.column(name).and_then(|column| column.ty.clone());
                let (Some(ty), Some(target_type)) = (type_of(relation, column), type_of(parent, target)) else { continue };
                let are_numbers = [&ty, &target_type].iter().all(|ty| NUMBERS.contains(&ty.name.as_str()) && !ty.array);
                if are_numbers && ty.name != target_type.name {
                    findings.add(RuleFinding::new(format!(
                        "`{key}.{column}` has type {ty}, but references `{table}.{target}` of type {target_type}"
                    )));
                }
            }
        }
    }
}
