//! The set of all migrations of one service: sorted, without duplicate versions.
//!
//! A `MigrationSet` contains no information about a database. `plan` compares it with a history.

use crate::checksum::Checksum;
use crate::contents::Contents;
use crate::dialect::Dialect;
use crate::key::MigrationKey;
use crate::migration::Migration;
use crate::packed;
use crate::version::Version;
use std::sync::OnceLock;

/// All migrations of one service, and the settings in `migrate.toml` that affect how they run.
///
/// `embed_migrations!` creates a set at compile time. Such a set is a constant: no code runs at start-up, and the migrations
/// are decoded and allocated on first use.
#[derive(Debug)]
pub struct MigrationSet {
    form: SetData,
    length: usize,
    digest: Checksum,
}

#[derive(Debug)]
enum SetData {
    Embedded { text: &'static str, index: &'static [u8], contents: OnceLock<Contents> },
    Loaded(Contents),
}

impl MigrationSet {
    /// Creates a set; sorts the migrations by version.
    pub fn new(mut contents: Contents) -> Self {
        contents.migrations.sort_by(|left, right| left.version.cmp(&right.version));
        contents.migrations.dedup_by(|left, right| left.version == right.version);
        let checksums =
            contents.migrations.iter().map(|migration| (MigrationKey::from(&migration.version), &migration.up.checksum));
        MigrationSet { length: contents.migrations.len(), digest: digest(checksums), form: SetData::Loaded(contents) }
    }

    /// The set from the output of [`pack`](Self::pack), for `embed_migrations!`.
    #[doc(hidden)]
    pub const fn embedded(text: &'static str, index: &'static [u8], length: usize, digest: [u8; 32]) -> Self {
        MigrationSet {
            form: SetData::Embedded { text, index, contents: OnceLock::new() },
            length,
            digest: Checksum::from_bytes(digest),
        }
    }

    /// The text and the index from which [`embedded`](Self::embedded) creates this set.
    #[doc(hidden)]
    pub fn pack(&self) -> (String, Vec<u8>) {
        packed::pack(self.contents())
    }

    /// The contents of the set; decoded on first use.
    pub fn contents(&self) -> &Contents {
        match &self.form {
            SetData::Loaded(contents) => contents,
            SetData::Embedded { text, index, contents } => contents.get_or_init(|| packed::unpack(text, index)),
        }
    }

    /// The number of migrations.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Does the set contain no migration?
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The digest of all migrations in version order. It equals the digest in the database if exactly these are applied.
    pub const fn digest(&self) -> Checksum {
        self.digest
    }

    /// The number of migrations, and the sum of the leading digits of their checksums: what a database can compute over records.
    pub fn tally(&self) -> (usize, u64) {
        (self.length, self.iter().map(|migration| u64::from(migration.up.checksum.leading())).sum())
    }

    /// The migrations in version order.
    pub fn iter(&self) -> std::slice::Iter<'_, Migration> {
        self.contents().migrations.iter()
    }

    /// The migration with the highest version.
    pub fn latest(&self) -> Option<&Migration> {
        self.contents().migrations.last()
    }

    /// The migration of a version.
    pub fn get(&self, version: &Version) -> Option<&Migration> {
        let migrations = &self.contents().migrations;
        let at = migrations.binary_search_by(|migration| migration.version.cmp(version)).ok()?;
        Some(&migrations[at])
    }

    /// The name under which the history is stored.
    pub fn service(&self) -> &str {
        &self.contents().service
    }

    /// The SQL dialect of the migrations.
    pub fn dialect(&self) -> Dialect {
        self.contents().dialect
    }
}

impl<'a> IntoIterator for &'a MigrationSet {
    type Item = &'a Migration;
    type IntoIter = std::slice::Iter<'a, Migration>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The digest of a list of migrations: a hash chain, so that adding one at the end takes one step.
pub fn digest<'a>(applied: impl IntoIterator<Item = (MigrationKey, &'a Checksum)>) -> Checksum {
    applied.into_iter().fold(EMPTY_DIGEST, |before, (key, checksum)| extend_digest(&before, &key, checksum))
}

/// The digest of an empty list.
pub const EMPTY_DIGEST: Checksum = Checksum::from_bytes([0; 32]);

/// The digest of a list after a higher version is added at its end.
pub fn extend_digest(before: &Checksum, key: &MigrationKey, checksum: &Checksum) -> Checksum {
    Checksum::of_pieces([before.to_string().as_str(), &key.canonical(), &checksum.to_string()])
}
