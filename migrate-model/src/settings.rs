//! `migrate.toml`: the settings of a project.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::duration;
use crate::finding::{Finding, Level};
use crate::layout::Layout;
use crate::layouts;
use crate::lint_settings::{LintSettings, RuleSetting};
use crate::lock_settings::LockSettings;
use crate::place::Place;
use crate::policy::OutOfOrder;
use crate::suggestion::nearest;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The name of the file. It is in the folder of `Cargo.toml`, or in the migrations folder.
pub const FILE: &str = "migrate.toml";

/// The names of the history tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryTables {
    /// The schema (MySQL: database) of the tables; the default of the connection if `None`.
    pub schema: Option<String>,
    /// One row for each migration.
    pub records: String,
    /// One row for each service.
    pub versions: String,
    /// One row for each event, such as `applied` and `reverted`.
    pub events: String,
    /// One row for each lease, where the lock is a lease.
    pub locks: String,
}

impl Default for HistoryTables {
    fn default() -> Self {
        HistoryTables {
            schema: None,
            records: "migration_records".into(),
            versions: "schema_versions".into(),
            events: "migration_events".into(),
            locks: "migration_locks".into(),
        }
    }
}

/// The contents of `migrate.toml`. A missing key is `None`, or its default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// The name of the history; the name of the package if `None`.
    pub service: Option<String>,
    /// The database that the migrations are written for.
    pub dialect: Option<Dialect>,
    /// The migration folders, relative to `migrate.toml`; empty if not set.
    pub dirs: Vec<String>,
    /// The layouts that one folder may mix. If empty, a folder must use a single layout.
    pub layouts: Vec<&'static Layout>,
    /// May files have the same version? The name is then a part of the version.
    pub same_version_by_name: bool,
    /// Files and sub-folders to skip, by name or path.
    pub ignore: Vec<String>,
    /// Is a down migration required? The layout decides if `None`.
    pub down_required: Option<bool>,
    /// How out-of-order migrations are treated.
    pub out_of_order: OutOfOrder,
    /// How concurrent runs exclude each other.
    pub locking: LockSettings,
    /// SQL statements that each session executes first.
    pub session: Vec<String>,
    /// How long a statement waits for a table lock.
    pub lock_timeout: Option<Duration>,
    /// How long a migration may run.
    pub timeout: Option<Duration>,
    /// The names of the history tables.
    pub history: HistoryTables,
    /// The settings of the safety rules.
    pub safety: LintSettings,
}

/// An invalid entry in `migrate.toml`.
pub static BAD_SETTING: Code = Code::new(
    "bad-setting",
    "`migrate.toml` contains an unknown key or an invalid value. This is an error, because an ignored setting would have no \
     effect.\n\nKeys: `service`, `database`, `dir` (a path or a list of paths), `layouts`, `ignore`, `same-version` (`error` or \
     `by-name`), `down` (`required` or `optional`), `out-of-order` (`error`, `warn` or `allow`), `session`, `lock` (`auto`, \
     `session` or `lease`), `lease`, `lock-timeout`, `timeout`, `lint` (`off`, `warn` or `deny`), `server` (such as \
     `postgres 14`), `small-tables`, `owns`.\n\nKeys in `[history]`: `schema`, `records`, `versions`, `events`, `locks`.\n\nKeys \
     in `[rules]`: the names of safety rules, each with the value `off`, `note`, `warning` or `error`.",
);

const KEYS: [&str; 19] = [
    "service",
    "database",
    "dir",
    "layouts",
    "ignore",
    "same-version",
    "down",
    "out-of-order",
    "session",
    "lock",
    "lease",
    "lock-timeout",
    "timeout",
    "lint",
    "server",
    "small-tables",
    "owns",
    "rules",
    "history",
];
const HISTORY_KEYS: [&str; 5] = ["schema", "records", "versions", "events", "locks"];

/// Parses a `migrate.toml`; reports all problems together.
pub fn read(text: &str, file: &str) -> (Settings, Vec<Finding>) {
    let mut reading = SettingsParser { text, file, findings: Vec::new() };
    let mut settings = Settings::default();
    match DeTable::parse(text) {
        Ok(table) => {
            for (key, value) in table.get_ref() {
                reading.key(&mut settings, key, value);
            }
        }
        Err(error) => reading.report(error.span().unwrap_or(0..0), error.message().to_owned(), None),
    }
    (settings, reading.findings)
}

