//! A table as the system catalog describes it: where it is, its columns, and whether it can be read.

/// A table of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogTable {
    /// Its schema (MySQL: database; SQLite: attached database).
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<CatalogColumn>,
    /// Whether it can be read.
    pub access: TableAccess,
    /// Whether its name needs a schema.
    pub reach: TableReach,
}

/// Whether the session finds the tables of a schema by their names alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableReach {
    /// It does: the schema is the current one, or in `search_path`.
    Unqualified,
    /// It does not.
    Qualified,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogColumn {
    /// Its name, in lower case: the databases differ in how they keep it.
    pub name: String,
    /// What values it has.
    pub kind: ValueKind,
}

/// Whether a table can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableAccess {
    /// This user can read it, as far as the catalog says.
    Readable,
    /// This user cannot.
    Denied,
    /// This user cannot, because nothing in its schema can be used.
    SchemaDenied,
    /// The same, and its schema comes before the one that the connection finds.
    PassedOver,
    /// A view, or another object that may run code of its owner when it is read.
    RunsCode,
}

/// A kind of values, coarse enough for all databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Integers.
    Integer,
    /// Texts.
    Text,
    /// True and false; also a small integer, which some databases use instead.
    Boolean,
    /// Anything else.
    Other,
}

impl ValueKind {
    /// The kind of a column type, by its name in any of the databases.
    pub fn of_type(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        if has(&["[]", "interval", "point", "range"]) {
            ValueKind::Other
        } else if has(&["bool"]) || name == "bit" {
            ValueKind::Boolean
        } else if has(&["int", "serial"]) {
            ValueKind::Integer
        } else if has(&["char", "text", "clob", "string"]) {
            ValueKind::Text
        } else {
            ValueKind::Other
        }
    }

    /// Whether values of this kind can be read as those of another.
    pub fn is_read_as(self, expected: ValueKind) -> bool {
        self == expected || (self == ValueKind::Integer && expected == ValueKind::Boolean)
    }
}

impl CatalogTable {
    /// Parses a list of columns: `name:type` each, separated by line ends.
    pub fn columns_of(list: &str) -> Vec<CatalogColumn> {
        let column = |line: &str| {
            let (name, kind) = line.rsplit_once(':').unwrap_or((line, ""));
            CatalogColumn { name: name.to_lowercase(), kind: ValueKind::of_type(kind) }
        };
        list.lines().filter(|line| !line.is_empty()).map(column).collect()
    }

    /// The kind of a column, if there is such a column.
    pub fn column(&self, name: &str) -> Option<ValueKind> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.kind)
    }

    /// Whether it has all these columns.
    pub fn has_columns(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.column(name).is_some())
    }

    /// Schema and name, for messages.
    pub fn label(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_types() {
        for (kind, names) in [
            (ValueKind::Integer, &["bigint", "int", "integer", "INTEGER", "uint64", "int4", "smallint", "tinyint"][..]),
            (ValueKind::Text, &["character varying", "varchar", "TEXT", "longtext", "char", "\"char\"", "character"]),
            (ValueKind::Boolean, &["boolean", "bool", "BOOLEAN", "bit"]),
            (
                ValueKind::Other,
                &["text[]", "timestamp with time zone", "datetime", "bytea", "blob", "interval", "point", "numeric", ""],
            ),
        ] {
            for name in names {
                assert_eq!(ValueKind::of_type(name), kind, "{name}");
            }
        }
    }

    #[test]
    fn columns_of_a_list() {
        let columns = CatalogTable::columns_of("Version:bigint\na:b:text\n");
        let names: Vec<(&str, ValueKind)> = columns.iter().map(|column| (column.name.as_str(), column.kind)).collect();
        assert_eq!(names, [("version", ValueKind::Integer), ("a:b", ValueKind::Text)]);
    }
}
