//! The rule `schema-not-qualified`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::name::Name;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "schema-not-qualified",
        "A name without its schema means whatever stands first in the `search_path` of the role that migrates, and that may be \
         another schema for another role, or after a change of a setting.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "write the schema: `public.orders`",
    opt_in: true,
    down: true,
    check: Check::Statement(check),
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
    let says_path = context.earlier_statements().iter().any(
        |read| matches!(&read.syntax, Syntax::Set(settings) if settings.iter().any(|setting| setting.name == "search_path")),
    );
    if let Some(name) = names.into_iter().find(|name| name.schema.is_none()).filter(|_| !says_path) {
        findings.add(RuleFinding::new(format!("in which schema `{}` is depends on the `search_path`", name.name)));
    }
}

fn is_in_schema(kind: migrate_model::syntax::ObjectKind) -> bool {
    use migrate_model::syntax::ObjectKind::{Database, Extension, Schema, Trigger};
    !matches!(kind, Database | Extension | Schema | Trigger)
}
