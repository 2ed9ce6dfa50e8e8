//! The rule `combine-alters`.

use crate::impact::Cause;
use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "combine-alters",
        "Several statements that each read the whole of one table read it as often as there are statements. Clauses \
         of one `ALTER TABLE` share a single pass.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    instead: "write one `ALTER TABLE` with both clauses, separated by a comma",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);\nALTER TABLE t ALTER a SET NOT NULL;",
    ])],
    silent: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0), ALTER a SET NOT NULL;",
    ])],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let Some(alter) = scene.alter() else { return };
    let table = scene.schema.key(&alter.table);
    let Some(before) = scene.earlier().last() else { return };
    let same = matches!(&before.syntax, Syntax::AlterTable(other) if scene.schema.key(&other.table) == table);
    let reads = |cause: &Cause| {
        matches!(cause, Cause::Check | Cause::NotNull | Cause::TypeRewrite | Cause::ColumnCheck | Cause::VolatileDefault(_))
    };
    let own = scene.impacts.iter().any(|impact| reads(&impact.cause));
    let other = scene.held.iter().any(|held| held.since == before.statement && held.table == table && reads(&held.cause));
    if same && own && other && scene.is_deployed(&table) {
        reports.add(Report::new(format!("`{table}` is read once more, right behind a statement that read it")));
    }
}
