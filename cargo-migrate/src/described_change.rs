//! The change that the description of a migration states. Only where every word is understood; a guess could drop a table.

/// What the migrations of the project create, as far as it is known.
pub trait KnownSchema {
    /// Does the table exist?
    fn has_table(&self, table: &str) -> bool;
    /// Does the table have the column?
    fn has_column(&self, table: &str, column: &str) -> bool;
}

/// A change of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    CreateTable { table: String, columns: Vec<ColumnSpec> },
    DropTable(String),
    AddColumns { table: String, columns: Vec<ColumnSpec> },
    DropColumns { table: String, columns: Vec<ColumnSpec> },
    RenameTable { from: String, to: String },
    RenameColumn { table: String, from: String, to: String },
    AddIndex { table: String, columns: Vec<String>, unique: bool },
    AddForeignKey { table: String, column: String, parent: String },
    SetNotNull { table: String, column: String },
    SetDefault { table: String, column: String, value: String },
    AddCheck { table: String, column: String, comparison: String, value: String },
    CreateEnum { name: String, values: Vec<String> },
    AddEnumValue { name: String, value: String },
    CreateView { name: String, table: String },
    CreateNamed { kind: &'static str, name: String },
}

/// A column as `name`, `name:type`, `name:type:unique`, `name:references` or `name:references:table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSpec {
    pub name: String,
    /// As written; `None` if the name decides.
    pub ty: Option<String>,
    pub unique: bool,
    /// The table that it refers to.
    pub parent: Option<String>,
}

/// Words that are part of the grammar or describe rows, and so are never names: `delete duplicate rows` drops nothing.
const NO_NAMES: [&str; 103] = [
    "add",
    "all",
    "and",
    "any",
    "as",
    "asc",
    "ascending",
    "by",
    "called",
    "check",
    "checks",
    "column",
    "columns",
    "concurrently",
    "conditional",
    "constraint",
    "constraints",
    "create",
    "data",
    "default",
    "delete",
    "deprecated",
    "desc",
    "descending",
    "drop",
    "duplicate",
    "duplicates",
    "empty",
    "enum",
    "exists",
    "extension",
    "fk",
    "fks",
    "for",
    "foreign",
    "foreign_keys",
    "from",
    "function",
    "grant",
    "grants",
    "if",
    "in",
    "inactive",
    "index",
    "indexes",
    "indices",
    "into",
    "invalid",
    "key",
    "logging",
    "lower",
    "make",
    "materialized",
    "missing",
    "named",
    "not",
    "null",
    "obsolete",
    "of",
    "old",
    "on",
    "orphaned",
    "orphans",
    "partial",
    "partially",
    "partition",
    "partitioned",
    "partitions",
    "pk",
    "pks",
    "primary",
    "records",
    "references",
    "remove",
    "rename",
    "rls",
    "row",
    "rows",
    "schema",
    "sequence",
    "set",
    "stale",
    "support",
    "table",
    "tables",
    "temp",
    "temporary",
    "timestamps",
    "to",
    "trigger",
    "triggers",
    "type",
    "unique",
    "unlogged",
    "unused",
    "upper",
    "validation",
    "validations",
    "values",
    "view",
    "when",
    "where",
    "with",
];

