//! The initial text of a new migration: SQL for the change that its description states.

use crate::described_change::{self, Change, ColumnSpec, KnownSchema};
use migrate_model::dialect::Dialect;

/// The texts of a new migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Follows the name of the description, for the second of two migrations; else empty.
    pub suffix: &'static str,
    /// The up migration.
    pub up: String,
    /// The down migration.
    pub down: String,
}

/// The description as a file name: in lower case, with words joined by `_`, and at most 100 characters long.
pub fn file_name(description: &str) -> String {
    let mut name = String::new();
    for c in description.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    // Punctuation at the end of the description leaves a trailing `_`.
    let name = name.trim_end_matches('_');
    let shortened: String = name.chars().take(100).collect();
    shortened.trim_end_matches('_').to_owned()
}

/// The description without what a file name need not say: the types of columns, and the columns of a table that is created.
pub fn without_types(description: &str) -> String {
    let creates = description.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("create"));
    let shortened = |word: &str| match word.split_once(':') {
        Some((name, rest)) if !name.is_empty() && !rest.is_empty() => (!creates).then(|| name.to_owned()),
        _ => Some(word.to_owned()),
    };
    description.split_whitespace().filter_map(shortened).collect::<Vec<_>>().join(" ")
}

/// The migrations for a description: SQL if every word of it is understood, and the change can be made safely on this database; else
/// one with an empty place and examples.
pub fn from_description(description: &str, dialect: Option<Dialect>, name: &str, known: &dyn KnownSchema) -> Vec<Template> {
    let change = described_change::parse(description, known);
    let understood = change.zip(dialect).and_then(|(change, dialect)| Sql { style: Style::of(dialect) }.of_change(&change));
    let title = description.split_whitespace().collect::<Vec<_>>().join(" ");
    let title = if title.is_empty() { name.to_owned() } else { title };
    let mut templates = understood.unwrap_or_else(|| vec![placeholder(dialect)]);
    for Template { suffix, up, down } in &mut templates {
        let suffix = if suffix.is_empty() { String::new() } else { format!(" ({suffix})") };
        *up = format!("-- Description: {title}{suffix}\n\n{up}");
        *down = format!("-- Description: revert: {title}{suffix}\n\n{down}");
    }
    templates
}

fn one(up: String, down: String) -> Vec<Template> {
    vec![Template { suffix: "", up, down }]
}

fn placeholder(dialect: Option<Dialect>) -> Template {
    let style = dialect.map_or(&SQLITE, Style::of);
    let (text, concurrently) = ((style.ty)(&TYPES[0]), style.concurrently);
    let text = style.text_in_key.unwrap_or(text);
    let up = format!(
        "-- Write the SQL of the change here. For example:\n-- ALTER TABLE users ADD COLUMN email {text};\n-- CREATE INDEX{concurrently} users_email_idx ON users (email);\n"
    );
    let down =
        "-- Write the SQL that reverts the change here. For example:\n-- ALTER TABLE users DROP COLUMN email;\n".to_owned();
    Template { suffix: "", up, down }
}

/// How a constraint is added to an existing table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Constraints {
    /// For new rows first; a later statement validates it for the others.
    InTwoSteps,
    /// In one statement.
    AtOnce,
    /// Only a reference, with its column.
    WithColumn,
}

/// Which default values an existing column can get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defaults {
    Any,
    Literals,
    None,
}

/// Whether there are enumerated types, extensions, schemas and sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Objects {
    Many,
    Tables,
}

/// Whether the new name of a table has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Renames {
    Plain,
    Qualified,
}

/// What differs between databases.
struct Style {
    key: &'static str,
    created_at: &'static str,
    /// Without it, CREATE INDEX of PostgreSQL blocks writes to the table until it finishes.
    concurrently: &'static str,
    /// What follows the name of an index that is dropped.
    index_table: fn(&str) -> String,
    constraints: Constraints,
    defaults: Defaults,
    objects: Objects,
    renames: Renames,
    /// The type of a text in a key, where `text` would need a length.
    text_in_key: Option<&'static str>,
    ty: fn(&TypeNames) -> &'static str,
    quote: char,
}

