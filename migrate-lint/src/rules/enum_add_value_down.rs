//! The rule `enum-add-value-down`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{Syntax, TypeAction};

/// Flags `ADD VALUE` in a migration whose down migration cannot remove the enum value.
pub static RULE: Rule = Rule {
    code: Code::new(
        "enum-add-value-down",
        "PostgreSQL cannot remove a value from an enum type, so a down migration cannot reverse `ALTER TYPE ... ADD \
         VALUE`. After a revert, the value is still in the type. If the migration is then applied again, it fails \
         unless it contains `ADD VALUE IF NOT EXISTS`.",
    ),
    level: Level::Note,
    on: &[Product::Postgres],
    fix: "delete the down migration, and add `-- migrate: irreversible: enum values cannot be removed` to the header \
          of the up migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m ADD VALUE 'b';\n--- down\nSELECT 1;"])],
    not_flagged: &[
        postgres(&[
            "CREATE TYPE m AS ENUM ('a');",
            "-- migrate: irreversible: enum values cannot be removed\nALTER TYPE m ADD VALUE 'b';",
        ]),
        postgres(&["CREATE TYPE m AS ENUM ('a'); ALTER TYPE m ADD VALUE 'b';\n--- down\nDROP TYPE m;"]),
    ],
    verification: Verification::Manual("PostgreSQL manual, ALTER TYPE"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::AlterType { name, action: TypeAction::AddValue { label, .. } } = context.syntax()
        && let Some(down) = &context.file.migration.down
    {
        let drops = down.text.to_ascii_uppercase().contains("DROP TYPE");
        if !drops {
            findings.add(RuleFinding::new(format!("the down migration cannot remove enum value '{label}' from `{name}`")));
        }
    }
}