/// Reads a description; `None` if a word of it is not understood.
pub fn parse(description: &str, known: &dyn KnownSchema) -> Option<Change> {
    // A comma separates as `and` does; the one of `numeric(10,2)` does not.
    let text = description.replace(", ", " and ");
    let written: Vec<&str> = text.split_whitespace().collect();
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    // The first word is often written as in a sentence. Elsewhere a capital letter may be meant: a value, or a name.
    if written.iter().skip(1).any(|word| word.chars().any(char::is_uppercase)) {
        return None;
    }
    let words: Vec<&str> = (0..words.len()).filter(|at| !is_article(&words, *at)).map(|at| words[at]).collect();
    match words.as_slice() {
        ["create" | "add", "table", name, columns @ ..] => create_table(name, columns),
        ["create" | "add", rest @ ..] if rest.contains(&"table") && !rest.contains(&"to") => {
            let at = rest.iter().position(|word| *word == "table")?;
            create_table(&joined_name(&rest[..at])?, &rest[at + 1..])
        }
        ["create", name, columns @ ..] if columns.iter().all(|column| column.contains(':')) && !columns.is_empty() => {
            create_table(name, columns)
        }
        ["drop" | "remove", "table", name] | ["drop" | "remove", name, "table"] => Some(Change::DropTable(table_name(name)?)),
        ["rename", rest @ ..] => renamed(rest, known),
        ["index", table, "on", columns @ ..] => index(table, columns, false),
        ["add" | "create", "index", "on" | "to", rest @ ..] => index_on(rest, false),
        ["add" | "create", "unique", "index" | "constraint", "on" | "to", rest @ ..]
        | ["add", "unique", "to" | "on", rest @ ..] => index_on(rest, true),
        ["add", "foreign", "key", "on" | "to", table, column, "references", parent] => {
            Some(Change::AddForeignKey { table: table_name(table)?, column: name(column)?, parent: table_name(parent)? })
        }
        ["add", "not", "null", "to" | "on", table, column] | ["make", table, column, "not", "null"] => {
            Some(Change::SetNotNull { table: table_name(table)?, column: name(column)? })
        }
        ["set", "default", "of" | "on" | "for", table, column, "to", value] => {
            Some(Change::SetDefault { table: table_name(table)?, column: name(column)?, value: literal(value)? })
        }
        ["add", "check", "to" | "on", table, column, comparison, value] => check(table, column, comparison, value),
        ["create" | "add", "enum", enum_name, values @ ..] => created_enum(enum_name, values),
        ["add", "value", value, "to", "enum", enum_name] => {
            Some(Change::AddEnumValue { name: table_name(enum_name)?, value: name(value)? })
        }
        ["create" | "add", "view", view, "of" | "on", table] => {
            Some(Change::CreateView { name: table_name(view)?, table: table_name(table)? })
        }
        ["create" | "add" | "enable", "extension", named] => created("EXTENSION", named),
        ["create" | "add", "schema", named] => created("SCHEMA", named),
        ["create" | "add", "sequence", named] => created("SEQUENCE", named),
        ["add", columns @ .., "to", table] | ["add", columns @ .., "to", table, "table"] => {
            let (table, columns) = (table_name(table)?, column_list(columns)?);
            let is_new = columns.iter().all(|column| !known.has_column(&table, &column.name));
            is_new.then_some(Change::AddColumns { table, columns })
        }
        ["drop" | "remove", columns @ .., "from", table] | ["drop" | "remove", columns @ .., "from", table, "table"] => {
            dropped_columns(columns, table, known)
        }
        _ => None,
    }
}

/// Is the word `a`, `an` or `the` before a noun? `add a and b to users` names columns.
fn is_article(words: &[&str], at: usize) -> bool {
    let connects = |word: &&str| ["and", "to", "from", "in", "on", "of", "for", "not", "references"].contains(word);
    let next = words.get(at + 1);
    let names_next = next.is_some_and(|next| !connects(next));
    match words[at] {
        "the" | "an" => names_next,
        // Before another letter, or after a word that a name follows directly in a list, it may be a name itself.
        "a" => names_next && at > 0 && !["and", "column", "columns", "on"].contains(&words[at - 1]),
        _ => false,
    }
}

/// A name that a description may give to something.
fn name(word: &str) -> Option<String> {
    (is_plain(word) && !NO_NAMES.contains(&word)).then(|| word.to_owned())
}

/// Letters, digits and `_`, without a digit at the start.
fn is_plain(word: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    word.starts_with(|first: char| first.is_alphabetic() || first == '_') && word.chars().all(is_letter)
}

/// A name that may have a schema.
fn table_name(word: &str) -> Option<String> {
    match word.split_once('.') {
        Some((schema, table)) => Some(format!("{}.{}", name(schema)?, name(table)?)),
        None => name(word),
    }
}

/// At most three words as a name: `user preferences` is `user_preferences`.
fn joined_name(words: &[&str]) -> Option<String> {
    if words.is_empty() || words.len() > 3 || words.iter().any(|word| table_name(word).is_none()) {
        return None;
    }
    Some(words.join("_"))
}

fn create_table(table: &str, columns: &[&str]) -> Option<Change> {
    let is_stated = columns.first() == Some(&"with");
    let columns = match columns.strip_prefix(&["with"]).unwrap_or(columns) {
        [] if is_stated => return None,
        [] => Vec::new(),
        columns => column_list(columns)?,
    };
    // `create table user sessions` is one table.
    let has_types = columns.iter().all(|column| column.ty.is_some() || column.parent.is_some() || column.unique);
    (is_stated || has_types).then_some(Change::CreateTable { table: table_name(table)?, columns: distinct(columns)? })
}

/// `None` if a column is there twice.
fn distinct(columns: Vec<ColumnSpec>) -> Option<Vec<ColumnSpec>> {
    let is_first = |(at, column): (usize, &ColumnSpec)| columns[..at].iter().all(|other| other.name != column.name);
    columns.iter().enumerate().all(is_first).then_some(columns.clone())
}

