//! Which migrations of a set another tool has applied.
//!
//! For each file, the key is computed that the tool would have stored, never the reverse. A file may have been renamed or split
//! for this tool since, so its version and its names are tried as well.

use super::{ForeignHistory, HistoryPlace};
use crate::catalog_table::TableReach;
use crate::migration::Migration;
use crate::migration_set::MigrationSet;
use crate::origin::{Extent, ForeignKey, ForeignRecord, ForeignState, MigrationFile, Origin};
use crate::version::Version;
use std::collections::{HashMap, HashSet};

/// How much of a set another tool has applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignMatches {
    /// The number of applied migrations in the other history.
    pub applied: usize,
    /// The number of its migrations that were started and are not complete.
    pub failed: usize,
    /// Where one number stands for everything: that version.
    pub up_to: Option<Version>,
    /// The migrations of the set that are in the other history.
    pub same: usize,
    /// Those of them whose checksums are equal.
    pub proved: usize,
    /// The migrations of the set whose version has another name there.
    pub different: usize,
}

impl ForeignMatches {
    /// Counts the migrations that are recorded under another version, if they are at least half of the set or of the other
    /// history: two services may have a few equal files. A name alone is often that of another file, so one is not enough.
    fn add_renumbered(&mut self, matched: &[(Option<MatchStrength>, MatchStrength)], set: &MigrationSet) {
        let count = |strength| matched.iter().filter(|(_, best)| *best == strength).count();
        let (proved, named) = (count(MatchStrength::Proved), count(MatchStrength::Same));
        let total = set.iter().filter(|migration| !migration.up.statements.is_empty()).count();
        let is_enough = 2 * matched.len() >= total.min(self.applied + self.failed);
        if !is_enough || (proved == 0 && named < 2) {
            return;
        }
        self.same += matched.len();
        self.proved += proved;
        self.different -= matched.iter().filter(|(known, _)| *known == Some(MatchStrength::Different)).count();
    }

    /// Whether the other history is that of these files. A version alone may be that of another service.
    pub fn is_same_folder(&self) -> bool {
        self.proved > 0 || self.same > self.different
    }
}

/// How a migration and a record compare; the strongest comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum MatchStrength {
    Different,
    Same,
    Proved,
}

/// Compares a set with the records of another tool.
pub fn match_foreign(
    set: &MigrationSet,
    place: &HistoryPlace,
    history: &ForeignHistory,
    records: &[ForeignRecord],
) -> ForeignMatches {
    let index = RecordIndex::new(records);
    let count = |state| records.iter().filter(|record| record.state == state).count();
    let is_of_service = |record: &&ForeignRecord| record.service.as_deref().is_none_or(|service| service == set.service());
    let up_to = records.iter().filter(is_of_service).filter_map(|record| match &record.extent {
        Extent::UpTo(version) if record.state != ForeignState::Reverted => Some(version),
        _ => None,
    });
    let up_to = up_to.max().filter(|version| {
        // In a schema that these migrations do not use, the number alone may be that of any other folder.
        history.place.schema == place.schema
            || history.reach == TableReach::Unqualified
            || set.get(version).is_some()
            || names_schema(set, &history.place.schema)
    });
    let mut matches = ForeignMatches {
        applied: count(ForeignState::Applied),
        failed: count(ForeignState::Failed),
        ..ForeignMatches::default()
    };
    if index.by_key.is_empty() {
        let version = records.iter().find_map(|record| match &record.extent {
            Extent::UpTo(version) => Some(version),
            Extent::One(_) => None,
        });
        matches.up_to = up_to.or(version).cloned();
    }
    let mut without_record = Vec::new();
    for migration in set.iter().filter(|migration| !migration.up.statements.is_empty()) {
        let is_covered = up_to.is_some_and(|version| migration.version <= *version);
        let best = index.find(history.origin, migration).max(is_covered.then_some(MatchStrength::Same));
        matches.same += usize::from(best >= Some(MatchStrength::Same));
        matches.proved += usize::from(best == Some(MatchStrength::Proved));
        matches.different += usize::from(best == Some(MatchStrength::Different));
        if best < Some(MatchStrength::Same) {
            without_record.push((migration, best));
        }
    }
    matches.add_renumbered(&renumbered(history.origin, &without_record, records), set);
    matches
}

/// Do the migrations name a schema, for example in `SET search_path`?
fn names_schema(set: &MigrationSet, schema: &str) -> bool {
    let is_word = |text: &str| {
        let mut words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        words.any(|word| word.eq_ignore_ascii_case(schema))
    };
    set.iter().any(|migration| is_word(&migration.up.text))
}

