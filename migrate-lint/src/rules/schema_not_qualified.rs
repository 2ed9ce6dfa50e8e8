//! The rule `schema-not-qualified`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::name::Name;
use migrate_model::syntax::Syntax;

/// Flags names without a schema in DDL, if the migration does not set `search_path`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "schema-not-qualified",
        "PostgreSQL resolves a name without a schema through the `search_path` of the session that runs the \
         migration. Another role or a changed setting can result in another `search_path`, so that the statement \
         affects another schema. A name without a schema is not flagged if the migration sets `search_path` first.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "qualify the name with its schema: `public.orders`",
    opt_in: true,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);"]),
        postgres(&["ALTER TABLE t ADD COLUMN b int;"]),
        postgres(&["DROP TABLE public.t, u;"]),
        postgres(&["CREATE INDEX i ON t (a);"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE public.t (a int); CREATE INDEX i ON public.t (a); ALTER TABLE public.t ADD COLUMN b int;"]),
        postgres(&["CREATE TEMP TABLE t (a int);"]),
        postgres(&["SET search_path = app; CREATE TABLE t (a int);"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let names: Vec<&Name> = match context.syntax() {
        Syntax::CreateTable(table) if !table.temporary => table.name.iter().collect(),
        Syntax::CreateView(view) if !view.temporary => vec![&view.name],
        Syntax::CreateType { name, .. } | Syntax::CreateDomain { name, .. } | Syntax::CreateRoutine { name, .. } => vec![name],
        Syntax::AlterTable(alter) => vec![&alter.table],
        Syntax::CreateIndex(index) => vec![&index.table],
        Syntax::Truncate { tables, .. } => tables.iter().collect(),
        Syntax::Drop(removal) if is_in_schema(removal.kind) => removal.names.iter().collect(),
        _ => return,
    };
    let sets_search_path = context.executed_statements(&["search_path"]).any(|statement| match &statement.syntax {
        Syntax::Set(settings) => settings.iter().any(|setting| setting.name == "search_path"),
        _ => false,
    });
    if let Some(name) = names.into_iter().find(|name| name.schema.is_none()).filter(|_| !sets_search_path) {
        findings.add(RuleFinding::new(format!("the schema of `{}` depends on the `search_path`", name.name)));
    }
}

fn is_in_schema(kind: migrate_model::syntax::ObjectKind) -> bool {
    use migrate_model::syntax::ObjectKind::{Database, Extension, Schema, Trigger};
    !matches!(kind, Database | Extension | Schema | Trigger)
}
