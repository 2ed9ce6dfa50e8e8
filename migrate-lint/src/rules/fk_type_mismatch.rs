//! The rule `fk-type-mismatch`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::FileScene;
use crate::schema::Relation;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "fk-type-mismatch",
        "A foreign key column has another type than the column it refers to: an `int` that refers to a `bigint` fails \
         on the first large value, and comparisons of different types may pass the index by.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql],
    instead: "give both columns the same type",
    optional: false,
    down: false,
    check: Check::File(check),
    fires: &[
        postgres(&["CREATE TABLE u (id bigint PRIMARY KEY);", "CREATE TABLE t (u_id int REFERENCES u (id));"]),
        postgres(&[
            "CREATE TABLE u (id bigserial PRIMARY KEY); CREATE TABLE t (a int);",
            "ALTER TABLE t ADD COLUMN u_id int REFERENCES u;",
        ]),
    ],
    silent: &[
        postgres(&["CREATE TABLE u (id bigserial PRIMARY KEY);", "CREATE TABLE t (u_id bigint REFERENCES u (id));"]),
        postgres(&["CREATE TABLE u (id varchar(20) PRIMARY KEY);", "CREATE TABLE t (u_id text REFERENCES u (id));"]),
    ],
    proof: Proof::Files,
};

fn check(scene: &FileScene<'_>, reports: &mut Reports) {
    let schema = &scene.after.schema;
    for (key, relation) in scene.touched() {
        for (_, columns, table, _) in
            relation.foreign_keys().filter(|(constraint, ..)| constraint.added.migration == scene.file.index)
        {
            let (Some(parent), [column]) = (schema.relation(table), columns) else { continue };
            let Some([target]) = parent.primary() else { continue };
            let ty = |relation: &Relation, name: &str| relation.column(name).and_then(|column| column.ty.clone());
            let (Some(own), Some(other)) = (ty(relation, column), ty(parent, target)) else { continue };
            let numbers = ["tinyint", "smallint", "mediumint", "int", "bigint", "numeric", "uuid"];
            let comparable = numbers.contains(&own.name.as_str()) && numbers.contains(&other.name.as_str());
            if comparable && own.schema == other.schema && (own.name != other.name || own.unsigned != other.unsigned) {
                reports.add(Report::new(format!("`{key}.{column}` is {own} and refers to `{table}.{target}`, which is {other}")));
            }
        }
    }
}
