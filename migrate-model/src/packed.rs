//! A migration set as one text and one index: the form that the macro embeds into a binary.
//!
//! One string literal and one byte string compile quickly, whatever the number of migrations. The same version of this
//! crate writes and reads the index, so the index has no format version.
//!
//! What the texts show is not written: checksums of files, lines, the usual directives and units, names of files that consist of
//! the version and the name. A pair of files with the next number takes about 60 bytes beyond its SQL, of which 32 are the checksum
//! of the SQL.

use crate::checksum::Checksum;
use crate::directives::{Directives, Phase, Requirement};
use crate::execution::Unit;
use crate::lock_settings::LockSettings;
use crate::migration::Migration;
use crate::policy::Policy;
use crate::run_settings::{HistoryTables, RunSettings};
use crate::script::Script;
use crate::set_settings::SetSettings;
use crate::statement::Statement;
use crate::version::Version;
use std::borrow::Cow;
use std::time::Duration;

/// Encodes a set as a text and an index.
pub fn pack(settings: &SetSettings, migrations: &[Migration]) -> (String, Vec<u8>) {
    let mut writer = Writer { text: String::new(), index: Vec::new() };
    writer.settings(settings);
    let patterns = FilePattern::all(migrations);
    writer.list(&patterns, |writer, pattern| {
        [&pattern.start, &pattern.middle, &pattern.end].into_iter().for_each(|part| writer.string(part));
    });
    writer.number(migrations.len());
    let mut before = None;
    for migration in migrations {
        writer.migration(migration, before, &patterns);
        before = Some(&migration.version);
    }
    (writer.text, writer.index)
}

/// The output of `pack`.
#[derive(Debug, Clone, Copy)]
pub struct Packed {
    text: &'static str,
    index: &'static [u8],
}

impl Packed {
    /// A text and its index.
    pub const fn new(text: &'static str, index: &'static [u8]) -> Self {
        Packed { text, index }
    }

    fn reader(&self) -> Reader {
        Reader { text: self.text, index: self.index, at: 0 }
    }

    /// Decodes the settings only.
    pub fn settings(&self) -> SetSettings {
        self.reader().settings()
    }

    /// Decodes the migrations.
    pub fn migrations(&self) -> Vec<Migration> {
        let mut reader = self.reader();
        // They follow the settings.
        reader.settings();
        let patterns = reader.list(|reader| [reader.string(), reader.string(), reader.string()]);
        let count = reader.number();
        let mut migrations: Vec<Migration> = Vec::with_capacity(count);
        for _ in 0..count {
            let migration = reader.migration(migrations.last().map(|before| &before.version), &patterns);
            migrations.push(migration);
        }
        migrations
    }
}

/// How the names of files consist of their version and name: what precedes, separates and follows the two.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FilePattern {
    start: String,
    middle: String,
    end: String,
}

impl FilePattern {
    /// `None` for a file whose name does not contain the two.
    fn of(file: &str, version: &str, name: &str) -> Option<Self> {
        let folder = file.rfind('/').map_or(0, |slash| slash + 1);
        // The folder of a migration may contain its version.
        let at = file[folder..].find(version).map(|at| folder + at).or_else(|| file.rfind(version))?;
        let rest = file.get(at + version.len()..)?;
        let (middle, end) = if name.is_empty() { ("", rest) } else { rest.split_once(name)? };
        Some(FilePattern { start: file[..at].to_owned(), middle: middle.to_owned(), end: end.to_owned() })
    }

    /// Those of all files, at most as many as their numbers have room for.
    fn all(migrations: &[Migration]) -> Vec<Self> {
        let mut patterns = Vec::new();
        for migration in migrations {
            for script in [Some(&migration.up), migration.down.as_ref()].into_iter().flatten() {
                let pattern = FilePattern::of(&script.file, migration.version.as_str(), &migration.name);
                if let Some(pattern) = pattern.filter(|pattern| !patterns.contains(pattern) && patterns.len() < MAX_PATTERNS) {
                    patterns.push(pattern);
                }
            }
        }
        patterns
    }
}

/// How many patterns are kept, so that looking for one takes no time.
const MAX_PATTERNS: usize = 16;

/// The bits of a script: what differs from the usual.
const HAS_DIRECTIVES: usize = 1;
const HAS_UNITS: usize = 2;

/// The next version of the same length, such as `010` after `009`.
fn next_version(version: &str) -> Option<String> {
    let number: u64 = version.parse().ok().filter(|_| version.bytes().all(|byte| byte.is_ascii_digit()))?;
    let next = format!("{:0width$}", number.checked_add(1)?, width = version.len());
    (next.len() == version.len()).then_some(next)
}

