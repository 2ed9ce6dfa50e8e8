//! The rule `fk-invalid`.

use crate::context::{NewForeignKey, StatementContext};
use crate::relation::{ConstraintKind, Relation, RelationKind};
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{Syntax, Type};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "fk-invalid",
        "A foreign key leads to columns that are no key of their table, or whose types do not go with its own. PostgreSQL \
         refuses it (errors 42830 and 42804), and so do MySQL and MariaDB, where the columns must begin an index and whole \
         numbers be of one size and sign (error 150). SQLite takes it, and then refuses what changes rows of either table \
         (`foreign key mismatch`).",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "add the unique key first, or let the foreign key lead to one; give both columns one type",
    opt_in: false,
    down: true,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE u (id int PRIMARY KEY);", "CREATE TABLE t (u bigint REFERENCES u (uid));"]),
        mysql(&["CREATE TABLE u (id int PRIMARY KEY);", "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES u (uid));"]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY, a int);", "CREATE TABLE t (a int REFERENCES u (a));"]),
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
        sqlite(&[
            "CREATE TABLE u (id integer PRIMARY KEY, code text);",
            "CREATE TABLE t (code text REFERENCES u (code)); CREATE UNIQUE INDEX i ON u (code);",
        ]),
        mysql(&[
            "CREATE TABLE u (id int PRIMARY KEY, a int, KEY k (a));",
            "CREATE TABLE t (a int, b int, FOREIGN KEY (a, b) REFERENCES u (a, id));",
        ]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY);", "CREATE TABLE t (a bigint REFERENCES u);"]),
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
    // In a block, an error may be caught.
    if context.parsed.in_block || context.foreign_keys_unchecked || context.schema.is_opaque() {
        return;
    }
    let own = match context.syntax() {
        Syntax::CreateTable(table) => table.name.as_ref().map(|name| context.schema.resolve(name)),
        _ => context.alter().map(|alter| context.schema.resolve(&alter.table)),
    };
    for key in context.new_foreign_keys() {
        let parent = context.schema.resolve(&key.reference.table);
        // SQLite looks when rows come.
        let later = |syntax: &Syntax| match syntax {
            Syntax::CreateIndex(index) => index.unique && context.schema.resolve(&index.table) == parent,
            _ => false,
        };
        if context.schema.dialect() == Dialect::Sqlite && context.is_followed_by(later) {
            continue;
        }
        // What is added to a table together with the foreign key is not there yet.
        if Some(&parent) == own.as_ref() {
            continue;
        }
        let child = own.as_ref().and_then(|own| context.relation(own));
        let found = context.relation(&parent).and_then(|relation| refused(context, &key, child, relation));
        if let Some(why) = found {
            findings.add(RuleFinding::new(format!("the foreign key leads to `{parent}`, {why}")).at(key.range));
        }
    }
}

/// Why a foreign key is refused, if it is.
fn refused(
    context: &StatementContext<'_>,
    key: &NewForeignKey<'_>,
    child: Option<&Relation>,
    parent: &Relation,
) -> Option<String> {
    if parent.kind != RelationKind::Table {
        return Some("which is no table".to_owned());
    }
    if !parent.columns_known || parent.partition_of.is_some() {
        return None;
    }
    let Some(targets) = parent.targets(&key.reference.columns) else {
        return Some("which has no primary key".to_owned());
    };
    let shown = targets.join(", ");
    if targets.len() != key.columns.len() {
        return Some(format!("whose key has {} columns ({shown}), and has {} itself", targets.len(), key.columns.len()));
    }
    if let Some(missing) = targets.iter().find(|target| parent.column(target).is_none()) {
        return Some(format!("which has no column `{missing}`"));
    }
    if !is_key(parent, targets, context.schema.dialect()) {
        return Some(match context.schema.dialect() {
            Dialect::MySql => format!("where no index begins with ({shown})"),
            Dialect::Postgres | Dialect::Sqlite => format!("where nothing makes ({shown}) unique"),
        });
    }
    let new = |name: &str| context.new_columns().find(|column| column.name.eq_ignore_ascii_case(name))?.ty.as_ref();
    let there = |name: &str| child?.column(name)?.ty.as_ref();
    key.columns.iter().zip(targets).find_map(|(column, target)| {
        let (own, other) = (new(column).or_else(|| there(column))?, parent.column(target)?.ty.as_ref()?);
        let goes = goes_with(own, other, context.schema.dialect());
        (!goes).then(|| format!("whose column `{target}` is {other}, and `{column}` is {own}"))
    })
}

/// Do these columns make a row known?
fn is_key(parent: &Relation, targets: &[String], dialect: Dialect) -> bool {
    let same = |one: &String, other: &String| one.eq_ignore_ascii_case(other);
    match dialect {
        // An index that is not unique does, unless MySQL 8.4 is told otherwise. (MySQL manual, 15.1.20.5)
        Dialect::MySql => {
            let of_foreign_keys = parent.foreign_keys().map(|(_, columns, ..)| columns);
            let mut indexes = parent.indexed().chain(of_foreign_keys);
            // Behind the columns of each index stand those of the primary key.
            let hidden = parent.primary().unwrap_or_default();
            indexes.any(|index| {
                let all = index.iter().chain(hidden);
                index.len() + hidden.len() >= targets.len() && all.zip(targets).all(|(one, other)| same(one, other))
            })
        }
        Dialect::Postgres | Dialect::Sqlite => {
            let keys = parent.constraints.iter().filter_map(|constraint| match &constraint.kind {
                ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) => Some(columns),
                _ => None,
            });
            let indexes =
                parent.indexes.iter().filter(|index| index.unique && !index.partial_or_expression).map(|index| &index.columns);
            let holds = |key: &Vec<String>| {
                key.len() == targets.len() && key.iter().all(|one| targets.iter().any(|other| same(one, other)))
            };
            keys.chain(indexes).any(holds)
        }
    }
}

/// Can values of a type be looked up among those of another? Yes, where it is not known.
fn goes_with(own: &Type, other: &Type, dialect: Dialect) -> bool {
    let (Some(one), Some(two)) = (Sort::of(own, dialect), Sort::of(other, dialect)) else { return true };
    match dialect {
        Dialect::Sqlite => true,
        Dialect::Postgres => one == two || (one, two) == (Sort::Whole, Sort::Exact),
        Dialect::MySql => one == two && (one != Sort::Whole || own.name == other.name && own.unsigned == other.unsigned),
    }
}

/// Types that are compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Whole,
    Exact,
    Text,
    Uuid,
    Bool,
}

impl Sort {
    fn of(ty: &Type, dialect: Dialect) -> Option<Self> {
        if ty.array || ty.schema.is_some() {
            return None;
        }
        Some(match ty.name.as_str() {
            "smallint" | "int" | "bigint" | "smallserial" | "serial" | "bigserial" => Sort::Whole,
            "tinyint" | "mediumint" if dialect == Dialect::MySql => Sort::Whole,
            "numeric" => Sort::Exact,
            "varchar" | "char" => Sort::Text,
            "text" if dialect == Dialect::Postgres => Sort::Text,
            "uuid" => Sort::Uuid,
            "boolean" if dialect == Dialect::Postgres => Sort::Bool,
            _ => return None,
        })
    }
}