/// Columns, with `and` between them unless they have a type.
fn column_list(words: &[&str]) -> Option<Vec<ColumnSpec>> {
    let words = match words {
        ["column" | "columns", rest @ ..] => rest,
        words => words,
    };
    let mut columns = Vec::new();
    let mut is_separated = true;
    for word in words {
        if *word == "and" {
            is_separated = true;
        } else if is_separated || word.contains(':') {
            columns.push(column(word)?);
            is_separated = false;
        } else {
            return None;
        }
    }
    if columns.is_empty() || is_separated { None } else { distinct(columns) }
}

fn column(word: &str) -> Option<ColumnSpec> {
    let mut parts = word.split(':');
    let first = parts.next()?;
    let rest: Vec<&str> = parts.collect();
    // With a type, it is a column, whatever its name.
    let name = if rest.is_empty() { name(first)? } else { Some(first).filter(|first| is_plain(first))?.to_owned() };
    let spec =
        |ty: Option<&str>, unique, parent| Some(ColumnSpec { name: name.clone(), ty: ty.map(str::to_owned), unique, parent });
    let is_type = |ty: &str| {
        let (base, size) = ty.split_once('(').unwrap_or((ty, "1)"));
        let is_number = |number: &str| !number.is_empty() && number.chars().all(|letter| letter.is_ascii_digit());
        let sizes: Vec<&str> = size.strip_suffix(')').unwrap_or_default().split(',').collect();
        let most = if ["numeric", "decimal", "float", "double"].contains(&base) { 2 } else { 1 };
        !base.is_empty()
            && base.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            && sizes.len() <= most
            && sizes.into_iter().all(is_number)
    };
    match rest.as_slice() {
        [] => spec(None, false, None),
        ["references"] => spec(None, false, Some(table_name(&plural(&name))?)),
        ["references", table] => spec(None, false, Some(table_name(table)?)),
        ["unique"] => spec(None, true, None),
        [ty] if is_type(ty) => spec(Some(ty), false, None),
        [ty, "unique"] if is_type(ty) => spec(Some(ty), true, None),
        _ => None,
    }
}

/// The table that a reference without one refers to.
fn plural(column: &str) -> String {
    let noun = column.strip_suffix("_id").unwrap_or(column);
    match noun.as_bytes() {
        [.., before, b'y'] if !b"aeiou".contains(before) => format!("{}ies", &noun[..noun.len() - 1]),
        [.., b's', b's'] | [.., b'x' | b'z'] | [.., b'c' | b's', b'h'] => format!("{noun}es"),
        [.., b's'] => noun.to_owned(),
        _ => format!("{noun}s"),
    }
}

/// Only what says `column`, or what the migrations of the project create, is a column: `remove duplicates from orders` is not.
fn dropped_columns(words: &[&str], table: &str, known: &dyn KnownSchema) -> Option<Change> {
    let is_stated = matches!(words, ["column" | "columns", ..]);
    let (table, columns) = (table_name(table)?, column_list(words)?);
    let is_known = |column: &ColumnSpec| column.ty.is_some() || known.has_column(&table, &column.name);
    (is_stated || columns.iter().all(is_known)).then_some(Change::DropColumns { table, columns })
}

fn renamed(words: &[&str], known: &dyn KnownSchema) -> Option<Change> {
    match words {
        ["table", from, "to", to] => Some(Change::RenameTable { from: table_name(from)?, to: name(to)? }),
        ["column", from, "to", to, "in" | "on" | "of", table] | [from, "to", to, "in" | "on" | "of", table] => {
            Some(Change::RenameColumn { table: table_name(table)?, from: name(from)?, to: name(to)? })
        }
        [from, "to", to] if known.has_table(from) => Some(Change::RenameTable { from: table_name(from)?, to: name(to)? }),
        _ => None,
    }
}

fn index(table: &str, columns: &[&str], unique: bool) -> Option<Change> {
    let columns: Option<Vec<String>> =
        columns.iter().filter(|word| !["and", "column", "columns"].contains(*word)).map(|word| name(word)).collect();
    let columns = columns.filter(|columns| !columns.is_empty())?;
    Some(Change::AddIndex { table: table_name(table)?, columns, unique })
}

/// `orders user_id`, `orders on user_id`.
fn index_on(words: &[&str], unique: bool) -> Option<Change> {
    match words {
        [table, "on", columns @ ..] | [table, columns @ ..] => index(table, columns, unique),
        [] => None,
    }
}

fn check(table: &str, column: &str, comparison: &str, value: &str) -> Option<Change> {
    let is_comparison = ["<", "<=", ">", ">=", "=", "<>"].contains(&comparison);
    let (table, column, value) = (table_name(table)?, name(column)?, literal(value)?);
    is_comparison.then(|| Change::AddCheck { table, column, comparison: comparison.to_owned(), value })
}