/// The units of most scripts: one transaction.
fn usual_units(statements: usize) -> Vec<Unit> {
    vec![Unit { in_transaction: true, begin_statement: None, statements: 0..statements, done_after: statements }]
}

struct Writer {
    text: String,
    index: Vec<u8>,
}

impl Writer {
    /// Writes an integer of variable length: seven bits per byte, the lowest first.
    fn number(&mut self, number: usize) {
        let mut rest = number;
        while rest >= 0x80 {
            self.index.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.index.push(rest as u8);
    }

    fn string(&mut self, string: &str) {
        self.number(string.len());
        self.text.push_str(string);
    }

    fn list<T>(&mut self, list: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.number(list.len());
        for item in list {
            write(self, item);
        }
    }

    fn option<T>(&mut self, option: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.number(usize::from(option.is_some()));
        if let Some(value) = option {
            write(self, value);
        }
    }

    fn duration(&mut self, duration: Option<Duration>) {
        self.option(duration.as_ref(), |writer, duration| {
            writer.number(usize::try_from(duration.as_millis()).unwrap_or(usize::MAX));
        });
    }

    fn settings(&mut self, settings: &SetSettings) {
        self.string(&settings.service);
        self.string(settings.dialect.name());
        self.option(settings.run.history.schema.as_ref(), |writer, schema| writer.string(schema));
        self.string(&settings.run.history.records);
        self.string(&settings.run.history.versions);
        self.string(&settings.run.history.events);
        self.string(&settings.run.history.locks);
        self.list(&settings.run.ignored_histories, |writer, name| writer.string(name));
        self.string(settings.run.policy.out_of_order.name());
        self.string(settings.run.locking.strategy.name());
        self.duration(Some(settings.run.locking.lease));
        self.list(&settings.run.session, |writer, statement| writer.string(statement));
        self.duration(settings.run.lock_timeout);
        self.duration(settings.run.timeout);
    }

    fn migration(&mut self, migration: &Migration, before: Option<&Version>, patterns: &[FilePattern]) {
        let version = migration.version.as_str();
        let is_next = before.and_then(|before| next_version(before.as_str())).as_deref() == Some(version);
        self.number(usize::from(is_next) + 2 * usize::from(migration.down.is_some()));
        if !is_next {
            self.string(version);
        }
        self.string(&migration.name);
        self.script(&migration.up, migration, patterns);
        self.index.extend_from_slice(migration.up.sql_checksum.as_bytes());
        if let Some(down) = &migration.down {
            self.script(down, migration, patterns);
        }
    }

    fn script(&mut self, script: &Script, migration: &Migration, patterns: &[FilePattern]) {
        let pattern = FilePattern::of(&script.file, migration.version.as_str(), &migration.name);
        let pattern = pattern.and_then(|pattern| patterns.iter().position(|known| *known == pattern));
        let has_directives = script.directives != Directives::default();
        let has_units = script.units != usual_units(script.statements.len());
        let bits = HAS_DIRECTIVES * usize::from(has_directives) + HAS_UNITS * usize::from(has_units);
        self.number(bits + 4 * pattern.map_or(0, |pattern| pattern + 1));
        if pattern.is_none() {
            self.string(&script.file);
        }
        self.string(&script.text);
        if has_directives {
            self.directives(&script.directives);
        }
        let mut before = 0;
        self.list(&script.statements, |writer, statement| {
            writer.number(statement.range.start - before);
            writer.number(2 * statement.range.len() + usize::from(statement.copy_data.is_some()));
            before = statement.range.start;
            if let Some(data) = &statement.copy_data {
                writer.number(data.start);
                writer.number(data.len());
            }
        });
        if has_units {
            self.list(&script.units, |writer, unit| {
                writer.number(usize::from(unit.in_transaction));
                writer.option(unit.begin_statement.as_ref(), |writer, statement| writer.number(*statement));
                writer.number(unit.statements.start);
                writer.number(unit.statements.len());
                writer.number(unit.done_after);
            });
        }
    }

    fn directives(&mut self, directives: &Directives) {
        self.number(usize::from(directives.no_transaction));
        self.option(directives.phase.as_ref(), |writer, phase| writer.string(phase.name()));
        self.list(&directives.requires, |writer, requirement| {
            writer.option(requirement.service.as_ref(), |writer, service| writer.string(service));
            writer.string(requirement.version.as_str());
        });
        self.list(&directives.gates, |writer, gate| writer.string(gate));
        self.duration(directives.timeout);
        self.duration(directives.lock_timeout);
        for text in [&directives.irreversible, &directives.description, &directives.author] {
            self.option(text.as_ref(), |writer, text| writer.string(text));
        }
    }
}

struct Reader {
    text: &'static str,
    index: &'static [u8],
    at: usize,
}

impl Reader {
    fn number(&mut self) -> usize {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let byte = self.index[self.at];
            self.at += 1;
            number |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return number;
            }
        }
    }

    fn string(&mut self) -> &'static str {
        let (string, rest) = self.text.split_at(self.number());
        self.text = rest;
        string
    }

    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let length = self.number();
        (0..length).map(|_| read(self)).collect()
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.number() == 1).then(|| read(self))
    }

    fn duration(&mut self) -> Option<Duration> {
        self.option(|reader| Duration::from_millis(reader.number() as u64))
    }

    fn checksum(&mut self) -> Checksum {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&self.index[self.at..self.at + 32]);
        self.at += 32;
        Checksum::from_bytes(bytes)
    }

    fn settings(&mut self) -> SetSettings {
        SetSettings {
            service: self.string().to_owned(),
            dialect: self.string().parse().expect("`pack` wrote a dialect"),
            run: RunSettings {
                history: HistoryTables {
                    schema: self.option(|reader| reader.string().to_owned()),
                    records: self.string().to_owned(),
                    versions: self.string().to_owned(),
                    events: self.string().to_owned(),
                    locks: self.string().to_owned(),
                },
                ignored_histories: self.list(|reader| reader.string().to_owned()),
                policy: Policy { out_of_order: self.string().parse().expect("`pack` wrote a policy") },
                locking: LockSettings {
                    strategy: self.string().parse().expect("`pack` wrote a strategy"),
                    lease: self.duration().expect("`pack` wrote a duration"),
                },
                session: self.list(|reader| reader.string().to_owned()),
                lock_timeout: self.duration(),
                timeout: self.duration(),
            },
        }
    }

    fn migration(&mut self, before: Option<&Version>, patterns: &[[&str; 3]]) -> Migration {
        let bits = self.number();
        let version = match before.filter(|_| bits & 1 == 1).and_then(|before| next_version(before.as_str())) {
            Some(next) => next.parse().expect("`pack` wrote a version that another follows"),
            None => self.version(),
        };
        let name = self.string();
        let mut up = self.script(&version, name, patterns);
        up.sql_checksum = self.checksum();
        let down = (bits & 2 == 2).then(|| self.script(&version, name, patterns));
        Migration { version, name: Cow::Borrowed(name), up, down }
    }

    fn version(&mut self) -> Version {
        self.string().parse().expect("`pack` wrote a version")
    }

    fn script(&mut self, version: &Version, name: &str, patterns: &[[&str; 3]]) -> Script {
        let number = self.number();
        let file = match (number / 4).checked_sub(1).and_then(|pattern| patterns.get(pattern)) {
            Some([start, middle, end]) => Cow::Owned(format!("{start}{version}{middle}{name}{end}")),
            None => Cow::Borrowed(self.string()),
        };
        let text = self.string();
        let directives = if number & HAS_DIRECTIVES == 0 { Directives::default() } else { self.directives() };
        let (mut start, mut line) = (0, 1);
        let statements = self.list(|reader| {
            let before = start;
            start += reader.number();
            line += text[before..start].bytes().filter(|byte| *byte == b'\n').count();
            let length = reader.number();
            let copy_data = (length & 1 == 1).then(|| {
                let start = reader.number();
                start..start + reader.number()
            });
            Statement { range: start..start + length / 2, line, copy_data }
        });
        let units = if number & HAS_UNITS == 0 {
            usual_units(statements.len())
        } else {
            self.list(|reader| {
                let in_transaction = reader.number() == 1;
                let begin_statement = reader.option(Reader::number);
                let start = reader.number();
                Unit { in_transaction, begin_statement, statements: start..start + reader.number(), done_after: reader.number() }
            })
        };
        let checksum = Checksum::of_file(text.as_bytes());
        // Nothing compares the SQL of down scripts; that of an up script follows.
        Script { file, text: Cow::Borrowed(text), checksum, sql_checksum: checksum, directives, statements, units }
    }

    fn directives(&mut self) -> Directives {
        let no_transaction = self.number() == 1;
        let phase: Option<Phase> = self.option(|reader| reader.string().parse().ok()).flatten();
        Directives {
            no_transaction,
            phase,
            requires: self.list(|reader| Requirement {
                service: reader.option(|reader| reader.string().to_owned()),
                version: reader.version(),
            }),
            gates: self.list(|reader| reader.string().to_owned()),
            timeout: self.duration(),
            lock_timeout: self.duration(),
            irreversible: self.option(|reader| reader.string().to_owned()),
            description: self.option(|reader| reader.string().to_owned()),
            author: self.option(|reader| reader.string().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::lock_settings::LockStrategy;
    use crate::migration_set::MigrationSet;
    use crate::policy::OutOfOrder;
    use proptest::prelude::*;

    fn script(text: &str) -> Script {
        Script::read(text.to_owned(), "migrations/1_a.sql", Dialect::Postgres).0
    }

    fn set(texts: &[String]) -> MigrationSet {
        let migration = |(at, text): (usize, &String)| {
            let mut down = script(text);
            // As of an embedded one.
            (down.sql_checksum, down.file) = (down.checksum, Cow::Owned(format!("migrations/{at:03}_name_{at}.down.sql")));
            let mut up = script(text);
            up.file = match at {
                1 => Cow::Borrowed("elsewhere.sql"),
                2 => Cow::Owned(format!("db/{at:03}_name_{at}/up.sql")),
                _ => Cow::Owned(format!("migrations/{at:03}_name_{at}.up.sql")),
            };
            let version = if at == 3 { "2026.01".to_owned() } else { format!("{at:03}") };
            Migration {
                version: version.parse().unwrap(),
                name: Cow::Owned(format!("name_{at}")),
                up,
                down: (at % 2 == 0).then_some(down),
            }
        };
        let settings = SetSettings {
            service: "chat".into(),
            dialect: Dialect::Postgres,
            run: RunSettings {
                history: HistoryTables { schema: Some("ops".into()), ..HistoryTables::default() },
                ignored_histories: vec!["sqlx".into(), "other-schema".into()],
                policy: Policy { out_of_order: OutOfOrder::Warn },
                locking: LockSettings { strategy: LockStrategy::Lease, lease: Duration::from_secs(7) },
                session: vec!["SET x = 1".into()],
                lock_timeout: Some(Duration::from_secs(2)),
                timeout: None,
            },
        };
        MigrationSet::new(settings, texts.iter().enumerate().map(migration).collect())
    }

    #[test]
    fn a_pair_takes_few_bytes() {
        let name = "create_order_items";
        let of = |count: usize| {
            let file = |at: usize, direction: &str| format!("migrations/{at:05}_{name}.{direction}.sql");
            let script = |file: String, text: String| Script::read(text, &file, Dialect::Postgres).0;
            let migration = |at: usize| Migration {
                version: format!("{at:05}").parse().unwrap(),
                name: Cow::Borrowed(name),
                up: script(file(at, "up"), format!("CREATE TABLE t{at:05} (id bigint PRIMARY KEY, note text NOT NULL);\n")),
                down: Some(script(file(at, "down"), format!("DROP TABLE t{at:05};\n"))),
            };
            let set = MigrationSet::new(SetSettings::new("shop", Dialect::Postgres), (1..=count).map(migration).collect());
            let sql: usize =
                set.iter().map(|pair| pair.up.text.len() + pair.down.as_ref().map_or(0, |down| down.text.len())).sum();
            let (text, index) = set.pack();
            text.len() + index.len() - sql
        };
        let each = (of(2_000) - of(1_000)) as f64 / 1_000.0;
        assert!(each < 64.0, "{each} bytes");
    }

    proptest! {
        #[test]
        fn unpacks_what_was_packed(texts in proptest::collection::vec(
            "(-- migrate: timeout 3s\n|-- migrate: gate SELECT 1\n|-- migrate: requires 001, a:2\n|-- Phase: EXPAND\n){0,2}(SELECT 1;\n|BEGIN; SELECT 'ü'; COMMIT;\n|VACUUM;|COPY t FROM stdin;\n1\n\\.\n){0,4}", 0..5)
        ) {
            let set = set(&texts);
            let (text, index) = set.pack();
            // An embedded set has the lifetime of the program, so the test leaks its bytes.
            let (text, index) = (text.leak(), index.leak());
            let summary = set.summary();
            let embedded =
                MigrationSet::embedded(text, index, summary.count, *summary.digest.as_bytes(), summary.checksums);
            prop_assert_eq!(embedded.settings(), set.settings());
            prop_assert_eq!(embedded.migrations(), set.migrations());
            let again = MigrationSet::new(embedded.settings().clone(), embedded.migrations().to_vec());
            prop_assert_eq!(embedded.summary(), again.summary());
            prop_assert_eq!(embedded.len(), texts.len());
        }
    }
}
