//! The rule `add-column-inline-fk`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a new column with an inline `REFERENCES`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "add-column-inline-fk",
        "Adding a column with `REFERENCES` acquires an ACCESS EXCLUSIVE lock on the altered table and a SHARE ROW \
         EXCLUSIVE lock on the referenced table. If the column has no default, it is NULL in every row, so \
         PostgreSQL checks no values and the locks are brief. If the column has a default, PostgreSQL checks every \
         row. During this check, reads and writes of the altered table and writes to the referenced table are \
         blocked.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "add the column alone; then run `ADD CONSTRAINT ... FOREIGN KEY ... NOT VALID`; then, in the next \
         migration, run `VALIDATE CONSTRAINT`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int PRIMARY KEY);",
            "ALTER TABLE t ADD COLUMN u_id int DEFAULT 1 REFERENCES u (id);",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int PRIMARY KEY);",
            "ALTER TABLE t ADD COLUMN u_id int REFERENCES u (id);",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN u_id int;"]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (a int); ALTER TABLE t ADD u_id int REFERENCES u (id);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for impact in context.impacts.iter().filter(|impact| impact.cause == Cause::ColumnReference) {
        let message = if impact.scans {
            format!(
                "adding a column with a foreign key and a default checks every row while writes to `{}` are blocked",
                impact.table
            )
        } else {
            format!("adding a column with a foreign key briefly locks `{}`", impact.table)
        };
        let finding = context.finding(impact, message);
        findings.all.extend(finding.map(|finding| if impact.scans { finding } else { finding.at_most(Level::Note) }));
    }
}
