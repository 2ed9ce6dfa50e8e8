//! The set of all migrations of one service: sorted, no version twice.
//!
//! A `MigrationSet` says nothing about any database. To learn what is missing there, see `plan`.

use crate::checksum::Checksum;
use crate::contents::Contents;
use crate::dialect::Dialect;
use crate::migration::Migration;
use crate::packed;
use crate::version::Version;
use std::sync::OnceLock;

/// All migrations of one service, and what `migrate.toml` says about how they run.
///
/// `embed_migrations!` makes one at compile time; then it is a constant: no code runs at start-up, and nothing is decoded
/// or allocated before the migrations themselves are looked at.
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
    /// Makes a set; sorts it by version.
    pub fn new(mut contents: Contents) -> Self {
        contents.migrations.sort_by(|one, other| one.version.cmp(&other.version));
        contents.migrations.dedup_by(|one, other| one.version == other.version);
        let applied = contents.migrations.iter().map(|one| (&one.version, &one.up.checksum));
        MigrationSet { length: contents.migrations.len(), digest: digest(applied), form: SetData::Loaded(contents) }
    }

    /// The set that `embed_migrations!` has packed.
    #[doc(hidden)]
    pub const fn embedded(text: &'static str, index: &'static [u8], length: usize, digest: [u8; 32]) -> Self {
        MigrationSet {
            form: SetData::Embedded { text, index, contents: OnceLock::new() },
            length,
            digest: Checksum::from_bytes(digest),
        }
    }

    /// The text and the index from which [`embedded`](Self::embedded) makes this set again.
    #[doc(hidden)]
    pub fn pack(&self) -> (String, Vec<u8>) {
        packed::pack(self.contents())
    }

    /// What it holds; decoded when first asked for.
    pub fn contents(&self) -> &Contents {
        match &self.form {
            SetData::Loaded(contents) => contents,
            SetData::Embedded { text, index, contents } => contents.get_or_init(|| packed::unpack(text, index)),
        }
    }

    /// How many migrations there are.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Is there none?
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Over all versions and checksums, in order: equals the digest in the database when exactly these are applied.
    pub const fn digest(&self) -> Checksum {
        self.digest
    }

    /// The migrations in version order.
    pub fn iter(&self) -> std::slice::Iter<'_, Migration> {
        self.contents().migrations.iter()
    }

    /// The newest migration.
    pub fn latest(&self) -> Option<&Migration> {
        self.contents().migrations.last()
    }

    /// The migration of a version.
    pub fn get(&self, version: &Version) -> Option<&Migration> {
        let migrations = &self.contents().migrations;
        let found = migrations.binary_search_by(|one| one.version.cmp(version));
        found.ok().map(|at| &migrations[at])
    }

    /// Under which name the history of these migrations is kept.
    pub fn service(&self) -> &str {
        &self.contents().service
    }

    /// The SQL they are written in.
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

/// The digest of an applied list: a chain, so that one more at the end costs one step.
pub fn digest<'a>(applied: impl IntoIterator<Item = (&'a Version, &'a Checksum)>) -> Checksum {
    applied.into_iter().fold(EMPTY_DIGEST, |before, (version, checksum)| extend_digest(&before, version, checksum))
}

/// The digest of an empty list.
pub const EMPTY_DIGEST: Checksum = Checksum::from_bytes([0; 32]);

/// The digest of a list with one more, higher version at its end.
pub fn extend_digest(before: &Checksum, version: &Version, checksum: &Checksum) -> Checksum {
    Checksum::of_pieces([before.to_string().as_str(), &version.canonical(), &checksum.to_string()])
}