static POSTGRES: Style = Style {
    key: "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    created_at: "timestamptz NOT NULL DEFAULT now()",
    concurrently: " CONCURRENTLY",
    index_table: |_| String::new(),
    constraints: Constraints::InTwoSteps,
    defaults: Defaults::Any,
    objects: Objects::Many,
    renames: Renames::Plain,
    text_in_key: None,
    ty: |types| types.postgres,
    quote: '"',
};

static MYSQL: Style = Style {
    key: "bigint NOT NULL AUTO_INCREMENT PRIMARY KEY",
    created_at: "datetime(6) NOT NULL DEFAULT current_timestamp(6)",
    concurrently: "",
    index_table: |table| format!(" ON {table}"),
    constraints: Constraints::AtOnce,
    defaults: Defaults::Literals,
    objects: Objects::Tables,
    renames: Renames::Qualified,
    text_in_key: Some("varchar(255)"),
    ty: |types| types.mysql,
    quote: '`',
};

static SQLITE: Style = Style {
    key: "integer PRIMARY KEY",
    created_at: "text NOT NULL DEFAULT current_timestamp",
    concurrently: "",
    index_table: |_| String::new(),
    constraints: Constraints::WithColumn,
    defaults: Defaults::None,
    objects: Objects::Tables,
    renames: Renames::Plain,
    text_in_key: None,
    ty: |types| types.sqlite,
    quote: '"',
};

impl Style {
    fn of(dialect: Dialect) -> &'static Style {
        match dialect {
            Dialect::Postgres => &POSTGRES,
            Dialect::MySql => &MYSQL,
            Dialect::Sqlite => &SQLITE,
        }
    }
}

/// Writes the SQL of one database.
struct Sql {
    style: &'static Style,
}

