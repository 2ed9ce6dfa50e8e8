//! The rule `fk-invalid`.

use crate::context::{NewForeignKey, StatementContext};
use crate::relation::{ConstraintKind, Relation, RelationKind};
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{Syntax, Type};
use std::collections::BTreeSet;

/// Flags foreign keys that reference columns without a matching key, or columns of an incompatible type.
pub static RULE: Rule = Rule {
    code: Code::new(
        "fk-invalid",
        "A foreign key references columns that are not a key of their table, or columns of an incompatible type. \
         PostgreSQL rejects such a foreign key (errors 42830 and 42804). MySQL and MariaDB require that an index \
         begins with the referenced columns, and that integers have the same size and sign. Otherwise they reject \
         the foreign key (error 150 on MariaDB, errors 1822 and 3780 on MySQL). SQLite accepts a foreign key to \
         columns that are not a key, and then rejects statements that change rows of either table (`foreign key \
         mismatch`). On SQLite, the rule does not compare types.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "first add a unique key on the referenced columns, or reference an existing key; give both columns the same \
         type",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE u (id int PRIMARY KEY, a int);", "CREATE TABLE t (a int REFERENCES u (a));"]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY);", "CREATE TABLE t (u bigint REFERENCES u (uid));"]),
        mysql(&["CREATE TABLE u (id int PRIMARY KEY);", "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES u (uid));"]),
        postgres(&["CREATE TABLE u (a int);", "CREATE TABLE t (a int REFERENCES u);"]),
        postgres(&[
            "CREATE TABLE u (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE t (a int);",
            "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (a) NOT VALID;",
        ]),
        postgres(&[
            "CREATE TABLE u (a int); CREATE UNIQUE INDEX i ON u (a) WHERE a > 0;",
            "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES u (a));",
        ]),
        postgres(&["CREATE TABLE u (a int, b int, PRIMARY KEY (a, b));", "CREATE TABLE t (a int REFERENCES u);"]),
        postgres(&["CREATE TABLE u (id uuid PRIMARY KEY);", "CREATE TABLE t (u_id bigint REFERENCES u (id));"]),
        postgres(&[
            "CREATE TABLE u (id serial PRIMARY KEY); CREATE TABLE t (a int);",
            "ALTER TABLE t ADD COLUMN u text REFERENCES u;",
        ]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY);", "CREATE TABLE t (a numeric REFERENCES u);"]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM u;",
            "CREATE TABLE t (a int REFERENCES v (id));",
        ]),
        mysql(&["CREATE TABLE u (id int PRIMARY KEY, a int);", "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES u (a));"]),
        mysql(&["CREATE TABLE u (a int, b int, UNIQUE (a, b));", "CREATE TABLE t (b int, FOREIGN KEY (b) REFERENCES u (b));"]),
        mysql(&[
            "CREATE TABLE u (id bigint unsigned PRIMARY KEY);",
            "CREATE TABLE t (u_id bigint, FOREIGN KEY (u_id) REFERENCES u (id));",
        ]),
        mysql(&[
            "CREATE TABLE u (id bigint PRIMARY KEY); CREATE TABLE t (u_id int);",
            "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (u_id) REFERENCES u (id);",
        ]),
        mysql(&["CREATE TABLE u (id serial);", "CREATE TABLE t (u_id bigint, FOREIGN KEY (u_id) REFERENCES u (id));"]),
        sqlite(&[
            "CREATE TABLE u (id integer PRIMARY KEY, a int);",
            "CREATE TABLE t (a int REFERENCES u (a)); INSERT INTO t VALUES (1);",
        ]),
        sqlite(&["CREATE TABLE u (a int);", "CREATE TABLE t (a int REFERENCES u); INSERT INTO t VALUES (1);"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE u (id int PRIMARY KEY);", "CREATE TABLE t (a bigint REFERENCES u);"]),
        sqlite(&[
            "CREATE TABLE u (id integer PRIMARY KEY, code text);",
            "CREATE TABLE t (code text REFERENCES u (code)); CREATE UNIQUE INDEX i ON u (code);",
        ]),
        mysql(&[
            "CREATE TABLE u (id int PRIMARY KEY, a int, KEY k (a));",
            "CREATE TABLE t (a int, b int, FOREIGN KEY (a, b) REFERENCES u (a, id));",
        ]),
        postgres(&["CREATE TABLE u (id numeric PRIMARY KEY);", "CREATE TABLE t (a int REFERENCES u);"]),
        postgres(&[
            "CREATE TABLE u (id varchar(9) PRIMARY KEY);",
            "CREATE TABLE t (a char(9) REFERENCES u, b text REFERENCES u);",
        ]),
        postgres(&[
            "CREATE TABLE u (a int, b int, UNIQUE (a, b));",
            "CREATE TABLE t (a int, b int, FOREIGN KEY (b, a) REFERENCES u (b, a));",
        ]),
        postgres(&[
            "CREATE TABLE u (a int, b int); CREATE UNIQUE INDEX i ON u (a) INCLUDE (b);",
            "CREATE TABLE t (a int REFERENCES u (a));",
        ]),
        postgres(&[
            "CREATE TABLE u (a int NOT NULL); CREATE UNIQUE INDEX i ON u (a); ALTER TABLE u ADD PRIMARY KEY USING INDEX i;",
            "CREATE TABLE t (a int REFERENCES u);",
        ]),
        postgres(&[
            "CREATE TABLE u (a int PRIMARY KEY); CREATE TABLE w (LIKE u INCLUDING ALL);",
            "CREATE TABLE t (a int REFERENCES w (a));",
        ]),
        postgres(&[
            "CREATE TABLE u (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE u1 PARTITION OF u FOR VALUES FROM (1) TO (9);",
            "CREATE TABLE t (a int REFERENCES u1 (a), b int REFERENCES u);",
        ]),
        postgres(&[
            "CREATE TABLE u (a int); CREATE TABLE t (a int);",
            "ALTER TABLE u ADD UNIQUE (a);\nALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (a);",
        ]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY);",
            "CREATE TABLE t (id int PRIMARY KEY, k int UNIQUE, up int REFERENCES t, k2 int REFERENCES t (k));",
        ]),
        postgres(&[
            "CREATE TABLE u (\"Id\" int PRIMARY KEY); ALTER TABLE u RENAME \"Id\" TO id;",
            "CREATE TABLE t (a int REFERENCES u (id));",
        ]),
        postgres(&["CREATE DOMAIN d AS int; CREATE TABLE u (id d PRIMARY KEY);", "CREATE TABLE t (a int REFERENCES u (id));"]),
        mysql(&[
            "CREATE TABLE u (id int PRIMARY KEY, a int, KEY k (a));",
            "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES u (a));",
        ]),
        mysql(&["CREATE TABLE u (id int KEY);", "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES u (id));"]),
        mysql(&["CREATE TABLE u (id serial);", "CREATE TABLE t (a bigint unsigned, FOREIGN KEY (a) REFERENCES u (id));"]),
        mysql(&[
            "CREATE TABLE u (a int, b int, UNIQUE (a, b));",
            "CREATE TABLE t (a int(11), FOREIGN KEY (a) REFERENCES u (a));",
        ]),
        mysql(&[
            "CREATE TABLE u (id varchar(20) PRIMARY KEY);",
            "CREATE TABLE t (a varchar(40), FOREIGN KEY (a) REFERENCES u (id));",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE u (a int, FOREIGN KEY (a) REFERENCES p (id));",
            "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES u (a));",
        ]),
        mysql(&[
            "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE w LIKE u;",
            "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES w (id));",
        ]),
        sqlite(&["CREATE TABLE u (id integer PRIMARY KEY);", "CREATE TABLE t (a text REFERENCES u);"]),
        sqlite(&[
            "CREATE TABLE u (a int, b int, UNIQUE (b, a));",
            "CREATE TABLE t (a int, b int, FOREIGN KEY (a, b) REFERENCES u (a, b));",
        ]),
        sqlite(&["CREATE TABLE u (a int); CREATE UNIQUE INDEX i ON u (a);", "CREATE TABLE t (a int REFERENCES u (a));"]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    // A block can catch the error.
    if context.parsed.in_block || context.foreign_keys_unchecked || context.schema.is_opaque() {
        return;
    }
    let table = match context.syntax() {
        Syntax::CreateTable(table) => table.name.as_ref().map(|name| context.schema.resolve(name)),
        _ => context.alter().map(|alter| context.schema.resolve(&alter.table)),
    };
    for key in context.new_foreign_keys() {
        let parent = context.schema.resolve(&key.reference.table);
        // SQLite checks the referenced key when rows are written, so a later statement may still add it.
        let adds_unique_index = |syntax: &Syntax| match syntax {
            Syntax::CreateIndex(index) => index.unique && context.schema.resolve(&index.table) == parent,
            _ => false,
        };
        if context.schema.dialect() == Dialect::Sqlite && context.is_followed_by(&["UNIQUE", parent.name()], adds_unique_index) {
            continue;
        }
        // The same statement may add the key that a self-reference needs.
        if Some(&parent) == table.as_ref() {
            continue;
        }
        let child = table.as_ref().and_then(|table| context.relation(table));
        let problem = context.relation(&parent).and_then(|relation| problem(context, &key, child, relation));
        if let Some(problem) = problem {
            findings.add(RuleFinding::new(format!("invalid foreign key to `{parent}`: {problem}")).at(key.range));
        }
    }
}

