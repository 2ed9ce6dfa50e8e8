//! The rule `validate-same-tx`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags `VALIDATE CONSTRAINT` in the transaction that adds the constraint with `NOT VALID`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "validate-same-tx",
        "Validating a constraint in the transaction that adds it, or in the same `ALTER TABLE`, defeats the purpose \
         of `NOT VALID`. To add a CHECK, `ADD CONSTRAINT` acquires an ACCESS EXCLUSIVE lock, which blocks reads and \
         writes. To add a foreign key, it acquires SHARE ROW EXCLUSIVE locks on both tables, which block writes. If \
         the same transaction also runs `VALIDATE CONSTRAINT`, these locks are held during the table scan. If a \
         later transaction runs `VALIDATE CONSTRAINT`, the scan blocks neither reads nor writes.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "move `VALIDATE CONSTRAINT` to the next migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;\nALTER TABLE t VALIDATE CONSTRAINT k;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID, VALIDATE CONSTRAINT k;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int PRIMARY KEY);",
            "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT f;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;",
            "ALTER TABLE t VALIDATE CONSTRAINT k;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "-- migrate: no-transaction\nALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;\nALTER TABLE t VALIDATE CONSTRAINT k;",
        ]),
        postgres(&[
            "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT k;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "BEGIN; ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID; COMMIT; BEGIN; ALTER TABLE t VALIDATE CONSTRAINT k; COMMIT;",
        ]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let ActionKind::Validate(name) = action else { continue };
        let added =
            context.schema.known(&table).and_then(|relation| relation.constraint(name)).map(|constraint| constraint.added);
        let added_here = context.actions_naming(name).any(
            |clause| matches!(&clause.kind, ActionKind::AddConstraint(constraint) if constraint.name.as_ref() == Some(name)),
        );
        if context.is_deployed(&table)
            && (added_here || added.is_some_and(|added| added.transaction == context.parsed.point.transaction))
        {
            let message = format!(
                "`{name}` is validated in the transaction that adds it, so the lock on `{table}` is held during the table scan"
            );
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}
