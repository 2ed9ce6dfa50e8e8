//! The reason for the algorithm of an `ALTER TABLE` in MySQL and MariaDB: what the clause changes.

/// What a clause changes, as far as the algorithm depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlterReason {
    /// Only the table definition changes, not the rows or indexes.
    DefinitionOnly,
    /// The statement specifies `ALGORITHM=COPY`.
    CopyRequested,
    /// `ALTER IGNORE` deletes the rows one by one.
    DuplicatesDeleted,
    /// The table uses another storage engine, which supports only copies.
    NotInnoDb,

    IndexBuilt,
    UniqueIndexBuilt,
    /// A `FULLTEXT` or `SPATIAL` index.
    SpecialIndexBuilt,
    IndexDropped,
    PrimaryKeyAdded,
    PrimaryKeyReplaced,
    PrimaryKeyDropped,
    CheckAdded,
    /// The server checks existing rows.
    ForeignKeyAdded,
    /// `foreign_key_checks` is off.
    ForeignKeyAddedUnchecked,

    ColumnAdded,
    AutoIncrementColumnAdded,
    StoredColumnAdded,
    ForeignKeyColumnAdded,
    CheckColumnAdded,
    /// The server evaluates the default value for each row.
    ComputedDefaultAdded,
    KeyColumnAdded,
    /// `FIRST` or `AFTER`.
    PlacedColumnAdded,
    /// `FIRST` or `AFTER` in a table with a virtual column.
    PlacedColumnAddedBesideVirtual,
    ColumnAddedToIndexedVirtual,
    VirtualColumnAddedWithIndex,

    ColumnDropped,
    /// The server cannot drop a column with INSTANT.
    ColumnDroppedByRebuild,
    ColumnDroppedWithIndexes,
    ColumnDroppedFromIndexedVirtual,
    /// A column is added, moved or dropped.
    ColumnsChangedUnderFulltext,
    /// A column is added or dropped.
    ColumnsChangedInCompressed,
    /// Another clause of the statement does not support INSTANT.
    InstantPrevented,

    NullabilityChanged,
    ColumnMoved,
    ColumnLengthened,
    AutoIncrementAdded,
    TypeChanged,
    /// No migration defines the column.
    CurrentTypeUnknown,
    TypeUnknown,
    VirtualColumnRedefined,
    GeneratedColumnRedefined,
    IndexedCollationChanged,
    PrimaryKeyCollationChanged,

    TableRebuilt,
    TableWithIndexedVirtualRebuilt,
    /// The table has an index that only a rebuild under a shared lock can rebuild.
    TableWithSpecialIndexRebuilt,
    TableConverted,
    RowsReordered,
    EngineChanged,
    RowsRedistributed,
    PartitionChanged,
    SystemVersioningAdded,
    SystemVersioningDropped,
    NotNullBesideStored,
}

