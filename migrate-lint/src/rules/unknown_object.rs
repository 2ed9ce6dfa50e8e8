//! The rule `unknown-object`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::relation::RelationKind;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::effect::locked_tables_of;
use migrate_model::finding::Level;
use migrate_model::syntax::{self, ActionKind, CreateTable, ObjectKind, Syntax};
use std::cell::LazyCell;
use std::collections::BTreeSet;

/// Flags columns, constraints, indexes and tables that the history does not contain or that it dropped.
pub static RULE: Rule = Rule {
    code: Code::new(
        "unknown-object",
        "The statement names a column, a constraint, an index or a table that no earlier migration creates, or that \
         an earlier migration has dropped. The name contains a typo, a migration is missing from the folder, \
         or the statement still uses an object that was dropped. The statement fails on every database to which only the migrations in the folder were applied. A \
         table that no migration creates is reported only if a known table has a similar name.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "correct the name, or remove the statement; or add `IF EXISTS` if the object may be missing",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE orders (a int);", "ALTER TABLE orders DROP COLUMN b;"]),
        postgres(&["CREATE TABLE c (id int, PRIMARY KEY (idd));"]),
        mysql(&["CREATE TABLE c (id int, UNIQUE KEY k (idd));"]),
        sqlite(&["CREATE TABLE c (id int, UNIQUE (idd));"]),
        postgres(&["CREATE TABLE a (x int);", "ALTER TABLE a DROP CONSTRAINT nope;"]),
        postgres(&[
            "CREATE TABLE \"User\" (\"firstName\" text);",
            "-- migrate: phase contract\nALTER TABLE \"User\" DROP COLUMN firstName;",
        ]),
        mysql(&["CREATE TABLE a (x int, KEY kx (x));", "ALTER TABLE a DROP INDEX ky;"]),
        mysql(&["CREATE TABLE a (x int, KEY kx (x));", "ALTER TABLE a DROP INDEX kx; ALTER TABLE a DROP INDEX kx;"]),
        mysql(&["CREATE TABLE a (x int);", "ALTER TABLE a DROP FOREIGN KEY fx;"]),
        postgres(&["CREATE TABLE orders (a int);", "ALTER TABLE order ADD COLUMN b int;"]),
        postgres(&["CREATE TABLE orders (a int);", "ALTER TABLE orders ALTER COLUMN bb SET NOT NULL;"]),
        postgres(&["CREATE TABLE orders (a int);", "CREATE INDEX CONCURRENTLY i ON orders (aa);"]),
        sqlite(&["CREATE TABLE orders (a int);", "ALTER TABLE orders RENAME COLUMN b TO c;"]),
        sqlite(&["CREATE TABLE orders (a int);", "INSERT INTO orders (a, b) VALUES (1, 2);"]),
        postgres(&["CREATE TABLE orders (a int);", "UPDATE orders SET b = 1 WHERE a = 2;"]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nDROP TABLE t;", "ALTER TABLE t ADD COLUMN b int;"]),
        mysql(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nRENAME TABLE t TO u;", "INSERT INTO t VALUES (1);"]),
        sqlite(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nDROP TABLE t;", "CREATE INDEX i ON t (a);"]),
        postgres(&["CREATE TABLE orders (a int);", "-- migrate: phase contract\nDROP TABLE order;"]),
        postgres(&["CREATE TABLE orders (a int);", "ALTER TABLE orders VALIDATE CONSTRAINT k;"]),
        postgres(&[
            "CREATE TABLE orders (a int, CONSTRAINT orders_a_check CHECK (a > 0));",
            "ALTER TABLE orders DROP CONSTRAINT order_a_check;",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE orders (a int);", "ALTER TABLE orders DROP COLUMN IF EXISTS b;"]),
        mysql(&[
            "CREATE TABLE a (x int);",
            "ALTER TABLE a DROP INDEX IF EXISTS ky; ALTER TABLE a DROP FOREIGN KEY IF EXISTS fx;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE a (x int, y int UNIQUE, CONSTRAINT fx FOREIGN KEY (x) REFERENCES p (id));",
            "ALTER TABLE a DROP FOREIGN KEY fx; ALTER TABLE a DROP INDEX fx; ALTER TABLE a DROP INDEX y;",
        ]),
        postgres(&["CREATE TABLE a (x int CHECK (x > 0) CHECK (x < 10));", "ALTER TABLE a DROP CONSTRAINT a_x_check1;"]),
        postgres(&[
            "CREATE TABLE t (id int PRIMARY KEY, u int REFERENCES t (id));",
            "-- migrate: phase contract\nDROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, u int REFERENCES t (id));",
        ]),
        sqlite(&["CREATE VIRTUAL TABLE ft USING fts5 (title, body);", "INSERT INTO ft (title, body) VALUES ('a', 'b');"]),
        postgres(&["CREATE TYPE ct AS (x int); CREATE TABLE t (id int, c ct);", "UPDATE t SET c.x = 3 WHERE id = 1;"]),
        postgres(&[
            "CREATE TABLE t (a int); DO $$ BEGIN EXECUTE format('ALTER TABLE t ADD COLUMN %I int', 'z'); END $$;",
            "UPDATE t SET z = 1 WHERE a = 1;",
        ]),
        postgres(&[
            "CREATE TABLE c (x int); CREATE TABLE p (id int); ALTER TABLE c ADD COLUMN id int; ALTER TABLE c INHERIT p; ALTER TABLE p ADD COLUMN y int;",
            "UPDATE c SET y = 1 WHERE id = 1;",
        ]),
        postgres(&["CREATE TABLE orders (a int);", "ALTER TABLE orders ADD b int, ALTER b SET NOT NULL;"]),
        postgres(&["ALTER TABLE made_elsewhere ADD b int;"]),
        sqlite(&["CREATE TABLE orders (a int);", "INSERT INTO orders (rowid, a) VALUES (1, 2);"]),
        mysql(&[
            "CREATE TABLE orders (a int); CREATE TABLE users (b int);",
            "UPDATE orders o JOIN users u ON u.b = o.a SET u.b = 1;",
        ]),
        postgres(&["CREATE TABLE orders (LIKE other);", "ALTER TABLE orders DROP COLUMN b;"]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nDROP TABLE t;", "DROP TABLE IF EXISTS t;"]),
        postgres(&[
            "CREATE TABLE t (a int);",
            "-- migrate: phase contract\nDROP TABLE t;",
            "CREATE TABLE t (b int); CREATE INDEX i ON t (b);",
        ]),
        postgres(&[
            "CREATE TABLE t (a int);",
            "BEGIN; SAVEPOINT s; DROP TABLE t; ROLLBACK TO s; ALTER TABLE t ADD COLUMN b int; COMMIT;",
        ]),
        postgres(&[
            "CREATE TABLE t (a int); CREATE TEMP TABLE x AS SELECT 1 AS a; DROP TABLE x;",
            "CREATE TABLE x (a int); INSERT INTO x VALUES (1);",
        ]),
        postgres(&["CREATE TABLE orders (a int CHECK (a > 0));", "ALTER TABLE orders DROP CONSTRAINT orders_a_check;"]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let first = findings.all.len();
    report_unknown(context, findings);
    // Only these servers accept `IF EXISTS` in `ALTER TABLE`, and it exists only in these statements.
    let has_if_exists = matches!(context.server().product, Product::Postgres | Product::MariaDb);
    if !has_if_exists || !matches!(context.syntax(), Syntax::AlterTable(_) | Syntax::Drop(_)) {
        for finding in &mut findings.all[first..] {
            finding.fix = Some("correct the name".to_owned());
        }
    }
}

fn report_unknown(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.parsed.in_block || context.schema.is_opaque() {
        return;
    }
    report_dropped_tables(context, findings);
    if let Syntax::CreateIndex(index) = context.syntax() {
        let table = context.schema.resolve(&index.table);
        if let Some(column) = index.columns.iter().find(|column| is_missing(context, &table, column)) {
            findings.add(RuleFinding::new(format!("`{table}` has no column `{column}`")));
        }
        return;
    }
    if let Syntax::CreateTable(table) = context.syntax() {
        findings.all.extend(missing_key_column(table));
        return;
    }
    let written = match context.syntax() {
        Syntax::Insert(insert) => Some((&insert.table, &insert.columns)),
        Syntax::Update(change) if !change.joined => Some((&change.table, &change.columns)),
        _ => None,
    };
    if let Some((table, columns)) = written {
        let table = context.schema.resolve(table);
        let is_unknown = |column: &&String| is_missing(context, &table, column) && !is_hidden(context, column);
        if let Some(column) = columns.iter().find(is_unknown) {
            findings.add(RuleFinding::new(format!("`{table}` has no column `{column}`")));
        }
        return;
    }
    let Some(alter) = context.alter() else { return };
    let altered_table = context.schema.resolve(&alter.table);
    if context.relation(&altered_table).is_none() {
        if !alter.if_exists {
            findings.all.extend(misspelled_table(context, &altered_table));
        }
        return;
    }
    let added = added_columns(context);
    let has_unnamed_index = LazyCell::new(|| has_unnamed_index(context, &altered_table));
    for (table, action, range) in context.actions() {
        findings.all.extend(unknown_constraint(context, &table, action).map(|finding| finding.at(range)));
        let if_exists = context.sql[range.clone()].to_ascii_uppercase().contains("IF EXISTS");
        let is_skipped = || if_exists || *has_unnamed_index;
        findings.all.extend(unknown_index(context, &table, action).filter(|_| !is_skipped()).map(|finding| finding.at(range)));
        let column = match action {
            ActionKind::DropColumn { name, if_exists: false, .. } => name,
            ActionKind::RenameColumn { from, .. } | ActionKind::ChangeColumn { from, .. } => from,
            ActionKind::SetType { column, .. } | ActionKind::SetDefault { column, .. } => column,
            ActionKind::DropDefault(column) | ActionKind::SetNotNull(column) | ActionKind::DropNotNull(column) => column,
            ActionKind::ModifyColumn(column) => &column.name,
            _ => continue,
        };
        if !added.contains(&column.to_ascii_lowercase()) && is_missing(context, &table, column) {
            findings.add(RuleFinding::new(format!("`{table}` has no column `{column}`")).at(range));
        }
    }
}

/// The names of the columns that the statement adds, in lower case.
fn added_columns(context: &StatementContext<'_>) -> BTreeSet<String> {
    let name = |action: &ActionKind| match action {
        ActionKind::AddColumn { column: new, .. } => Some(new.name.to_ascii_lowercase()),
        ActionKind::RenameColumn { to, .. } => Some(to.to_ascii_lowercase()),
        _ => None,
    };
    context.actions().filter_map(|(_, action, _)| name(action)).collect()
}

fn is_missing(context: &StatementContext<'_>, table: &ObjectName, column: &str) -> bool {
    context.relation(table).is_some_and(|relation| {
        relation.columns_known && relation.kind == RelationKind::Table && relation.column(column).is_none()
    })
}

/// Whether the column exists in every table without a definition.
fn is_hidden(context: &StatementContext<'_>, column: &str) -> bool {
    let hidden: &[&str] = match context.server().dialect() {
        Dialect::Sqlite => &["rowid", "oid", "_rowid_"],
        _ => &[],
    };
    hidden.iter().any(|name| name.eq_ignore_ascii_case(column))
}

/// Reports tables that the statement uses and an earlier statement dropped or renamed.
fn report_dropped_tables(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let names = match context.syntax() {
        Syntax::AlterTable(alter) if alter.if_exists => return,
        Syntax::Drop(removal) if removal.if_exists => return,
        Syntax::Drop(removal) if removal.kind == ObjectKind::Table => {
            let keys = removal.names.iter().map(|name| context.schema.resolve(name));
            let unknown = keys.filter(|key| context.relation(key).is_none());
            findings.all.extend(unknown.filter_map(|key| misspelled_table(context, &key)));
            removal.names.clone()
        }
        Syntax::Insert(insert) => vec![insert.table.clone()],
        Syntax::Update(change) | Syntax::Delete(change) => vec![change.table.clone()],
        // SQLite resolves the table that a foreign key references only when rows are written.
        Syntax::CreateTable(_) if context.server().dialect() == Dialect::Sqlite => Vec::new(),
        Syntax::CreateTable(table) => {
            // A table may reference itself.
            let new_table = table.name.as_ref().map(|name| context.schema.resolve(name));
            let tables = locked_tables_of(context.syntax()).into_iter();
            tables.filter(|name| Some(context.schema.resolve(name)) != new_table).collect()
        }
        statement => locked_tables_of(statement),
    };
    for key in names.iter().map(|name| context.schema.resolve(name)).filter(|key| context.schema.is_dropped(key)) {
        findings.add(RuleFinding::new(format!("`{key}` was dropped or renamed earlier")));
    }
}

/// Reports a table that no migration creates, if a known table has a similar name. Without a similar name, the table may have
/// been created outside the migrations.
fn misspelled_table(context: &StatementContext<'_>, table: &ObjectName) -> Option<RuleFinding> {
    if context.schema.is_dropped(table) || !context.schema.effort().may_search() {
        return None;
    }
    let names: Vec<&str> = context.schema.relations().map(|(key, _)| key.name()).collect();
    // The same name with another schema or database may be the same table.
    if names.contains(&table.name()) {
        return None;
    }
    let near = migrate_model::suggestion::nearest(table.name(), names)?;
    Some(RuleFinding::new(format!("no migration creates a table `{table}`")).help(format!("write `{near}` if this is a typo")))
}

/// Reports a key or an index of a new table over a column that the table does not have.
fn missing_key_column(table: &CreateTable) -> Option<RuleFinding> {
    let lists_all_columns = !table.opaque && !table.as_query && table.like.is_empty() && table.partition_of.is_none();
    let columns = table.constraints.iter().filter_map(|constraint| match &constraint.kind {
        syntax::ConstraintKind::Primary { columns, .. } | syntax::ConstraintKind::Unique { columns, .. } => Some(columns),
        syntax::ConstraintKind::Foreign { columns, .. } => Some(columns),
        _ => None,
    });
    let names: BTreeSet<String> = table.columns.iter().map(|column| column.name.to_ascii_lowercase()).collect();
    let has = |name: &String| names.contains(&name.to_ascii_lowercase());
    let indexes = table.indexes.iter().map(|index| &index.columns);
    let missing =
        columns.chain(indexes).flatten().find(|name| !has(name)).filter(|_| lists_all_columns && !table.columns.is_empty())?;
    Some(RuleFinding::new(format!("the table has no column `{missing}`")))
}

/// Reports an index or a foreign key in an `ALTER TABLE` of MySQL that no migration creates.
fn unknown_index(context: &StatementContext<'_>, table: &ObjectName, action: &ActionKind) -> Option<RuleFinding> {
    let relation = context.relation(table).filter(|relation| relation.columns_known)?;
    let (kind, name) = match action {
        ActionKind::DropIndex(name) | ActionKind::RenameIndex { from: name, .. } => ("index", name),
        ActionKind::DropForeignKey(name) => ("foreign key", name),
        _ => return None,
    };
    let matches_name = |candidate: &str| candidate.eq_ignore_ascii_case(name);
    // MySQL names the index that it creates for a foreign key after the key or its column.
    let may_be_implicit = !matches!(action, ActionKind::DropForeignKey(_))
        && (relation.column(name).is_some() || relation.orphaned_indexes.find(name, false).is_some());
    let exists = relation.constraints.find(name, false).is_some()
        || relation.indexes.find(name, false).is_some()
        || context.actions_naming(name).any(|clause| match &clause.kind {
            ActionKind::AddIndex(index) => index.name.as_ref().is_some_and(|index| matches_name(&index.name)),
            ActionKind::AddConstraint(constraint) => constraint.name.as_deref().is_some_and(matches_name),
            _ => false,
        });
    (!exists && !may_be_implicit && !name.contains("_ibfk_"))
        .then(|| RuleFinding::new(format!("`{table}` has no {kind} `{name}`")))
}

/// Has the table an index whose name the database generated, or does the statement add one?
fn has_unnamed_index(context: &StatementContext<'_>, table: &ObjectName) -> bool {
    context.relation(table).is_some_and(|relation| relation.indexes.iter().any(|index| index.name.is_none()))
        || context.actions().any(|(_, clause, _)| match clause {
            ActionKind::AddIndex(index) => index.name.is_none(),
            ActionKind::AddConstraint(constraint) => constraint.name.is_none(),
            _ => false,
        })
}

/// Reports a constraint that no migration creates. The names that the database generates are not fully known. A name that may
/// be generated is therefore reported only if a known constraint has a similar name, or if it is to be validated and the table
/// has no constraint left to validate.
fn unknown_constraint(context: &StatementContext<'_>, table: &ObjectName, action: &ActionKind) -> Option<RuleFinding> {
    let relation = context.relation(table).filter(|relation| relation.columns_known && relation.kind == RelationKind::Table)?;
    let name = match action {
        ActionKind::Validate(name) => name,
        ActionKind::DropConstraint { name, if_exists: false, .. } | ActionKind::RenameConstraint { from: name, .. } => name,
        _ => return None,
    };
    // Names that the database may have generated by rules that are not known here.
    let may_be_generated = name.len() >= 60 || name.to_ascii_lowercase().starts_with("constraint_") || relation.has_exclusion();
    if may_be_generated && !matches!(action, ActionKind::Validate(_)) {
        return None;
    }
    let added = context.actions_naming(name).any(|clause| match &clause.kind {
        ActionKind::AddConstraint(constraint) => constraint.name.as_ref() == Some(name),
        ActionKind::RenameConstraint { to, .. } => to == name,
        _ => false,
    });
    if added || relation.constraint(name).is_some() {
        return None;
    }
    let finding = RuleFinding::new(format!("`{table}` has no constraint `{name}`"));
    if matches!(action, ActionKind::Validate(_)) && relation.constraints.iter().all(|constraint| constraint.validated.is_some()) {
        return Some(finding);
    }
    // The suffixes of names that PostgreSQL generates.
    let suffixes = ["check", "fkey", "key", "pkey", "excl", "null"];
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if context.server().dialect() == Dialect::Postgres && !suffixes.iter().any(|suffix| stem.ends_with(suffix)) {
        return Some(finding);
    }
    let names: Vec<&str> = relation.constraints.iter().map(|constraint| constraint.name.as_str()).collect();
    migrate_model::suggestion::nearest(name, names).map(|near| finding.help(format!("write `{near}` if this is a typo")))
}