/// Why the server rejects a foreign key, or `None` if it accepts it or too little is known.
fn problem(
    context: &StatementContext<'_>,
    key: &NewForeignKey<'_>,
    child: Option<&Relation>,
    parent: &Relation,
) -> Option<String> {
    if parent.kind != RelationKind::Table {
        return Some("it is not a table".to_owned());
    }
    if !parent.columns_known || parent.partition_of.is_some() {
        return None;
    }
    let Some(targets) = parent.targets(&key.reference.columns) else {
        return Some("the table has no primary key".to_owned());
    };
    let names = targets.join(", ");
    if targets.len() != key.columns.len() {
        let (columns, expected) = (key.columns.len(), targets.len());
        return Some(format!(
            "the numbers of columns differ: {columns} in the foreign key, {expected} in the referenced key ({names})"
        ));
    }
    if let Some(missing) = targets.iter().find(|target| parent.column(target).is_none()) {
        return Some(format!("the table has no column `{missing}`"));
    }
    if !is_key(parent, targets, context.schema.dialect()) {
        return Some(match context.schema.dialect() {
            Dialect::MySql => format!("no index begins with ({names})"),
            Dialect::Postgres | Dialect::Sqlite => format!("no unique or primary key consists of ({names})"),
        });
    }
    let type_of = |name: &str| {
        let new = context.new_columns().find(|column| column.name.eq_ignore_ascii_case(name));
        new.and_then(|column| column.ty.as_ref()).or_else(|| child?.column(name)?.ty.as_ref())
    };
    key.columns.iter().zip(targets).find_map(|(column, target)| {
        let (ty, target_type) = (type_of(column)?, parent.column(target)?.ty.as_ref()?);
        let differs = !is_compatible(ty, target_type, context.schema.dialect());
        differs.then(|| format!("column `{target}` has type {target_type}, but `{column}` has type {ty}"))
    })
}

