//! The rule `add-column-inline-fk`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "add-column-inline-fk",
        "`REFERENCES` at a new column locks both tables against writes: ACCESS EXCLUSIVE here, SHARE ROW EXCLUSIVE \
         there. Without a default no row has a value to look up, and it is over in a moment; with one, every row of \
         this table is looked up in the other.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "add the column alone; then `ADD CONSTRAINT ... FOREIGN KEY ... NOT VALID`; then, in another migration, \
         `VALIDATE CONSTRAINT`",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    let found = context.impacts.iter().filter(|impact| impact.cause == Cause::ColumnReference);
    for impact in found {
        let message = match impact.scans {
            true => format!(
                "adding a column with a foreign key and a default looks up every row while writes to `{}` wait",
                impact.table
            ),
            false => format!("adding a column with a foreign key locks `{}` for a moment", impact.table),
        };
        let finding = context.finding(impact, message);
        findings.all.extend(finding.map(|finding| if impact.scans { finding } else { finding.at_most(Level::Note) }));
    }
}