impl Sql {
    /// `None` if the database cannot make the change, or not without more than the description says.
    fn of_change(&self, change: &Change) -> Option<Vec<Template>> {
        let has_objects = self.style.objects == Objects::Many;
        let if_possible = |up: String, down: String| has_objects.then(|| one(up, down));
        match change {
            Change::CreateTable { table, columns } => self.create_table(table, columns),
            Change::DropTable(table) => Some(one(format!("DROP TABLE {};\n", self.name(table)), lost_rows(table))),
            Change::AddColumns { table, columns } => self.add_columns(table, columns),
            Change::DropColumns { table, columns } => {
                let added = self.add_columns(table, columns)?;
                let first = added.into_iter().next()?;
                Some(one(first.down, first.up))
            }
            Change::RenameTable { from, to } => {
                // The new name is in the schema of the old one.
                let back = from.split_once('.').map_or(to.clone(), |(schema, _)| format!("{schema}.{to}"));
                let (target, plain) = match self.style.renames {
                    Renames::Qualified => (back.clone(), from.clone()),
                    Renames::Plain => (to.clone(), from.rsplit('.').next()?.to_owned()),
                };
                let rename = |from: &str, to: &str| format!("ALTER TABLE {} RENAME TO {};\n", self.name(from), self.name(to));
                Some(one(rename(from, &target), rename(&back, &plain)))
            }
            Change::RenameColumn { table, from, to } => {
                let [table, from, to] = [table, from, to].map(|name| self.name(name));
                let rename = |from, to| format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to};\n");
                Some(one(rename(&from, &to), rename(&to, &from)))
            }
            Change::AddIndex { table, columns, unique } => Some(self.index(table, columns, *unique)),
            Change::AddForeignKey { table, column, parent } => {
                let definition = format!("FOREIGN KEY ({}) REFERENCES {} (id)", self.name(column), self.name(parent));
                self.constraint(table, &constraint_name(table, column, "fkey"), &definition)
            }
            Change::SetNotNull { table, column } => self.not_null(table, column),
            Change::SetDefault { table, column, value } => self.default(table, column, value),
            Change::AddCheck { table, column, comparison, value } => {
                let definition = format!("CHECK ({} {comparison} {value})", self.name(column));
                self.constraint(table, &constraint_name(table, column, "check"), &definition)
            }
            Change::CreateEnum { name, values } => {
                let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
                let name = self.name(name);
                if_possible(format!("CREATE TYPE {name} AS ENUM ({});\n", values.join(", ")), format!("DROP TYPE {name};\n"))
            }
            Change::AddEnumValue { name, value } => if_possible(
                format!("ALTER TYPE {} ADD VALUE IF NOT EXISTS '{value}';\n", self.name(name)),
                "-- PostgreSQL cannot remove a value from an enum type, so it stays.\nSELECT 1;\n".to_owned(),
            ),
            Change::CreateView { name, table } => {
                let (name, table) = (self.name(name), self.name(table));
                Some(one(format!("CREATE VIEW {name} AS\nSELECT * FROM {table};\n"), format!("DROP VIEW {name};\n")))
            }
            Change::CreateNamed { kind, name } => {
                let name = if name.contains('-') { format!("\"{name}\"") } else { self.name(name) };
                if_possible(format!("CREATE {kind} {name};\n"), format!("DROP {kind} {name};\n"))
            }
        }
    }

    fn name(&self, name: &str) -> String {
        identifier(name, self.style.quote)
    }

    fn create_table(&self, table: &str, columns: &[ColumnSpec]) -> Option<Vec<Template>> {
        let Style { key, created_at, .. } = self.style;
        let mut lines = vec![format!("id {key}")];
        let mut constraints = Vec::new();
        for column in columns {
            let name = column_name(column);
            if ["id", "created_at"].contains(&&*name) {
                return None;
            }
            let unique = if column.unique { " UNIQUE" } else { "" };
            lines.push(format!("{} {} NOT NULL{unique}", self.name(&name), self.column_type(column)?));
            if let Some(parent) = &column.parent {
                constraints.push(format!("FOREIGN KEY ({}) REFERENCES {} (id)", self.name(&name), self.name(parent)));
            }
        }
        lines.push(format!("created_at {created_at}"));
        lines.extend(constraints);
        let table = self.name(table);
        Some(one(format!("CREATE TABLE {table} (\n    {}\n);\n", lines.join(",\n    ")), format!("DROP TABLE {table};\n")))
    }

    /// Nullable columns. What needs a look at every row is a migration of its own.
    fn add_columns(&self, table: &str, columns: &[ColumnSpec]) -> Option<Vec<Template>> {
        let (mut up, mut down) = (String::new(), String::new());
        let mut later = Vec::new();
        for column in columns {
            let name = column_name(column);
            let (quoted, target) = (self.name(&name), self.name(table));
            let inline = match (&column.parent, self.style.constraints) {
                (Some(parent), Constraints::WithColumn) => format!(" REFERENCES {} (id)", self.name(parent)),
                _ => String::new(),
            };
            up.push_str(&format!("ALTER TABLE {target} ADD COLUMN {quoted} {}{inline};\n", self.column_type(column)?));
            down.push_str(&format!("ALTER TABLE {target} DROP COLUMN {quoted};\n"));
            if let Some(parent) = column.parent.as_ref().filter(|_| self.style.constraints != Constraints::WithColumn) {
                let definition = format!("FOREIGN KEY ({quoted}) REFERENCES {} (id)", self.name(parent));
                later.push(self.constraint(table, &constraint_name(table, &name, "fkey"), &definition)?);
            }
            if column.unique {
                later.push(self.index(table, &[name], true));
            }
        }
        let mut templates = one(up, down);
        if later.is_empty() {
            return Some(templates);
        }
        if self.style.constraints == Constraints::InTwoSteps {
            // More than one such column needs more migrations than two.
            let [followed] = <[Vec<Template>; 1]>::try_from(later).ok()?;
            return Some(match followed.as_slice() {
                [index] => vec![templates.remove(0), Template { suffix: "unique", ..index.clone() }],
                [added, validated] => {
                    let first = &templates[0];
                    let (up, down) = (format!("{}{}", first.up, added.up), format!("{}{}", added.down, first.down));
                    vec![Template { suffix: "", up, down }, validated.clone()]
                }
                _ => return None,
            });
        }
        for Template { up, down, .. } in later.into_iter().flatten() {
            templates[0].up.push_str(&up);
            templates[0].down = format!("{down}{}", templates[0].down);
        }
        Some(templates)
    }

    /// A constraint of an existing table. On PostgreSQL, it is first added for new rows, and then validated for the others.
    fn constraint(&self, table: &str, name: &str, definition: &str) -> Option<Vec<Template>> {
        let (table, name) = (self.name(table), self.name(name));
        let down = format!("ALTER TABLE {table} DROP CONSTRAINT {name};\n");
        match self.style.constraints {
            Constraints::InTwoSteps => Some(vec![
                Template { suffix: "", up: format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID;\n"), down },
                Template {
                    suffix: "validate",
                    up: format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name};\n"),
                    down: "-- The constraint stays validated until it is dropped.\nSELECT 1;\n".to_owned(),
                },
            ]),
            Constraints::AtOnce => Some(one(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition};\n"), down)),
            Constraints::WithColumn => None,
        }
    }

    /// In safe steps: a constraint that PostgreSQL validates without blocking writes saves the scan under an exclusive lock.
    fn not_null(&self, table: &str, column: &str) -> Option<Vec<Template>> {
        let name = constraint_name(table, column, "not_null");
        let mut templates = self.constraint(table, &name, &format!("CHECK ({} IS NOT NULL)", self.name(column)))?;
        let [added, validated] = templates.as_mut_slice() else { return None };
        let (table, column) = (self.name(table), self.name(column));
        validated.suffix = "set not null";
        validated.up.push_str(&format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;\n{}", added.down));
        validated.down = format!("{}ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL;\n", added.up);
        Some(templates)
    }

    fn default(&self, table: &str, column: &str, value: &str) -> Option<Vec<Template>> {
        let alter = format!("ALTER TABLE {} ALTER COLUMN {}", self.name(table), self.name(column));
        let is_literal = value != "current_timestamp";
        let can_set = match self.style.defaults {
            Defaults::Any => true,
            Defaults::Literals => is_literal,
            Defaults::None => false,
        };
        can_set.then(|| one(format!("{alter} SET DEFAULT {value};\n"), format!("{alter} DROP DEFAULT;\n")))
    }

    fn index(&self, table: &str, columns: &[String], unique: bool) -> Vec<Template> {
        let name = self.name(&format!("idx_{}_{}", table.replace('.', "_"), columns.join("_")));
        let list: Vec<String> = columns.iter().map(|column| self.name(column)).collect();
        let (list, table, unique) = (list.join(", "), self.name(table), if unique { "UNIQUE " } else { "" });
        let (concurrently, of_table) = (self.style.concurrently, (self.style.index_table)(&table));
        one(
            format!("CREATE {unique}INDEX{concurrently} {name} ON {table} ({list});\n"),
            format!("DROP INDEX{concurrently} {name}{of_table};\n"),
        )
    }

    /// `None` for a type that is not known.
    fn column_type(&self, column: &ColumnSpec) -> Option<String> {
        let name = column_name(column);
        let stated = column.ty.as_deref();
        let word = match (stated, &column.parent) {
            (_, Some(_)) => "bigint",
            (Some(stated), None) => stated,
            (None, None) => type_word(&name),
        };
        if let Some((base, size)) = word.split_once('(') {
            let base = if base == "string" { "varchar" } else { base };
            return ["varchar", "char", "numeric", "decimal"].contains(&base).then(|| format!("{base}({size}"));
        }
        let types = TYPES.iter().find(|types| types.words.contains(&word))?;
        let is_text = types.words.contains(&"text");
        let ty = match self.style.text_in_key {
            Some(short) if is_text && (column.unique || stated != Some("text")) => short,
            _ => (self.style.ty)(types),
        };
        Some(ty.to_owned())
    }
}

/// A reference is a column with the key of the other table.
fn column_name(column: &ColumnSpec) -> String {
    if column.parent.is_some() && !column.name.ends_with("_id") { format!("{}_id", column.name) } else { column.name.clone() }
}

fn constraint_name(table: &str, column: &str, kind: &str) -> String {
    format!("{}_{column}_{kind}", table.rsplit('.').next().unwrap_or(table))
}

fn lost_rows(table: &str) -> String {
    format!(
        "-- The rows cannot be restored. Write the CREATE TABLE statement of `{table}` here to create an empty table, or remove this file and write\n-- `-- migrate: irreversible: REASON` at the top of the up migration.\n"
    )
}

/// One type under its usual names.
struct TypeNames {
    words: &'static [&'static str],
    postgres: &'static str,
    mysql: &'static str,
    sqlite: &'static str,
}