/// Those of the migrations that are recorded under another version: by their checksum, or where the tool stores none, by their
/// name.
fn renumbered(
    origin: &Origin,
    without_record: &[(&Migration, Option<MatchStrength>)],
    records: &[ForeignRecord],
) -> Vec<(Option<MatchStrength>, MatchStrength)> {
    let current = || records.iter().filter(|record| record.state != ForeignState::Reverted);
    let stored: HashSet<&str> = current().filter_map(|record| record.checksum.as_deref()).collect();
    let named = current().filter(|record| record.checksum.is_none()).filter_map(|record| match &record.extent {
        Extent::One(key) => Some(plain(key.name.as_ref().unwrap_or(&key.key))),
        Extent::UpTo(_) => None,
    });
    let names: HashSet<String> = named.filter(|name| !name.is_empty()).collect();
    let find = |migration: &Migration| {
        let has_checksum = |checksum: fn(&str) -> String| {
            let text = &*migration.up.text;
            let mut checksums = std::iter::once(checksum(text)).chain(spellings(text).into_iter().map(|text| checksum(&text)));
            !stored.is_empty() && checksums.any(|checksum| stored.contains(checksum.as_str()))
        };
        if origin.checksum.is_some_and(has_checksum) {
            return Some(MatchStrength::Proved);
        }
        names.contains(&plain(&migration.name)).then_some(MatchStrength::Same)
    };
    without_record.iter().filter_map(|(migration, known)| Some((*known, find(migration)?))).collect()
}

/// The records of single migrations that were not reverted, by key.
struct RecordIndex<'a> {
    by_key: HashMap<&'a str, Vec<(Option<&'a str>, &'a ForeignRecord)>>,
}

impl<'a> RecordIndex<'a> {
    fn new(records: &'a [ForeignRecord]) -> Self {
        let mut by_key: HashMap<&str, Vec<(Option<&str>, &ForeignRecord)>> = HashMap::new();
        for record in records.iter().filter(|record| record.state != ForeignState::Reverted) {
            if let Extent::One(key) = &record.extent {
                by_key.entry(&key.key).or_default().push((key.name.as_deref(), record));
            }
        }
        RecordIndex { by_key }
    }

    /// The best match of a migration.
    fn find(&self, origin: &Origin, migration: &Migration) -> Option<MatchStrength> {
        let keys = keys(origin, migration);
        let candidates = keys.iter().flat_map(|key| {
            let records = self.by_key.get(key.key.as_str()).into_iter().flatten();
            records.map(move |(name, record)| (key.name.as_deref(), *name, *record))
        });
        candidates
            .map(|(name, other_name, record)| match (name, other_name) {
                _ if has_checksum(origin, migration, record) => MatchStrength::Proved,
                (Some(name), Some(other)) if plain(name) != plain(other) => MatchStrength::Different,
                _ => MatchStrength::Same,
            })
            .max()
    }
}

/// The keys under which a migration may be recorded: by the rule of the tool, by its version, and by its names.
fn keys(origin: &Origin, migration: &Migration) -> Vec<ForeignKey> {
    let file = MigrationFile { path: &migration.up.file };
    let version = migration.version.canonical();
    let number = version.split("__").next().unwrap_or(&version);
    let by_version = [number, migration.version.as_str()].map(|version| ForeignKey::new(version).named(&*migration.name));
    let names = [Some(file.name()), file.stem(), file.base(), file.folder()];
    (origin.key)(&file).into_iter().chain(by_version).chain(names.into_iter().flatten().map(ForeignKey::new)).collect()
}

/// A name without what tools add to it: case, separators, ending and number.
fn plain(name: &str) -> String {
    let name = name.to_lowercase();
    let name = name.strip_suffix(".sql").unwrap_or(&name);
    let name = name.strip_suffix(".up").or_else(|| name.strip_suffix("_up")).unwrap_or(name);
    let name = name.trim_start_matches(|letter: char| letter.is_ascii_digit());
    name.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether a record has the checksum of a migration, with any line ends, final line end and byte order mark.
fn has_checksum(origin: &Origin, migration: &Migration, record: &ForeignRecord) -> bool {
    let (Some(checksum), Some(stored)) = (origin.checksum, &record.checksum) else { return false };
    let text = &*migration.up.text;
    checksum(text) == *stored || spellings(text).iter().any(|text| checksum(text) == *stored)
}

/// A text with the line ends, the end and the start that a checkout or an editor may have changed.
fn spellings(text: &str) -> Vec<String> {
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let trimmed = lines.strip_suffix('\n').unwrap_or(&lines);
    let mut spellings = Vec::new();
    for end in ["", "\n"] {
        for line_end in ["\n", "\r\n"] {
            for start in ["", "\u{feff}"] {
                spellings.push(format!("{start}{}", format!("{trimmed}{end}").replace('\n', line_end)));
            }
        }
    }
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_what_tools_add() {
        for name in ["create users", "create_users", "001_create_users.up.sql", "Create-Users_up", "001_create_users"] {
            assert_eq!(plain(name), "create users", "{name}");
        }
        assert_ne!(plain("create_user"), plain("create_users"));
    }

    #[test]
    fn spellings_of_a_text() {
        let all = spellings("a\r\nb\n");
        for expected in ["a\nb", "a\nb\n", "a\r\nb\r\n", "\u{feff}a\nb\n"] {
            assert!(all.iter().any(|text| text == expected), "{expected:?}");
        }
    }
}
