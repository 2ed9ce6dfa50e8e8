//! The rule `enum-rename-value`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{Syntax, TypeAction};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "enum-rename-value",
        "`RENAME VALUE` takes a label away from the release that runs: its queries that name the old one fail, and \
         what it reads has a name that it does not know.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "add the new label, let the application change over, change the rows in batches; the old label may stay",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m RENAME VALUE 'a' TO 'b';"])],
    silent: &[postgres(&["CREATE TYPE m AS ENUM ('a');", "-- migrate: phase contract\nALTER TYPE m RENAME VALUE 'a' TO 'b';"])],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if let Syntax::AlterType { name, action: TypeAction::RenameValue { from, to } } = scene.syntax()
        && !scene.file.is_contract()
    {
        reports.add(Report::new(format!("the release that runs knows '{from}' of `{name}`, and not '{to}'")));
    }
}
