//! The set of all migrations of one service: sorted, without duplicate versions.
//!
//! A `MigrationSet` contains no information about a database. `plan` compares it with a history.

use crate::checksum::Checksum;
use crate::dialect::Dialect;
use crate::finding::Finding;
use crate::invalid_migrations::InvalidMigrations;
use crate::key::MigrationKey;
use crate::migration::Migration;
use crate::packed::{self, Packed};
use crate::script::Script;
use crate::set_builder::MigrationSetBuilder;
use crate::set_settings::SetSettings;
use crate::version::Version;
use std::sync::{Arc, OnceLock};

/// All migrations of one service, and the settings in `migrate.toml` that affect how they run.
///
/// `embed_migrations!` creates a set at compile time. Such a set is a constant: no code runs at start-up, and the migrations
/// are decoded and allocated on first use.
#[derive(Debug)]
pub struct MigrationSet {
    form: SetData,
    summary: SetSummary,
    /// Problems of a set that was read at run time.
    findings: Vec<Finding>,
}

/// What can be compared with a database without the migrations themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetSummary {
    /// The number of migrations.
    pub count: usize,
    /// The digest of all migrations in version order.
    pub digest: Checksum,
    /// The sum of the leading digits of their checksums: what a database can compute over records.
    pub checksums: u64,
}

impl SetSummary {
    /// The summary of these versions and checksums of up files, in version order.
    pub fn of<'a>(files: impl Iterator<Item = (&'a Version, &'a Checksum)> + Clone) -> Self {
        SetSummary {
            count: files.clone().count(),
            digest: digest(files.clone().map(|(version, checksum)| (MigrationKey::from(version), checksum))),
            checksums: files.map(|(_, checksum)| u64::from(checksum.leading())).sum(),
        }
    }
}

#[derive(Debug)]
enum SetData {
    Embedded { packed: Packed, settings: OnceLock<SetSettings>, migrations: OnceLock<Arc<Vec<Migration>>> },
    Loaded { settings: SetSettings, migrations: Arc<Vec<Migration>> },
}

impl MigrationSet {
    /// Creates a set; sorts the migrations by version.
    pub fn new(settings: SetSettings, mut migrations: Vec<Migration>) -> Self {
        migrations.sort_by(|left, right| left.version.cmp(&right.version));
        migrations.dedup_by(|left, right| left.version == right.version);
        let files = migrations.iter().map(|migration| (&migration.version, &migration.up.checksum));
        let summary = SetSummary::of(files);
        let form = SetData::Loaded { settings, migrations: Arc::new(migrations) };
        MigrationSet { summary, form, findings: Vec::new() }
    }

    /// Builds a set in code, without files.
    pub fn builder(service: impl Into<String>, dialect: Dialect) -> MigrationSetBuilder {
        MigrationSetBuilder::new(service, dialect)
    }