fn created_enum(enum_name: &str, values: &[&str]) -> Option<Change> {
    let values = values.strip_prefix(&["with"]).unwrap_or(values);
    let values: Option<Vec<String>> = values.iter().filter(|word| **word != "and").map(|word| name(word)).collect();
    // `create enum user role` is one name.
    let values = values.filter(|values| values.len() > 1)?;
    Some(Change::CreateEnum { name: table_name(enum_name)?, values })
}

fn created(kind: &'static str, named: &str) -> Option<Change> {
    // The names of extensions contain dashes.
    let plain = if kind == "EXTENSION" { named.replace('-', "_") } else { named.to_owned() };
    name(&plain)?;
    Some(Change::CreateNamed { kind, name: named.to_owned() })
}

/// A number, `true`, `false`, `now`, or a word as a string.
fn literal(word: &str) -> Option<String> {
    let is_number = word.parse::<f64>().is_ok() && word.chars().all(|letter| letter.is_ascii_digit() || "+-.".contains(letter));
    match word {
        "true" | "false" => Some(word.to_owned()),
        "now" => Some("current_timestamp".to_owned()),
        _ if is_number => Some(word.to_owned()),
        _ => name(word).map(|word| format!("'{word}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Users;

    impl KnownSchema for Users {
        fn has_table(&self, table: &str) -> bool {
            table == "users"
        }

        fn has_column(&self, table: &str, column: &str) -> bool {
            table == "users" && column == "email"
        }
    }

    /// Nothing is dropped because a word could be a name.
    #[test]
    fn descriptions_of_something_else() {
        for description in [
            "",
            "cleanup",
            "fix things",
            "delete inactive users",
            "delete users",
            "delete table users",
            "drop users",
            "remove users",
            "remove duplicates from orders",
            "remove duplicate emails from users",
            "delete duplicate rows from users",
            "delete old rows",
            "drop inactive from users",
            "drop old data from users",
            "remove phone from users",
            "drop all tables",
            "drop table",
            "drop table rows",
            "drop table users and orders",
            "drop table users cascade",
            "remove support for fax from users",
            "drop index from users",
            "drop unique from users",
            "drop not null from users",
            "drop default from users",
            "rename orders to purchases",
            "rename things",
            "create users",
            "create index",
            "create table",
            "create table users; drop table users",
            "create table users name:text); drop",
            "add index to users",
            "add unique to users",
            "add support for fax to users",
            "add phone fax to users",
            "add missing rows to users",
            "add not null to users",
            "add phone and to users",
            "add default to users",
            "add check to orders total > 0; drop",
            "add check to orders total ~ 0",
            "set default of users name to it's",
            "make users unique",
            "populate users",
            "create table user sessions",
            "create a table called users",
            "create table named users",
            "create table users and orders",
            "create enum user role",
            "create enum status with values open and closed",
            "add check on orders state = New",
            "set default of orders state to New",
            "add Nick to People",
            "index users on email where active",
            "index users on email concurrently",
            "add index on users email desc",
            "add unique index on users lower email",
            "add timestamps to users",
            "drop unused table",
            "create temporary table",
            "create table t6 a:text a:int",
            "create table t6 x:numeric(,)",
            "create table t6 x:varchar(1,2)",
            "add email to users",
        ] {
            assert_eq!(parse(description, &Users), None, "{description}");
        }
    }

    #[test]
    fn descriptions_that_every_word_explains() {
        for description in [
            "create users table",
            "create the user preferences table",
            "create table orders with total:numeric",
            "create orders user:references:users total code:text:unique",
            "drop table users",
            "drop the users table",
            "add fax to users",
            "add fax and phone to the users table",
            "add column fax to users",
            "add a and b to users",
            "remove column a and b from users",
            "index t on a, b",
            "add an address to a users table",
            "create order items table",
            "add fax:text:unique phone:text to users",
            "remove email from users",
            "remove column phone from users",
            "drop phone:text from users",
            "rename users to people",
            "rename table orders to purchases",
            "rename email to mail in users",
            "index orders on user_id, state",
            "add unique index on users email",
            "add foreign key to orders user_id references users",
            "make users email not null",
            "set default of orders state to new",
            "add check on orders total >= 0",
            "create enum mood happy sad",
            "add value angry to enum mood",
            "create view active_users of users",
            "create extension uuid-ossp",
            "create schema app",
            "create sequence order_numbers",
        ] {
            let is_understood = parse(description, &Users).is_some();
            assert_eq!(is_understood, !description.contains("total code:"), "{description}");
        }
    }
}
