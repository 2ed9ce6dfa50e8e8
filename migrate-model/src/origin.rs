//! The contract of an origin: another migration tool, whose history may be in a database.
//!
//! An origin contains everything that is specific to the tool: the columns of its tables, by which they are recognized under any
//! name and in any schema; what its rows mean; and the key under which it would have recorded a file. It reads nothing itself.

use crate::catalog_table::{CatalogTable, ValueKind};
use crate::layouts;
use crate::version::Version;

/// Another migration tool.
#[derive(Debug)]
pub struct Origin {
    /// The name in messages, and in `ignore` under `[history]` in `migrate.toml`.
    pub name: &'static str,
    /// The tables in which it keeps its history; the first one that exists in a schema contains all that is known there.
    pub tables: &'static [OriginTable],
    /// The key under which the tool would record a file, by its own rule. `None` if it would not read such a file.
    pub key: fn(file: &MigrationFile<'_>) -> Option<ForeignKey>,
    /// The checksum that the tool would store for a text, in lower-case hexadecimal digits; `None` if it keeps no checksum, or
    /// one that cannot be computed from the file alone.
    pub checksum: Option<fn(text: &str) -> String>,
}

/// How many columns a team may have added to a table of a tool.
pub const MOST_ADDED: usize = 4;

/// A table of an origin.
#[derive(Debug)]
pub struct OriginTable {
    /// All its columns.
    pub columns: &'static [OriginColumn],
    /// The columns of a second table in the same schema, without which the table is that of another tool. Usually empty.
    pub companion: &'static [&'static str],
    /// What its rows mean; they contain the columns that are read, in the order of `columns`.
    pub read: fn(rows: &[ForeignRow]) -> Vec<ForeignRecord>,
}

/// A column of a table of an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginColumn {
    /// Its name.
    pub name: &'static str,
    /// What it contains.
    pub content: Content,
}

/// What a column contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Values of this kind; they are read.
    Value(ValueKind),
    /// Binary data; it is read as lower-case hexadecimal digits.
    Bytes,
    /// A value of any type that is read as text, such as a moment.
    Any,
    /// Nothing that is read.
    Unread,
}

/// A column with values that are read.
pub const fn value(name: &'static str, kind: ValueKind) -> OriginColumn {
    OriginColumn { name, content: Content::Value(kind) }
}

/// A column with binary data that is read.
pub const fn bytes(name: &'static str) -> OriginColumn {
    OriginColumn { name, content: Content::Bytes }
}

/// A column of any type that is read.
pub const fn any(name: &'static str) -> OriginColumn {
    OriginColumn { name, content: Content::Any }
}

/// A column that is not read.
pub const fn unread(name: &'static str) -> OriginColumn {
    OriginColumn { name, content: Content::Unread }
}

impl OriginTable {
    /// Whether a table of a database has exactly these columns.
    pub fn matches(&self, table: &CatalogTable) -> bool {
        table.columns.len() == self.columns.len() && self.is_within(table)
    }

    /// Whether a table has these columns and a few others, which a team has added. Fewer than four columns are too few to
    /// recognize a tool by, unless two of them have names that other tables do not combine.
    pub fn resembles(&self, table: &CatalogTable) -> bool {
        const FEWEST: usize = 4;
        let is_distinctive = |name: &str| self.columns.iter().any(|column| column.name == name);
        let is_known = self.columns.len() >= FEWEST || (is_distinctive("version") && is_distinctive("dirty"));
        is_known && table.columns.len() <= self.columns.len() + MOST_ADDED && self.is_within(table)
    }

    fn is_within(&self, table: &CatalogTable) -> bool {
        let has = |column: &OriginColumn| match (table.column(column.name), column.content) {
            (None, _) => false,
            (Some(kind), Content::Value(expected)) => kind.is_read_as(expected),
            (Some(_), Content::Bytes | Content::Any | Content::Unread) => true,
        };
        self.columns.iter().all(has)
    }