    /// The same set with the warnings about its texts.
    pub(crate) fn with_warnings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }

    /// The same migrations with other settings: for example in the history of another schema, for a tenant. With other `session`
    /// statements, the texts are read again, because these statements may decide where a string ends.
    ///
    /// # Errors
    /// If a text is invalid in such a session.
    pub fn with_settings(&self, settings: SetSettings) -> Result<MigrationSet, InvalidMigrations> {
        let before = self.settings();
        let is_same_reading = settings.dialect == before.dialect && settings.run.session == before.run.session;
        if is_same_reading {
            let form = match &self.form {
                SetData::Loaded { migrations, .. } => SetData::Loaded { settings, migrations: Arc::clone(migrations) },
                // What was not decoded need not be.
                SetData::Embedded { packed, migrations, .. } => {
                    SetData::Embedded { packed: *packed, settings: settings.into(), migrations: migrations.clone() }
                }
            };
            return Ok(MigrationSet { form, summary: self.summary, findings: self.findings.clone() });
        }
        let (reading, mut findings) = (settings.reading(), Vec::new());
        let mut read = |script: &Script| {
            let (script, problems) = Script::read(script.text.clone().into_owned(), &script.file, reading);
            findings.extend(problems);
            script
        };
        let read = |migration: &Migration| {
            let (up, down) = (read(&migration.up), migration.down.as_ref().map(&mut read));
            Migration { up, down, ..migration.clone() }
        };
        let migrations = self.migrations().iter().map(read).collect();
        let findings = InvalidMigrations::check(findings)?;
        Ok(MigrationSet::new(settings, migrations).with_warnings(findings))
    }

    /// Problems that do not prevent a run: of a set that was read at run time, because the compiler reports those of an embedded
    /// one.
    pub fn warnings(&self) -> &[Finding] {
        &self.findings
    }

    /// The set from the output of [`pack`](Self::pack) and the [`summary`](Self::summary), for `embed_migrations!`.
    #[doc(hidden)]
    pub const fn embedded(text: &'static str, index: &'static [u8], count: usize, digest: [u8; 32], checksums: u64) -> Self {
        MigrationSet {
            form: SetData::Embedded { packed: Packed::new(text, index), settings: OnceLock::new(), migrations: OnceLock::new() },
            summary: SetSummary { count, digest: Checksum::from_bytes(digest), checksums },
            findings: Vec::new(),
        }
    }

    /// The text and the index from which [`embedded`](Self::embedded) creates this set.
    #[doc(hidden)]
    pub fn pack(&self) -> (String, Vec<u8>) {
        packed::pack(self.settings(), self.migrations())
    }

    /// The settings; decoded on first use.
    pub fn settings(&self) -> &SetSettings {
        match &self.form {
            SetData::Loaded { settings, .. } => settings,
            SetData::Embedded { packed, settings, .. } => settings.get_or_init(|| packed.settings()),
        }
    }

    /// The migrations in version order; decoded on first use.
    pub fn migrations(&self) -> &[Migration] {
        self.shared_migrations()
    }

    fn shared_migrations(&self) -> &Arc<Vec<Migration>> {
        match &self.form {
            SetData::Loaded { migrations, .. } => migrations,
            SetData::Embedded { packed, migrations, .. } => migrations.get_or_init(|| Arc::new(packed.migrations())),
        }
    }

    /// The number of migrations.
    pub const fn len(&self) -> usize {
        self.summary.count
    }

    /// Does the set contain no migration?
    pub const fn is_empty(&self) -> bool {
        self.summary.count == 0
    }

    /// The digest of all migrations in version order. It equals the digest in the database if exactly these are applied.
    pub const fn digest(&self) -> Checksum {
        self.summary.digest
    }

    /// What a database can compute over its records; known without decoding the migrations.
    pub const fn summary(&self) -> SetSummary {
        self.summary
    }

    /// The migrations in version order.
    pub fn iter(&self) -> std::slice::Iter<'_, Migration> {
        self.migrations().iter()
    }

    /// The migration with the highest version.
    pub fn latest(&self) -> Option<&Migration> {
        self.migrations().last()
    }

    /// The migration of a version.
    pub fn get(&self, version: &Version) -> Option<&Migration> {
        let migrations = self.migrations();
        let at = migrations.binary_search_by(|migration| migration.version.cmp(version)).ok()?;
        Some(&migrations[at])
    }

    /// The name under which the history is stored.
    pub fn service(&self) -> &str {
        &self.settings().service
    }

    /// The other services whose migrations these require, each as often as it is required.
    pub fn required_services(&self) -> impl Iterator<Item = &str> {
        let requirements = self.iter().flat_map(|migration| &migration.up.directives.requires);
        let services = requirements.filter_map(|requirement| requirement.service.as_deref());
        services.filter(|service| *service != self.service())
    }

    /// The SQL dialect of the migrations.
    pub fn dialect(&self) -> Dialect {
        self.settings().dialect
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