const fn types(words: &'static [&'static str], postgres: &'static str, mysql: &'static str, sqlite: &'static str) -> TypeNames {
    TypeNames { words, postgres, mysql, sqlite }
}

const TYPES: &[TypeNames] = &[
    types(&["string", "text"], "text", "text", "text"),
    types(&["smallint"], "smallint", "smallint", "integer"),
    types(&["int", "integer"], "integer", "int", "integer"),
    types(&["bigint", "long"], "bigint", "bigint", "integer"),
    types(&["bool", "boolean"], "boolean", "boolean", "boolean"),
    types(&["money", "numeric", "decimal"], "numeric(12, 2)", "decimal(12, 2)", "numeric"),
    types(&["float", "double", "real"], "double precision", "double", "real"),
    types(&["timestamp", "timestamptz", "datetime"], "timestamptz", "datetime(6)", "text"),
    types(&["date"], "date", "date", "text"),
    types(&["json", "jsonb"], "jsonb", "json", "text"),
    types(&["uuid"], "uuid", "char(36)", "text"),
    types(&["bytes", "binary", "blob", "bytea"], "bytea", "longblob", "blob"),
];

/// The type that the name of a column suggests. The user reviews it in the generated file.
fn type_word(column: &str) -> &'static str {
    let ends = |words: &[&str]| words.iter().any(|word| column == *word || column.ends_with(&format!("_{word}")));
    let starts = |words: &[&str]| words.iter().any(|word| column.starts_with(&format!("{word}_")));
    if ends(&["id"]) {
        "bigint"
    } else if starts(&["is", "has", "can"]) || ends(&["active", "enabled", "disabled", "visible", "archived"]) {
        "boolean"
    } else if ends(&["at", "timestamp"]) {
        "timestamp"
    } else if ends(&["on", "date", "birthday"]) {
        "date"
    } else if ends(&["amount", "price", "cost", "total", "balance", "fee", "salary", "tax", "discount"]) {
        "money"
    } else if ends(&["count", "quantity", "qty", "position", "age", "year", "number_of", "size", "attempts", "retries", "stock"])
    {
        "integer"
    } else if ends(&["uuid"]) {
        "uuid"
    } else if ends(&["json", "metadata", "payload", "settings", "preferences"]) {
        "json"
    } else {
        "string"
    }
}