    /// The columns that are read.
    pub fn columns_to_read(&self) -> impl Iterator<Item = &'static OriginColumn> + use<> {
        self.columns.iter().filter(|column| column.content != Content::Unread)
    }
}

/// A row of a table of an origin: the columns that are read, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRow(pub Vec<Option<String>>);

impl ForeignRow {
    /// The text of a column, unless it is NULL.
    pub fn text(&self, at: usize) -> Option<&str> {
        self.0.get(at).and_then(|value| value.as_deref())
    }

    /// The integer in a column.
    pub fn number(&self, at: usize) -> Option<i64> {
        self.text(at)?.trim().parse().ok()
    }

    /// Whether a column contains true, as any of the databases shows it.
    pub fn is_true(&self, at: usize) -> bool {
        matches!(self.text(at), Some("1" | "t" | "true" | "TRUE"))
    }
}

/// What a row of another tool says about a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRecord {
    /// Which migration, and how many others with it.
    pub extent: Extent,
    /// What became of it.
    pub state: ForeignState,
    /// The checksum in lower-case hexadecimal digits, if the tool stores one.
    pub checksum: Option<String>,
    /// The service, if the tool distinguishes services.
    pub service: Option<String>,
}

impl ForeignRecord {
    /// A record of one migration in this state.
    pub fn of(key: ForeignKey, state: ForeignState) -> Self {
        ForeignRecord { extent: Extent::One(key), state, checksum: None, service: None }
    }

    /// A record that stands for all migrations up to a version.
    pub fn up_to(version: Version, state: ForeignState) -> Self {
        ForeignRecord { extent: Extent::UpTo(version), state, checksum: None, service: None }
    }
}

/// The migrations that a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// One migration.
    One(ForeignKey),
    /// All migrations up to and including this version, as far as the tool can say.
    UpTo(Version),
}

/// The identity of a migration in another tool.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ForeignKey {
    /// The version or name, spelled as the tool stores it; numbers without leading zeros.
    pub key: String,
    /// The name, where the tool stores a name beside a version.
    pub name: Option<String>,
}

impl ForeignKey {
    /// A key without a name beside it.
    pub fn new(key: impl Into<String>) -> Self {
        ForeignKey { key: key.into(), name: None }
    }

    /// The key of a number.
    pub fn number(number: i64) -> Self {
        ForeignKey::new(number.to_string())
    }

    /// The same key with a name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        ForeignKey { name: Some(name.into()), ..self }
    }
}

/// What became of a migration of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignState {
    /// It is applied.
    Applied,
    /// It was started and is not complete.
    Failed,
    /// It was applied and then reverted.
    Reverted,
}

impl ForeignState {
    /// `Applied` if it succeeded, else `Failed`.
    pub const fn of_success(success: bool) -> Self {
        if success { ForeignState::Applied } else { ForeignState::Failed }
    }
}

/// The up file of a migration, as the rules of other tools see it.
#[derive(Debug, Clone, Copy)]
pub struct MigrationFile<'a> {
    /// Its path, with `/` as separator.
    pub path: &'a str,
}

impl<'a> MigrationFile<'a> {
    /// The file name.
    pub fn name(&self) -> &'a str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// The folder, where a migration is a folder.
    pub fn folder(&self) -> Option<&'a str> {
        Some(layouts::title(self.path)).filter(|title| *title != self.name())
    }

    /// The file name without `.sql`; `None` for another ending.
    pub fn stem(&self) -> Option<&'a str> {
        self.name().strip_suffix(".sql")
    }

    /// The file name without `.sql` and without the direction before it.
    pub fn base(&self) -> Option<&'a str> {
        self.stem().map(|stem| stem.strip_suffix(".up").unwrap_or(stem))
    }

    /// The digits at the start of the file name, and what follows them; `None` without digits, or if the file is not SQL.
    pub fn digits(&self) -> Option<(&'a str, &'a str)> {
        let base = self.base()?;
        let end = base.bytes().take_while(u8::is_ascii_digit).count();
        (end > 0).then(|| base.split_at(end))
    }
}
