//! The rule `contract-with-expand`.

use crate::context::FileContext;
use crate::object_name::ObjectName;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "contract-with-expand",
        "A contract migration takes away what the release before still uses, so it must run when that release is \
         gone. Here one stands in the same release as the expand or migrate step that it belongs to: between the two \
         no application has changed over.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "release the expand step first; add the contract step to a later release",
    opt_in: false,
    down: false,
    check: Check::File(check),
    flagged: &[],
    not_flagged: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;",
    ])],
    verification: Verification::Files,
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    if !context.file.is_contract() {
        return;
    }
    let tables = |syntax: &Syntax| match syntax {
        Syntax::AlterTable(alter) => vec![context.after.schema.resolve(&alter.table)],
        Syntax::Drop(removal) => removal.names.iter().map(|name| context.after.schema.resolve(name)).collect(),
        Syntax::CreateTable(table) => table.name.iter().map(|name| context.after.schema.resolve(name)).collect(),
        Syntax::Update(change) => vec![context.after.schema.resolve(&change.table)],
        Syntax::RenameTables(renames) => renames.iter().map(|(from, _)| context.after.schema.resolve(from)).collect(),
        _ => Vec::new(),
    };
    // What is not said to be a step is one if it adds or fills columns.
    let expands = |syntax: &Syntax| match syntax {
        Syntax::AlterTable(alter) => alter.actions.iter().any(|action| matches!(action.kind, ActionKind::AddColumn { .. })),
        Syntax::Update(_) => true,
        _ => false,
    };
    let own: Vec<ObjectName> = context.file.statements.iter().flat_map(|read| tables(&read.syntax)).collect();
    let required = &context.file.migration.up.directives.requires;
    let before = context.history[..context.file.index].iter().enumerate().filter(|(at, _)| context.file.pending.contains(at));
    for (_, other) in before {
        let step =
            matches!(other.phase(), Some(migrate_model::directives::Phase::Expand | migrate_model::directives::Phase::Migrate));
        let named = required.iter().any(|requirement| requirement.service.is_none() && requirement.version == other.version);
        let statements = other
            .up
            .statements
            .iter()
            .map(|statement| migrate_model::reader::read(statement.sql(&other.up.text), context.after.schema.dialect()));
        let statements: Vec<Syntax> = statements.collect();
        let about = |syntax: &&Syntax| tables(syntax).iter().any(|table| own.contains(table));
        let same = statements.iter().any(|syntax| about(&syntax));
        let unsaid = other.phase().is_none() && statements.iter().any(|syntax| about(&syntax) && expands(syntax));
        if named || step && same || unsaid {
            findings.add(RuleFinding::new(format!("`{}`, which it belongs to, is in the same release", other.title())));
            return;
        }
    }
}
