//! The rule `validate-same-tx`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "validate-same-tx",
        "`NOT VALID` exists so that the strong lock of `ADD CONSTRAINT` is gone before the rows are read. With \
         `VALIDATE CONSTRAINT` in the same transaction, or in the same `ALTER TABLE`, the lock (ACCESS EXCLUSIVE for \
         a CHECK, SHARE ROW EXCLUSIVE on both tables for a foreign key) is held during the whole read, and nothing is \
         won.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "move `VALIDATE CONSTRAINT` to the next migration",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
        let added = context.relation(&table).and_then(|relation| relation.constraint(name)).map(|constraint| constraint.added);
        let here = context.actions().any(
            |(_, other, _)| matches!(other, ActionKind::AddConstraint(constraint) if constraint.name.as_ref() == Some(name)),
        );
        if context.is_deployed(&table)
            && (here || added.is_some_and(|added| added.transaction == context.parsed.point.transaction))
        {
            let message = format!(
                "`{name}` is validated in the transaction that adds it, so its lock on `{table}` is held while all rows are read"
            );
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}
