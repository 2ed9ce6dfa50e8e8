//! The rule `contract-with-expand`.

use crate::context::FileContext;
use crate::object_name::ObjectName;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::schema::Schema;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};

/// Flags a contract migration whose expand or migrate step is not deployed yet.
pub static RULE: Rule = Rule {
    code: Code::new(
        "contract-with-expand",
        "A contract migration removes what the previous version of the application still uses, so it must run after \
         that version has stopped. The migrations that prepare for it must run earlier: the new version of the \
         application, which no longer uses what is removed, is deployed after them. If a contract migration and a \
         migration that prepares for it are deployed together, no version of the application can be deployed between \
         them. This rule flags a contract migration (`-- migrate: phase contract`) if an earlier migration that \
         prepares for it is not deployed yet. An earlier migration prepares for the contract migration if one of the \
         following is true: the directive `requires` of the contract migration lists it; it has phase `expand` or \
         `migrate` and changes the same table; it has no phase and adds or fills columns of the same table.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "deploy the earlier migration first, and add the contract migration in a later deployment",
    opt_in: false,
    down: false,
    check: RuleCheck::File(check),
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
    let schema = &context.after.schema;
    let contract_tables: Vec<ObjectName> =
        context.file.statements.iter().flat_map(|statement| changed_tables(schema, &statement.syntax)).collect();
    let required = &context.file.migration.up.directives.requires;
    let earlier = context.history[..context.file.index].iter().enumerate();
    for (_, migration) in earlier.filter(|(index, _)| context.file.pending.contains(index)) {
        let is_step = matches!(
            migration.phase(),
            Some(migrate_model::directives::Phase::Expand | migrate_model::directives::Phase::Migrate)
        );
        let named = required.iter().any(|requirement| requirement.service.is_none() && requirement.version == migration.version);
        let statements = migration
            .up
            .statements
            .iter()
            .map(|statement| migrate_model::reader::read(statement.sql(&migration.up.text), schema.dialect()));
        let statements: Vec<Syntax> = statements.collect();
        let shares_table = |syntax: &Syntax| changed_tables(schema, syntax).iter().any(|table| contract_tables.contains(table));
        let same_table = statements.iter().any(shares_table);
        // A migration without a phase counts as an expand step if it adds or fills columns.
        let implicit_step =
            migration.phase().is_none() && statements.iter().any(|syntax| shares_table(syntax) && adds_or_fills_columns(syntax));
        if named || is_step && same_table || implicit_step {
            let message = format!("`{}`, which this contract migration depends on, is not deployed yet", migration.title());
            findings.add(RuleFinding::new(message));
            return;
        }
    }
}

fn changed_tables(schema: &Schema, syntax: &Syntax) -> Vec<ObjectName> {
    match syntax {
        Syntax::AlterTable(alter) => vec![schema.resolve(&alter.table)],
        Syntax::Drop(removal) => removal.names.iter().map(|name| schema.resolve(name)).collect(),
        Syntax::CreateTable(table) => table.name.iter().map(|name| schema.resolve(name)).collect(),
        Syntax::Update(change) => vec![schema.resolve(&change.table)],
        Syntax::RenameTables(renames) => renames.iter().map(|(from, _)| schema.resolve(from)).collect(),
        _ => Vec::new(),
    }
}

fn adds_or_fills_columns(syntax: &Syntax) -> bool {
    match syntax {
        Syntax::AlterTable(alter) => alter.actions.iter().any(|action| matches!(action.kind, ActionKind::AddColumn { .. })),
        Syntax::Update(_) => true,
        _ => false,
    }
}