/// Reports whether a foreign key can reference these columns.
fn is_key(parent: &Relation, targets: &[String], dialect: Dialect) -> bool {
    let is_same = |left: &String, right: &String| left.eq_ignore_ascii_case(right);
    match dialect {
        // An index that is not unique suffices, except on MySQL 8.4 with `restrict_fk_on_non_standard_key`. (MySQL manual,
        // 15.1.20.5)
        Dialect::MySql => {
            let of_foreign_keys = parent.foreign_keys().map(|(_, columns, ..)| columns);
            let mut indexes = parent.indexed().chain(of_foreign_keys);
            // InnoDB appends the columns of the primary key to each index.
            let appended = parent.primary().unwrap_or_default();
            indexes.any(|index| {
                let columns = index.iter().chain(appended);
                index.len() + appended.len() >= targets.len()
                    && columns.zip(targets).all(|(column, target)| is_same(column, target))
            })
        }
        Dialect::Postgres | Dialect::Sqlite => {
            let keys = parent.constraints.iter().filter_map(|constraint| match &constraint.kind {
                ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) => Some(columns),
                _ => None,
            });
            let indexes =
                parent.indexes.iter().filter(|index| index.unique && !index.partial_or_expression).map(|index| &index.columns);
            let targets: BTreeSet<String> = targets.iter().map(|target| target.to_ascii_lowercase()).collect();
            let covers_targets = |key: &Vec<String>| {
                key.len() == targets.len() && key.iter().all(|column| targets.contains(&column.to_ascii_lowercase()))
            };
            keys.chain(indexes).any(covers_targets)
        }
    }
}

/// Reports whether a column of type `ty` can reference one of type `target_type`. Unknown types are accepted.
fn is_compatible(ty: &Type, target_type: &Type, dialect: Dialect) -> bool {
    let (Some(family), Some(target_family)) = (TypeFamily::of(ty, dialect), TypeFamily::of(target_type, dialect)) else {
        return true;
    };
    match dialect {
        Dialect::Sqlite => true,
        Dialect::Postgres => family == target_family || (family, target_family) == (TypeFamily::Integer, TypeFamily::Numeric),
        Dialect::MySql => {
            let is_same_integer = ty.name == target_type.name && ty.unsigned == target_type.unsigned;
            family == target_family && (family != TypeFamily::Integer || is_same_integer)
        }
    }
}

/// Types whose values can be compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TypeFamily {
    Integer,
    Numeric,
    Text,
    Uuid,
    Bool,
}

impl TypeFamily {
    fn of(ty: &Type, dialect: Dialect) -> Option<Self> {
        if ty.array || ty.schema.is_some() {
            return None;
        }
        Some(match ty.name.as_str() {
            "smallint" | "int" | "bigint" | "smallserial" | "serial" | "bigserial" => TypeFamily::Integer,
            "tinyint" | "mediumint" if dialect == Dialect::MySql => TypeFamily::Integer,
            "numeric" => TypeFamily::Numeric,
            "varchar" | "char" => TypeFamily::Text,
            "text" if dialect == Dialect::Postgres => TypeFamily::Text,
            "uuid" => TypeFamily::Uuid,
            "boolean" if dialect == Dialect::Postgres => TypeFamily::Bool,
            _ => return None,
        })
    }
}