impl AlterReason {
    /// The change as a clause, for messages.
    pub const fn text(self) -> &'static str {
        match self {
            AlterReason::DefinitionOnly => "only the table definition changes",
            AlterReason::CopyRequested => "the statement specifies `ALGORITHM=COPY`",
            AlterReason::DuplicatesDeleted => "`IGNORE` deletes rows with duplicate keys",
            AlterReason::NotInnoDb => "a table that does not use InnoDB is altered",
            AlterReason::IndexBuilt => "an index is built",
            AlterReason::UniqueIndexBuilt => "a unique index is built",
            AlterReason::SpecialIndexBuilt => "a FULLTEXT or SPATIAL index is built",
            AlterReason::IndexDropped => "an index is dropped",
            AlterReason::PrimaryKeyAdded => "a primary key is added, and the table is rebuilt in the order of the key",
            AlterReason::PrimaryKeyReplaced => "the primary key is replaced",
            AlterReason::PrimaryKeyDropped => "the primary key is dropped",
            AlterReason::CheckAdded => "a CHECK is added, and the table is copied to check the existing rows",
            AlterReason::ForeignKeyAdded => "a foreign key is added, and the table is copied to check the existing rows",
            AlterReason::ForeignKeyAddedUnchecked => "a foreign key is added without checking existing rows",
            AlterReason::ColumnAdded => "a column is added",
            AlterReason::AutoIncrementColumnAdded => "an AUTO_INCREMENT column is added",
            AlterReason::StoredColumnAdded => "a stored generated column is added and computed for every row",
            AlterReason::ForeignKeyColumnAdded => "a column with a foreign key is added",
            AlterReason::CheckColumnAdded => "a column with a CHECK is added",
            AlterReason::ComputedDefaultAdded => "a column with a computed default is added",
            AlterReason::KeyColumnAdded => "a column is added with an index",
            AlterReason::PlacedColumnAdded => "a column is added with FIRST or AFTER",
            AlterReason::PlacedColumnAddedBesideVirtual => {
                "a column is added with FIRST or AFTER to a table with a virtual column"
            }
            AlterReason::ColumnAddedToIndexedVirtual => "a column is added to a table with an indexed virtual column",
            AlterReason::VirtualColumnAddedWithIndex => "a virtual column and an index on it are added together",
            AlterReason::ColumnDropped => "a column is dropped",
            AlterReason::ColumnDroppedByRebuild => "a column is dropped, and the table is rebuilt",
            AlterReason::ColumnDroppedWithIndexes => "a column is dropped with its indexes",
            AlterReason::ColumnDroppedFromIndexedVirtual => "a column is dropped from a table with an indexed virtual column",
            AlterReason::ColumnsChangedUnderFulltext => "a column of a table with a FULLTEXT index is added, moved or dropped",
            AlterReason::ColumnsChangedInCompressed => "a column is added to or dropped from a compressed table",
            AlterReason::InstantPrevented => "another clause prevents INSTANT, and the table is rebuilt",
            AlterReason::NullabilityChanged => "a column becomes nullable or NOT NULL",
            AlterReason::ColumnMoved => "a column is moved to another position",
            AlterReason::ColumnLengthened => "a column becomes longer, and becomes nullable or NOT NULL",
            AlterReason::AutoIncrementAdded => "AUTO_INCREMENT is added to a column",
            AlterReason::TypeChanged => "the type of a column changes",
            AlterReason::CurrentTypeUnknown => "the definition of a column changes, and its current type is unknown",
            AlterReason::TypeUnknown => "the definition of a column changes, and its type is unknown",
            AlterReason::VirtualColumnRedefined => "the definition of a virtual column changes",
            AlterReason::GeneratedColumnRedefined => "the type or expression of a generated column changes",
            AlterReason::IndexedCollationChanged => "the collation of a column changes, and its indexes are rebuilt",
            AlterReason::PrimaryKeyCollationChanged => "the collation of the primary key changes",
            AlterReason::TableRebuilt => "the table is rebuilt",
            AlterReason::TableWithIndexedVirtualRebuilt => "a table with an indexed virtual column is rebuilt",
            AlterReason::TableWithSpecialIndexRebuilt => "a table with a FULLTEXT, SPATIAL or virtual column index is rebuilt",
            AlterReason::TableConverted => "the character set of the whole table is converted",
            AlterReason::RowsReordered => "the rows are reordered",
            AlterReason::EngineChanged => "the storage engine changes",
            AlterReason::RowsRedistributed => "the rows are redistributed among partitions",
            AlterReason::PartitionChanged => "a partition is added or removed",
            AlterReason::SystemVersioningAdded => "system versioning is added",
            AlterReason::SystemVersioningDropped => "system versioning is dropped",
            AlterReason::NotNullBesideStored => "a column becomes NOT NULL in a table with a stored generated column",
        }
    }

    /// Whether the change takes no time with any algorithm.
    pub const fn is_quick(self) -> bool {
        matches!(self, AlterReason::DefinitionOnly | AlterReason::IndexDropped | AlterReason::PartitionChanged)
    }

    /// Whether the change rebuilds the table when it is made in place.
    pub const fn rebuilds_table(self) -> bool {
        matches!(
            self,
            AlterReason::TableRebuilt
                | AlterReason::PrimaryKeyAdded
                | AlterReason::NullabilityChanged
                | AlterReason::KeyColumnAdded
                | AlterReason::ColumnLengthened
                | AlterReason::ColumnMoved
        )
    }
}