struct SettingsParser<'a> {
    text: &'a str,
    file: &'a str,
    findings: Vec<Finding>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl SettingsParser<'_> {
    fn report(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        let mut finding = Finding::error(&BAD_SETTING, message).at(Place::range(self.file, self.text, span));
        finding.help.extend(help);
        self.findings.push(finding);
    }

    fn unknown(&mut self, span: Range<usize>, key: &str, known: &[&str]) {
        let help = match nearest(key, known.iter().copied()) {
            Some(near) => format!("write `{near}`"),
            None => format!("use one of `{}`", known.join("`, `")),
        };
        self.report(span, format!("there is no setting `{key}`"), Some(help));
    }

    fn string(&mut self, value: &Value<'_>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.clone().into_owned()),
            _ => {
                self.report(value.span(), "this value must be a string".into(), Some("put it in quotes".into()));
                None
            }
        }
    }

    /// A string, converted by `read`; `wanted` describes the valid values for the help text.
    fn read<T>(&mut self, value: &Value<'_>, wanted: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.string(value)?;
        let read = read(&text);
        if read.is_none() {
            self.report(value.span(), format!("`{text}` is not a valid value"), Some(format!("write {wanted}")));
        }
        read
    }

    /// A string or a list of strings.
    fn strings(&mut self, value: &Value<'_>) -> Vec<(String, Range<usize>)> {
        match value.get_ref() {
            DeValue::Array(list) => list.iter().filter_map(|one| self.string(one).map(|text| (text, one.span()))).collect(),
            _ => self.string(value).map(|text| (text, value.span())).into_iter().collect(),
        }
    }

    fn plain_strings(&mut self, value: &Value<'_>) -> Vec<String> {
        self.strings(value).into_iter().map(|(text, _)| text).collect()
    }

    fn key(&mut self, settings: &mut Settings, key: &Spanned<std::borrow::Cow<'_, str>>, value: &Value<'_>) {
        let a_duration = "a number and a unit, such as `\"500ms\"`, `\"3s\"` or `\"30m\"`";
        match key.get_ref().as_ref() {
            "service" => {
                settings.service =
                    self.read(value, "a name that is not empty", |name| (!name.trim().is_empty()).then(|| name.to_owned()))
            }
            "database" => {
                let wanted = "`postgres`, `mysql`, `mariadb` or `sqlite`";
                settings.dialect = self.read(value, wanted, |name| name.parse().ok());
                if let (Some(_), DeValue::String(name)) = (settings.dialect, value.get_ref()) {
                    settings.safety.server.get_or_insert((name.clone().into_owned(), self.place(value.span())));
                }
            }
            "dir" => settings.dirs = self.plain_strings(value),
            "layouts" => {
                for (name, span) in self.strings(value) {
                    match layouts::named(&name) {
                        Some(layout) => settings.layouts.push(layout),
                        None => {
                            let known: Vec<&str> = layouts::ALL.iter().map(|layout| layout.name).collect();
                            let help = format!("use one of `{}`", known.join("`, `"));
                            self.report(span, format!("there is no layout `{name}`"), Some(help));
                        }
                    }
                }
            }
            "ignore" => settings.ignore = self.plain_strings(value),
            "same-version" => {
                let by_name = self.read(value, "`error` or `by-name`", |word| match word {
                    "error" => Some(false),
                    "by-name" => Some(true),
                    _ => None,
                });
                settings.same_version_by_name = by_name.unwrap_or(false);
            }
            "down" => {
                settings.down_required = self.read(value, "`required` or `optional`", |word| match word {
                    "required" => Some(true),
                    "optional" => Some(false),
                    _ => None,
                });
            }
            "out-of-order" => {
                settings.out_of_order =
                    self.read(value, "`error`, `warn` or `allow`", |word| word.parse().ok()).unwrap_or_default()
            }
            "session" => {
                settings.session = self.plain_strings(value);
                let limits = |name| settings.session.iter().any(|statement| statement.to_ascii_lowercase().contains(name));
                let said = |name| limits(name).then(|| "the value in `session`".to_owned());
                let (lock, statement) = (said("lock_timeout"), said("statement_timeout"));
                let safety = &mut settings.safety;
                safety.lock_timeout = safety.lock_timeout.take().or(lock);
                safety.statement_timeout = safety.statement_timeout.take().or(statement);
            }
            "lock" => {
                let kind = self.read(value, "`auto`, `session` or `lease`", |word| word.parse().ok());
                settings.locking.strategy = kind.unwrap_or_default();
            }
            "lease" => {
                let long_enough = |text: &str| {
                    let bounds = LockSettings::SHORTEST_LEASE..=LockSettings::LONGEST_LEASE;
                    duration::parse(text).filter(|lease| bounds.contains(lease))
                };
                if let Some(lease) = self.read(value, "a duration from 2 s to 24 h, such as `\"30s\"` or `\"5m\"`", long_enough) {
                    settings.locking.lease = lease;
                }
            }
            "lock-timeout" => {
                settings.lock_timeout = self.read(value, a_duration, duration::parse);
                settings.safety.lock_timeout = settings.lock_timeout.map(duration::show);
            }
            "timeout" => {
                settings.timeout = self.read(value, a_duration, duration::parse);
                settings.safety.statement_timeout = settings.timeout.map(duration::show);
            }
            "lint" => {
                let gate = self.read(value, "`off`, `warn` or `deny`", |word| word.parse().ok());
                settings.safety.mode = gate.unwrap_or_default();
            }
            "server" => {
                if let Some(server) = self.string(value) {
                    settings.safety.server = Some((server, self.place(value.span())));
                }
            }
            "small-tables" => settings.safety.small_tables = self.plain_strings(value),
            "owns" => settings.safety.owns = self.plain_strings(value),
            "rules" => self.rules(&mut settings.safety.rules, value),
            "history" => self.history(&mut settings.history, value),
            unknown => self.unknown(key.span(), unknown, &KEYS),
        }
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place::range(self.file, self.text, span)
    }

    fn rules(&mut self, rules: &mut Vec<RuleSetting>, value: &Value<'_>) {
        let DeValue::Table(table) = value.get_ref() else {
            self.report(value.span(), "`rules` must be a table".into(), Some("write `[rules]`".into()));
            return;
        };
        for (key, value) in table {
            let level = self.read(value, "`off`, `note`, `warning` or `error`", |word| match word {
                "off" => Some(None),
                "note" => Some(Some(Level::Note)),
                "warning" | "warn" => Some(Some(Level::Warning)),
                "error" | "deny" => Some(Some(Level::Error)),
                _ => None,
            });
            if let Some(level) = level {
                rules.push(RuleSetting { name: key.get_ref().clone().into_owned(), level, place: self.place(key.span()) });
            }
        }
    }

    fn history(&mut self, history: &mut HistoryTables, value: &Value<'_>) {
        let DeValue::Table(table) = value.get_ref() else {
            self.report(value.span(), "`history` must be a table".into(), Some("write `[history]`".into()));
            return;
        };
        let name = |name: &str| (!name.is_empty() && !name.contains('\0')).then(|| name.to_owned());
        for (key, value) in table {
            let wanted = "the name of a table";
            let field = match key.get_ref().as_ref() {
                "schema" => {
                    history.schema = self.read(value, "the name of a schema", name);
                    continue;
                }
                "records" => &mut history.records,
                "versions" => &mut history.versions,
                "events" => &mut history.events,
                "locks" => &mut history.locks,
                unknown => {
                    self.unknown(key.span(), unknown, &HISTORY_KEYS);
                    continue;
                }
            };
            if let Some(name) = self.read(value, wanted, name) {
                *field = name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock_settings::LockStrategy;

    #[test]
    fn all_keys() {
        let (settings, findings) = read(
            "service = 'chat'\ndatabase = 'mariadb'\ndir = ['a', 'b']\nlayouts = ['paired', 'flyway']\nignore = ['seed.sql']\n\
             down = 'optional'\nout-of-order = 'warn'\nsession = ['SET FOREIGN_KEY_CHECKS=0']\nlock = 'lease'\nlease = '5s'\nlock-timeout = '3s'\ntimeout = '10m'\n\
             lint = 'warn'\nserver = 'mysql 8.4'\nsmall-tables = ['countries']\nowns = 'users'\n[rules]\ndrop-table = 'off'\n\
             [history]\nschema = 'ops'\nrecords = 'r'\nversions = 'v'\nevents = 'e'\nlocks = 'l'\n",
            "migrate.toml",
        );
        assert_eq!(findings, []);
        assert_eq!(settings.dialect, Some(Dialect::MySql));
        assert_eq!(settings.dirs, ["a", "b"]);
        assert_eq!(settings.layouts.len(), 2);
        assert_eq!(settings.down_required, Some(false));
        assert_eq!(settings.out_of_order, OutOfOrder::Warn);
        assert_eq!(settings.locking, LockSettings { strategy: LockStrategy::Lease, lease: Duration::from_secs(5) });
        assert_eq!(settings.history.schema.as_deref(), Some("ops"));
        assert_eq!(settings.timeout, Some(Duration::from_secs(600)));
        assert_eq!(settings.safety.mode, crate::lint_settings::LintMode::Warn);
        assert_eq!(settings.safety.server.as_ref().map(|(server, _)| server.as_str()), Some("mysql 8.4"));
        assert_eq!((settings.safety.small_tables.len(), settings.safety.owns.len()), (1, 1));
        assert_eq!((settings.safety.rules[0].name.as_str(), settings.safety.rules[0].level), ("drop-table", None));
    }

    #[test]
    fn every_mistake_at_once() {
        let text = "servce = 'chat'\ndatabase = 'oracle'\nout-of-order = 3\nlayouts = ['odd']\n[history]\nrecord = 'x'\n";
        let (_, findings) = read(text, "migrate.toml");
        insta::assert_snapshot!(crate::render::findings(&findings, false));
    }

    #[test]
    fn broken_toml() {
        let (_, findings) = read("service = \n", "migrate.toml");
        assert_eq!(findings.len(), 1);
        assert!(findings[0].place.is_some());
    }
}