/// A name as SQL, with reserved words quoted.
fn identifier(name: &str, quote: char) -> String {
    let quoted = |part: &str| if RESERVED.contains(&part) { format!("{quote}{part}{quote}") } else { part.to_owned() };
    name.split('.').map(quoted).collect::<Vec<_>>().join(".")
}

/// Words that at least one of the databases does not accept as the name of a table or a column without quotes. Sources: PostgreSQL 15
/// manual, appendix C; MariaDB knowledge base, "Reserved Words"; MySQL 8.4 manual 11.3; SQLite, "SQLite Keywords".
const RESERVED: [&str; 317] = [
    "accessible",
    "add",
    "all",
    "alter",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asensitive",
    "asymmetric",
    "authorization",
    "autoincrement",
    "before",
    "between",
    "bigint",
    "binary",
    "blob",
    "both",
    "by",
    "call",
    "cascade",
    "case",
    "cast",
    "change",
    "char",
    "character",
    "check",
    "collate",
    "collation",
    "column",
    "commit",
    "concurrently",
    "condition",
    "constraint",
    "continue",
    "convert",
    "create",
    "cross",
    "cube",
    "cume_dist",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "cursor",
    "database",
    "databases",
    "day_hour",
    "day_microsecond",
    "day_minute",
    "day_second",
    "dec",
    "decimal",
    "declare",
    "default",
    "deferrable",
    "delayed",
    "delete",
    "delete_domain_id",
    "dense_rank",
    "desc",
    "describe",
    "deterministic",
    "distinct",
    "distinctrow",
    "div",
    "do",
    "do_domain_ids",
    "double",
    "drop",
    "dual",
    "each",
    "else",
    "elseif",
    "empty",
    "enclosed",
    "end",
    "escape",
    "escaped",
    "except",
    "exists",
    "exit",
    "explain",
    "false",
    "fetch",
    "first_value",
    "float",
    "float4",
    "float8",
    "for",
    "force",
    "foreign",
    "freeze",
    "from",
    "full",
    "fulltext",
    "function",
    "generated",
    "get",
    "grant",
    "group",
    "grouping",
    "groups",
    "having",
    "high_priority",
    "hour_microsecond",
    "hour_minute",
    "hour_second",
    "if",
    "ignore",
    "ignore_domain_ids",
    "ilike",
    "in",
    "index",
    "infile",
    "initially",
    "inner",
    "inout",
    "insensitive",
    "insert",
    "int",
    "int1",
    "int2",
    "int3",
    "int4",
    "int8",
    "integer",
    "intersect",
    "interval",
    "into",
    "io_after_gtids",
    "io_before_gtids",
    "is",
    "isnull",
    "iterate",
    "join",
    "json_table",
    "key",
    "keys",
    "kill",
    "lag",
    "last_value",
    "lateral",
    "lead",
    "leading",
    "leave",
    "left",
    "library",
    "like",
    "limit",
    "linear",
    "lines",
    "load",
    "localtime",
    "localtimestamp",
    "lock",
    "long",
    "longblob",
    "longtext",
    "loop",
    "low_priority",
    "manual",
    "master_bind",
    "master_demote_to_replica",
    "master_demote_to_slave",
    "master_ssl_verify_server_cert",
    "match",
    "maxvalue",
    "mediumblob",
    "mediumint",
    "mediumtext",
    "middleint",
    "minute_microsecond",
    "minute_second",
    "mod",
    "modifies",
    "natural",
    "no_write_to_binlog",
    "not",
    "nothing",
    "notnull",
    "nth_value",
    "ntile",
    "null",
    "numeric",
    "of",
    "offset",
    "on",
    "only",
    "optimize",
    "optimizer_costs",
    "option",
    "optionally",
    "or",
    "order",
    "out",
    "outer",
    "outfile",
    "over",
    "overlaps",
    "page_checksum",
    "parallel",
    "parse_vcol_expr",
    "partition",
    "percent_rank",
    "placing",
    "portion",
    "precision",
    "primary",
    "procedure",
    "purge",
    "qualify",
    "raise",
    "range",
    "rank",
    "read",
    "read_write",
    "reads",
    "real",
    "recursive",
    "ref_system_id",
    "references",
    "regexp",
    "release",
    "rename",
    "repeat",
    "replace",
    "require",
    "resignal",
    "restrict",
    "return",
    "returning",
    "revoke",
    "right",
    "rlike",
    "row",
    "row_number",
    "rows",
    "schema",
    "schemas",
    "second_microsecond",
    "select",
    "sensitive",
    "separator",
    "session_user",
    "set",
    "show",
    "signal",
    "similar",
    "smallint",
    "some",
    "spatial",
    "specific",
    "sql",
    "sql_big_result",
    "sql_calc_found_rows",
    "sql_small_result",
    "sqlexception",
    "sqlstate",
    "sqlwarning",
    "ssl",
    "starting",
    "stats_auto_recalc",
    "stats_persistent",
    "stats_sample_pages",
    "stored",
    "straight_join",
    "symmetric",
    "system",
    "table",
    "tablesample",
    "terminated",
    "then",
    "tinyblob",
    "tinyint",
    "tinytext",
    "to",
    "trailing",
    "transaction",
    "trigger",
    "true",
    "undo",
    "union",
    "unique",
    "unlock",
    "unsigned",
    "update",
    "usage",
    "use",
    "user",
    "using",
    "utc_date",
    "utc_time",
    "utc_timestamp",
    "values",
    "varbinary",
    "varchar",
    "varcharacter",
    "variadic",
    "varying",
    "verbose",
    "virtual",
    "when",
    "where",
    "while",
    "window",
    "with",
    "write",
    "xor",
    "year_month",
    "zerofill",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_do_not_contain_types() {
        for (description, name) in [
            ("create users table", "create_users_table"),
            ("create users name:text email:text:unique", "create_users"),
            ("add email:text:unique and total:int to users", "add_email_and_total_to_users"),
            ("fix: late orders", "fix_late_orders"),
        ] {
            assert_eq!(file_name(&without_types(description)), name);
        }
    }

    #[test]
    fn file_names_are_normalized() {
        assert_eq!(file_name("Add User Preferences (v2)!"), "add_user_preferences_v2");
        assert_eq!(file_name("../../etc/passwd"), "etc_passwd");
        assert_eq!(file_name("größe hinzufügen"), "größe_hinzufügen");
        assert_eq!(file_name("  --  "), "");
    }

    struct Nothing;

    impl KnownSchema for Nothing {
        fn has_table(&self, _: &str) -> bool {
            false
        }

        fn has_column(&self, _: &str, _: &str) -> bool {
            false
        }
    }

    #[test]
    fn descriptions_that_are_understood() {
        let mut text = String::new();
        for (description, dialect) in [
            ("create users table", Dialect::Postgres),
            ("create user preferences table", Dialect::MySql),
            ("add table orders", Dialect::Sqlite),
            ("create user preferences table name:text email:text:unique", Dialect::Postgres),
            ("create orders user:references code:text:unique total:numeric", Dialect::MySql),
            ("add email to users", Dialect::Postgres),
            ("add email, total and last_seen_at to the users table", Dialect::MySql),
            ("add user:references to orders", Dialect::Postgres),
            ("add code:string:unique to orders", Dialect::MySql),
            ("index orders on user_id", Dialect::Postgres),
            ("add unique index on orders user_id and state", Dialect::MySql),
            ("drop table old_users", Dialect::Postgres),
            ("remove column email from users", Dialect::Sqlite),
            ("rename table users to people", Dialect::Sqlite),
            ("rename name to full_name in users", Dialect::Postgres),
            ("make users email not null", Dialect::Postgres),
            ("add check to orders total >= 0", Dialect::Postgres),
            ("add order to group", Dialect::MySql),
            ("index order on key", Dialect::Sqlite),
            ("delete inactive users", Dialect::Postgres),
            ("add foreign key to orders user_id references users", Dialect::Sqlite),
        ] {
            text.push_str(&format!("{description} ({dialect})\n"));
            for template in from_description(description, Some(dialect), "name", &Nothing) {
                text.push_str(&format!("{}{}\n", template.up, template.down));
            }
        }
        insta::assert_snapshot!(text);
    }
}
