//! The rule `add-column-volatile-default`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a new column with a volatile default on an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "add-column-volatile-default",
        "Adding a column with a volatile default rewrites the table and all its indexes under an ACCESS EXCLUSIVE \
         lock, because each row needs its own value. Examples of volatile functions are `gen_random_uuid()`, \
         `random()` and `clock_timestamp()`. User-defined functions are volatile unless they are declared STABLE or \
         IMMUTABLE. Since PostgreSQL 11, a default that is a constant, `now()` or another non-volatile function \
         needs no rewrite.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "add the column without a default; set the default for new rows with `ALTER COLUMN ... SET DEFAULT`; fill \
         the existing rows in batches; then make the column NOT NULL",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN u uuid DEFAULT gen_random_uuid();",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN u uuid NOT NULL DEFAULT uuid_generate_v4();",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD c float8 DEFAULT random();"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD c timestamptz DEFAULT clock_timestamp();",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD c timestamptz NOT NULL DEFAULT now();",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY); CREATE TYPE mood AS ENUM ('a');",
            "ALTER TABLE t ADD c mood DEFAULT mood('a'), ADD d mood DEFAULT 'a'::mood, ADD e bit varying(3) DEFAULT '1'::bit varying(3);",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
            "ALTER FUNCTION f() STABLE; ALTER TABLE t ADD c int DEFAULT f();",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY); CREATE SCHEMA s;",
            "CREATE FUNCTION s.f() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'; ALTER TABLE t ADD c int DEFAULT s.f();",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD c int DEFAULT -1;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD c text DEFAULT upper('x');"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD c text DEFAULT concat('a', 'b');",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD c date DEFAULT current_date;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD c timestamptz(3) DEFAULT CURRENT_TIMESTAMP(3);",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'; ALTER TABLE t ADD c int DEFAULT f();",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD c text DEFAULT 'x'::varchar(5);",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD c uuid; ALTER TABLE t ALTER c SET DEFAULT gen_random_uuid();",
        ]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD u uuid DEFAULT gen_random_uuid();"]),
        postgres(&["CREATE TABLE t (u uuid DEFAULT gen_random_uuid());"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::VolatileDefault(_)),
        |impact| format!("adding a column with a volatile default rewrites `{}`", impact.table),
    ));
}
