//! A migration set as one text and one index: the form that the macro embeds into a binary.
//!
//! One string literal and one byte string compile quickly, whatever the number of migrations. The same version of this
//! crate writes and reads the index, so the index has no format version.

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
use std::borrow::Cow;
use std::time::Duration;

/// Encodes a set as a text and an index.
pub fn pack(settings: &SetSettings, migrations: &[Migration]) -> (String, Vec<u8>) {
    let mut writer = Writer { text: String::new(), index: Vec::new() };
    writer.settings(settings);
    writer.list(migrations, Writer::migration);
    (writer.text, writer.index)
}

/// The output of `pack`.
#[derive(Debug)]
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
        reader.list(Reader::migration)
    }
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

    fn migration(&mut self, migration: &Migration) {
        self.string(migration.version.as_str());
        self.string(&migration.name);
        self.script(&migration.up);
        self.option(migration.down.as_ref(), Writer::script);
    }

    fn script(&mut self, script: &Script) {
        self.string(&script.file);
        self.string(&script.text);
        self.index.extend_from_slice(script.checksum.as_bytes());
        self.index.extend_from_slice(script.sql_checksum.as_bytes());
        self.directives(&script.directives);
        let mut before = (0, 0);
        self.list(&script.statements, |writer, statement| {
            writer.number(statement.range.start - before.0);
            writer.number(statement.range.len());
            writer.number(statement.line - before.1);
            before = (statement.range.start, statement.line);
            writer.option(statement.copy_data.as_ref(), |writer, data| {
                writer.number(data.start);
                writer.number(data.len());
            });
        });
        self.list(&script.units, |writer, unit| {
            writer.number(usize::from(unit.in_transaction));
            writer.option(unit.begin_statement.as_ref(), |writer, statement| writer.number(*statement));
            writer.number(unit.statements.start);
            writer.number(unit.statements.len());
            writer.number(unit.done_after);
        });
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

    fn migration(&mut self) -> Migration {
        Migration {
            version: self.version(),
            name: Cow::Borrowed(self.string()),
            up: self.script(),
            down: self.option(Reader::script),
        }
    }

    fn version(&mut self) -> crate::version::Version {
        self.string().parse().expect("`pack` wrote a version")
    }

    fn script(&mut self) -> Script {
        let mut before = (0, 0);
        Script {
            file: Cow::Borrowed(self.string()),
            text: Cow::Borrowed(self.string()),
            checksum: self.checksum(),
            sql_checksum: self.checksum(),
            directives: self.directives(),
            statements: self.list(|reader| {
                let start = before.0 + reader.number();
                let length = reader.number();
                let line = before.1 + reader.number();
                before = (start, line);
                Statement {
                    range: start..start + length,
                    line,
                    copy_data: reader.option(|reader| {
                        let start = reader.number();
                        start..start + reader.number()
                    }),
                }
            }),
            units: self.list(|reader| {
                let in_transaction = reader.number() == 1;
                let begin_statement = reader.option(Reader::number);
                let start = reader.number();
                Unit { in_transaction, begin_statement, statements: start..start + reader.number(), done_after: reader.number() }
            }),
        }
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
        let migration = |(at, text): (usize, &String)| Migration {
            version: format!("{at:03}").parse().unwrap(),
            name: Cow::Owned(format!("name_{at}")),
            up: script(text),
            down: (at % 2 == 0).then(|| script(text)),
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
