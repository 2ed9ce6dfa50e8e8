//! `migrate.toml`: the settings of a project.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::duration;
use crate::files::lint_settings::{LintSettings, RuleSetting};
use crate::finding::{Finding, Level};
use crate::layout::Layout;
use crate::layouts;
use crate::lock_settings::LockSettings;
use crate::neighbors;
use crate::origins;
use crate::place::{Place, SourceText};
use crate::run_settings::RunSettings;
use crate::suggestion::nearest;
use crate::visible;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The name of the file. It is in the folder of `Cargo.toml`, or in the migrations folder.
pub const FILE: &str = "migrate.toml";

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
    /// What affects how migrations run.
    pub run: RunSettings,
    /// The settings of the safety rules.
    pub safety: LintSettings,
    /// The sets of migrations of a package that has several.
    pub sets: Vec<DeclaredSet>,
}

/// One of several sets of migrations of a package: an entry of `[sets]`.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredSet {
    /// The migrations folder, relative to `migrate.toml`.
    pub folder: String,
    /// The name of the history.
    pub service: String,
    /// Where the entry is.
    pub place: Place,
}

/// An invalid entry in `migrate.toml`.
pub static BAD_SETTING: Code = Code::new(
    "bad-setting",
    "`migrate.toml` contains an unknown key or an invalid value. This is an error, because a misspelled setting would \
     otherwise be ignored silently.",
);

/// A key of `migrate.toml`: how it is documented, and how it is read.
pub struct Setting {
    /// The table of the key, such as `history`; empty at the top level.
    pub table: &'static str,
    /// The key.
    pub key: &'static str,
    /// The valid values, as the help of an invalid one names them. `{layouts}` stands for the names of all layouts, `{origins}`
    /// for those of all other tools.
    values: &'static str,
    /// What applies without the key.
    pub default: &'static str,
    /// The meaning.
    pub meaning: &'static str,
    read: fn(&mut SettingsParser<'_>, &mut Settings, &Value<'_>, &Setting),
}

const DURATION: &str = "a duration with a unit, such as `\"500ms\"`, `\"3s\"` or `\"30m\"`";
const TABLE_NAME: &str = "the name of a table";

/// Can a service have this name? It is printed on lines of its own, so that a line break in it would look like other output.
pub fn is_service_name(name: &str) -> bool {
    !name.is_empty() && name.trim() == name && !name.contains(|letter: char| letter.is_control() || visible::is_hidden(letter))
}

/// All keys of `migrate.toml`, in the order of the documents. `[rules]` also takes the name of every safety rule.
pub static SETTINGS: &[Setting] = &[
    Setting {
        table: "",
        key: "service",
        values: "a name without control characters or surrounding white space",
        default: "the package name",
        meaning: "the name of the service; its history is stored under this name",
        read: |parser, settings, value, setting| {
            let name = |name: &str| is_service_name(name).then(|| name.to_owned());
            settings.service = parser.parse(value, setting, name);
        },
    },
    Setting {
        table: "",
        key: "database",
        values: "`\"postgres\"`, `\"mysql\"`, `\"mariadb\"` or `\"sqlite\"`",
        default: "from `--dialect` or the URL; or the database whose feature of `migrate-runtime` is the only one that the package enables",
        meaning: "the database for which the migrations are written",
        read: |parser, settings, value, setting| parser.database(settings, value, setting),
    },
    Setting {
        table: "",
        key: "dir",
        values: "a folder or a list of folders, relative to `migrate.toml`",
        default: "`\"migrations\"`",
        meaning: "the folders that contain the migrations",
        read: |parser, settings, value, _| settings.dirs = parser.strings(value),
    },
    Setting {
        table: "",
        key: "layouts",
        values: "a list of names of layouts: {layouts}",
        default: "any layout, but all migration files of a service must have the same layout",
        meaning: "the layouts (naming conventions for files) that the migration files of the service may have",
        read: |parser, settings, value, setting| parser.layouts(settings, value, setting),
    },
    Setting {
        table: "",
        key: "ignore",
        values: "a list of names or paths of `.sql` files, or of folder names",
        default: "none",
        meaning: "what to skip: files that are not migrations, and sub-folders without migrations",
        read: |parser, settings, value, _| settings.ignore = parser.strings(value),
    },
    Setting {
        table: "",
        key: "same-version",
        values: "`\"error\"` or `\"by-name\"`",
        default: "`\"error\"`",
        meaning: "whether several migrations may have the same version; `\"by-name\"` applies them in the order of their names",
        read: |parser, settings, value, setting| {
            let by_name = parser.choose(value, setting, &[("error", false), ("by-name", true)]);
            settings.same_version_by_name = by_name.unwrap_or(false);
        },
    },
    Setting {
        table: "",
        key: "down",
        values: "`\"required\"` or `\"optional\"`",
        default: "depends on the layout",
        meaning: "whether each migration must have a down migration",
        read: |parser, settings, value, setting| {
            settings.down_required = parser.choose(value, setting, &[("required", true), ("optional", false)]);
        },
    },
    Setting {
        table: "",
        key: "out-of-order",
        values: "`\"error\"`, `\"warn\"` or `\"allow\"`",
        default: "`\"error\"`",
        meaning: "how to treat a pending migration if a higher version is already applied",
        read: |parser, settings, value, setting| {
            settings.run.policy.out_of_order = parser.parse(value, setting, |word| word.parse().ok()).unwrap_or_default();
        },
    },
    Setting {
        table: "",
        key: "session",
        values: "a list of SQL statements",
        default: "none",
        meaning: "SQL statements that run after connecting, before the lock is acquired and the history is read; \
             they run again whenever the session is reset; on MySQL, they must not select another database than that of the URL, unless `schema` under `[history]` is set",
        read: |parser, settings, value, setting| parser.session(settings, value, setting),
    },
    Setting {
        table: "",
        key: "lock",
        values: "`\"auto\"`, `\"session\"` or `\"lease\"`",
        default: "`\"auto\"`",
        meaning: "the kind of the migration lock (`--lock`): a session-level lock or a lease; `\"auto\"` selects a lease if a session-level \
                  lock does not exclude other processes",
        read: |parser, settings, value, setting| {
            settings.run.locking.strategy = parser.parse(value, setting, |word| word.parse().ok()).unwrap_or_default();
        },
    },
    Setting {
        table: "",
        key: "lease",
        values: "a duration from `\"2s\"` to `\"24h\"`",
        default: "`\"30s\"`",
        meaning: "how long a lease is valid after its last renewal",
        read: |parser, settings, value, setting| {
            let bounds = LockSettings::SHORTEST_LEASE..=LockSettings::LONGEST_LEASE;
            let lease = parser.parse(value, setting, |text| duration::parse(text).filter(|lease| bounds.contains(lease)));
            settings.run.locking.lease = lease.unwrap_or(settings.run.locking.lease);
        },
    },
    Setting {
        table: "",
        key: "lock-timeout",
        values: DURATION,
        default: "`\"2s\"` for statements that block reads or writes; for other statements, the lock timeout of the server",
        meaning: "how long a statement waits for a table lock; statements with `CONCURRENTLY` have no lock timeout, \
                  because a timeout would leave an invalid index",
        read: |parser, settings, value, setting| {
            settings.run.lock_timeout = parser.parse(value, setting, duration::parse);
            settings.safety.lock_timeout = settings.run.lock_timeout.map(duration::show);
        },
    },
    Setting {
        table: "",
        key: "timeout",
        values: DURATION,
        default: "`\"10m\"`",
        meaning: "the time limit of a migration",
        read: |parser, settings, value, setting| {
            settings.run.timeout = parser.parse(value, setting, duration::parse);
            settings.safety.statement_timeout = settings.run.timeout.map(duration::show);
        },
    },
    Setting {
        table: "",
        key: "lint",
        values: "`\"off\"`, `\"warn\"` or `\"deny\"`",
        default: "`\"deny\"`",
        meaning: "how a build and `check` treat findings of the safety rules: `\"deny\"` fails on errors, `\"warn\"` turns errors into \
                  warnings, `\"off\"` disables linting",
        read: |parser, settings, value, setting| {
            settings.safety.mode = parser.parse(value, setting, |word| word.parse().ok()).unwrap_or_default();
        },
    },
    Setting {
        table: "",
        key: "server",
        values: "a database and, optionally, its version, such as `\"postgres 16\"` or `\"mysql 8.4\"`",
        default: "from `--dialect`, `database` or the URL",
        meaning: "the database server and its version, for which the safety rules check the migrations",
        read: |parser, settings, value, setting| {
            let place = parser.place(value.span());
            settings.safety.server =
                parser.string(value, || setting.quoted_help()).map(|server| (server, place)).or(settings.safety.server.take());
        },
    },
    Setting {
        table: "",
        key: "small-tables",
        values: "a list of tables",
        default: "none",
        meaning: "tables that stay small: a full scan or rewrite of them is at most a warning",
        read: |parser, settings, value, _| settings.safety.small_tables = parser.strings(value),
    },
    Setting {
        table: "",
        key: "owns",
        values: "a list of tables",
        default: "the tables that only this service creates",
        meaning: "tables that belong to this service, even if another service creates them",
        read: |parser, settings, value, _| settings.safety.owns = parser.strings(value),
    },
    Setting {
        table: "history",
        key: "schema",
        values: "the name of a schema",
        default: "the schema of the connection",
        meaning: "the schema of the history tables (MySQL: database; SQLite: attached database)",
        read: |parser, settings, value, setting| settings.run.history.schema = parser.parse(value, setting, table_name),
    },
    Setting {
        table: "history",
        key: "records",
        values: TABLE_NAME,
        default: "`\"migration_records\"`",
        meaning: "the table with a row for each applied or partially applied migration",
        read: |parser, settings, value, setting| parser.table_name(&mut settings.run.history.records, value, setting),
    },
    Setting {
        table: "history",
        key: "versions",
        values: TABLE_NAME,
        default: "`\"schema_versions\"`",
        meaning: "the table with a row for each service: its newest applied version and the number of applied migrations",
        read: |parser, settings, value, setting| parser.table_name(&mut settings.run.history.versions, value, setting),
    },
    Setting {
        table: "history",
        key: "events",
        values: TABLE_NAME,
        default: "`\"migration_events\"`",
        meaning: "the table with a row for each event, such as an applied, failed or reverted migration",
        read: |parser, settings, value, setting| parser.table_name(&mut settings.run.history.events, value, setting),
    },
    Setting {
        table: "history",
        key: "locks",
        values: TABLE_NAME,
        default: "`\"migration_locks\"`",
        meaning: "the table with a row for each service that uses a lease",
        read: |parser, settings, value, setting| parser.table_name(&mut settings.run.history.locks, value, setting),
    },
    Setting {
        table: "history",
        key: "ignore",
        values: "a list of `\"other-schema\"`, `\"other-service\"` and names of tools: {origins} (`link`, `takumi` and `trossapp` are \
                 applications with their own migration code)",
        default: "none",
        meaning: "the kinds of other histories in the database that do not prevent the first run",
        read: |parser, settings, value, setting| parser.ignored_histories(settings, value, setting),
    },
    Setting {
        table: "sets",
        key: "FOLDER",
        values: "a name without control characters or surrounding white space",
        default: "the package has a single set of migrations",
        meaning: "for a package with several sets of migrations: the folder of each set, relative to `migrate.toml`, and the name of \
                  its service; the folder may contain a `migrate.toml` with the settings of the set",
        read: |_, _, _, _| {},
    },
    Setting {
        table: "rules",
        key: "NAME",
        values: "`\"off\"`, `\"note\"`, `\"warning\"` or `\"error\"`",
        default: "the default level of the rule",
        meaning: "the level of the safety rule `NAME`",
        read: |_, _, _, _| {},
    },
];

impl Setting {
    /// The values, in Markdown.
    fn values(&self) -> String {
        let list =
            |names: &mut dyn Iterator<Item = &str>| names.map(|name| format!("`\"{name}\"`")).collect::<Vec<_>>().join(", ");
        let layouts = list(&mut layouts::ALL.iter().map(|layout| layout.name));
        let mut origins: Vec<&str> = origins::ALL.iter().map(|origin| origin.name).collect();
        origins.sort_unstable();
        self.values.replace("{layouts}", &layouts).replace("{origins}", &list(&mut origins.into_iter()))
    }

    /// The help for a value that is not a string.
    fn quoted_help(&self) -> String {
        let values = self.values();
        let quotes = if values.contains('"') { "" } else { ", in quotes" };
        format!("write {values}{quotes}")
    }
}

/// The keys as a Markdown table, for the guide.
pub fn documentation() -> String {
    let mut text = "| Key | Values | Default | Meaning |\n|---|---|---|---|\n".to_owned();
    for setting @ Setting { table, key, default, meaning, .. } in SETTINGS {
        let values = setting.values();
        let table = if table.is_empty() { String::new() } else { format!("`[{table}]` ") };
        text.push_str(&format!("| {table}`{key}` | {values} | {default} | {meaning} |\n"));
    }
    text
}

/// The keys, a line each, for `cargo migrate explain bad-setting`.
pub fn overview() -> String {
    let lines = SETTINGS.iter().map(|setting @ Setting { table, key, meaning, .. }| {
        let values = setting.values();
        let key = if table.is_empty() { (*key).to_owned() } else { format!("[{table}] {key}") };
        format!("{key}: {meaning}; {values}")
    });
    lines.collect::<Vec<String>>().join("\n")
}

/// A name that can be the name of a table.
fn table_name(name: &str) -> Option<String> {
    (!name.is_empty() && !name.contains('\0')).then(|| name.to_owned())
}

/// Parses a `migrate.toml`; reports all problems together.
pub fn read(text: &str, file: &str) -> (Settings, Vec<Finding>) {
    let mut parser = SettingsParser { source: SourceText::new(file, text), findings: Vec::new() };
    let mut settings = Settings::default();
    match DeTable::parse(text) {
        Ok(table) => {
            for (key, value) in table.get_ref() {
                parser.key(&mut settings, key, value);
            }
            parser.keys_of_one_set(&settings, table.get_ref());
        }
        Err(error) => parser.report(error.span().unwrap_or(0..0), error.message().to_owned(), None),
    }
    (settings, parser.findings)
}

struct SettingsParser<'a> {
    source: SourceText<'a>,
    findings: Vec<Finding>,
}

type Value<'a> = Spanned<DeValue<'a>>;
type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;

impl SettingsParser<'_> {
    fn report(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        let mut finding = Finding::error(&BAD_SETTING, message).at(self.source.place(span));
        finding.help.extend(help);
        self.findings.push(finding);
    }

    fn place(&self, span: Range<usize>) -> Place {
        self.source.place(span)
    }

    fn key(&mut self, settings: &mut Settings, key: &Key<'_>, value: &Value<'_>) {
        match key.get_ref().as_ref() {
            "rules" => self.rules(&mut settings.safety.rules, value),
            "sets" => self.sets(&mut settings.sets, value),
            table if SETTINGS.iter().any(|setting| setting.table == table && !table.is_empty()) => {
                let Some(entries) = self.table(table, value) else { return };
                for (key, value) in entries {
                    self.setting(table, settings, key, value);
                }
            }
            _ => self.setting("", settings, key, value),
        }
    }

    fn setting(&mut self, table: &str, settings: &mut Settings, key: &Key<'_>, value: &Value<'_>) {
        let name = key.get_ref().as_ref();
        let mut of_table = SETTINGS.iter().filter(|setting| setting.table == table);
        if let Some(setting) = of_table.clone().find(|setting| setting.key == name) {
            return (setting.read)(self, settings, value, setting);
        }
        let tables = SETTINGS.iter().map(|setting| setting.table).filter(|name| table.is_empty() && !name.is_empty());
        let mut known: Vec<&str> = of_table.by_ref().map(|setting| setting.key).chain(tables).collect();
        known.dedup();
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("write `{near}`"),
            None => format!("use one of `{}`", known.join("`, `")),
        };
        self.report(key.span(), format!("there is no setting `{name}`"), Some(help));
    }

    fn table<'v, 't>(&mut self, name: &str, value: &'v Value<'t>) -> Option<&'v DeTable<'t>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                self.report(value.span(), format!("`{name}` must be a table"), Some(format!("write `[{name}]`")));
                None
            }
        }
    }

    fn string(&mut self, value: &Value<'_>, help: impl FnOnce() -> String) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.clone().into_owned()),
            _ => {
                self.report(value.span(), "this value must be a string".into(), Some(help()));
                None
            }
        }
    }

    /// A string, converted by `read`.
    fn parse<T>(&mut self, value: &Value<'_>, setting: &Setting, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.string(value, || setting.quoted_help())?;
        let parsed = read(&text);
        if parsed.is_none() {
            let help = format!("write {}", setting.values());
            self.report(value.span(), format!("`{}` is not a valid value", visible::one_line(&text)), Some(help));
        }
        parsed
    }

    /// One of several words.
    fn choose<T: Copy>(&mut self, value: &Value<'_>, setting: &Setting, words: &[(&str, T)]) -> Option<T> {
        self.parse(value, setting, |text| words.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice))
    }

    /// A string or a list of strings, each with its range.
    fn spanned_strings(&mut self, value: &Value<'_>) -> Vec<(String, Range<usize>)> {
        let help = || "write it in quotes".to_owned();
        match value.get_ref() {
            DeValue::Array(list) => {
                list.iter().filter_map(|item| self.string(item, help).map(|text| (text, item.span()))).collect()
            }
            _ => self.string(value, help).map(|text| (text, value.span())).into_iter().collect(),
        }
    }

    /// A string or a list of strings.
    fn strings(&mut self, value: &Value<'_>) -> Vec<String> {
        self.spanned_strings(value).into_iter().map(|(text, _)| text).collect()
    }

    fn table_name(&mut self, name: &mut String, value: &Value<'_>, setting: &Setting) {
        if let Some(new) = self.parse(value, setting, table_name) {
            *name = new;
        }
    }

    fn database(&mut self, settings: &mut Settings, value: &Value<'_>, setting: &Setting) {
        settings.dialect = self.parse(value, setting, |name| name.parse().ok());
        if let (Some(_), DeValue::String(name)) = (settings.dialect, value.get_ref()) {
            settings.safety.server.get_or_insert((name.clone().into_owned(), self.place(value.span())));
        }
    }

    fn layouts(&mut self, settings: &mut Settings, value: &Value<'_>, _: &Setting) {
        for (name, span) in self.spanned_strings(value) {
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

    fn ignored_histories(&mut self, settings: &mut Settings, value: &Value<'_>, setting: &Setting) {
        let codes = neighbors::IGNORABLE.iter().map(|code| code.name);
        let known: Vec<&str> = codes.chain(origins::ALL.iter().map(|origin| origin.name)).collect();
        for (name, span) in self.spanned_strings(value) {
            if known.contains(&name.as_str()) {
                settings.run.ignored_histories.push(name);
                continue;
            }
            let help = match nearest(&name, known.iter().copied()) {
                Some(near) => format!("write `{near}`"),
                None => format!("write {}", setting.values()),
            };
            self.report(span, format!("`{name}` is not a known history"), Some(help));
        }
    }

    /// The rules that ask for a time limit accept one in `session`.
    fn session(&mut self, settings: &mut Settings, value: &Value<'_>, _: &Setting) {
        settings.run.session = self.strings(value);
        let limit = |name: &str| {
            let sets_limit = settings.run.session.iter().any(|statement| statement.to_ascii_lowercase().contains(name));
            sets_limit.then(|| "the value in `session`".to_owned())
        };
        let (lock, statement) = (limit("lock_timeout"), limit("statement_timeout"));
        let safety = &mut settings.safety;
        safety.lock_timeout = safety.lock_timeout.take().or(lock);
        safety.statement_timeout = safety.statement_timeout.take().or(statement);
    }

    fn sets(&mut self, sets: &mut Vec<DeclaredSet>, value: &Value<'_>) {
        let Some(entries) = self.table("sets", value) else { return };
        let Some(setting) = SETTINGS.iter().find(|setting| setting.table == "sets") else { return };
        for (key, value) in entries {
            let name = |name: &str| is_service_name(name).then(|| name.to_owned());
            let Some(service) = self.parse(value, setting, name) else { continue };
            let folder = key.get_ref().as_ref().trim_end_matches('/').to_owned();
            if sets.iter().any(|set| set.service == service) {
                let help = "give each set a service name of its own; it is the name of its history".to_owned();
                self.report(value.span(), format!("two sets have the service name `{service}`"), Some(help));
                continue;
            }
            sets.push(DeclaredSet { folder, service, place: self.place(key.span()) });
        }
    }

    /// `service` and `dir` belong to a package with one set.
    fn keys_of_one_set(&mut self, settings: &Settings, table: &DeTable<'_>) {
        if settings.sets.is_empty() {
            return;
        }
        for (key, _) in table.iter().filter(|(key, _)| matches!(key.get_ref().as_ref(), "service" | "dir")) {
            let message = format!("`{}` has no effect beside `[sets]`", key.get_ref());
            self.report(key.span(), message, Some("remove it: `[sets]` names the folder and the service of each set".to_owned()));
        }
    }

    fn rules(&mut self, rules: &mut Vec<RuleSetting>, value: &Value<'_>) {
        let Some(entries) = self.table("rules", value) else { return };
        let Some(setting) = SETTINGS.iter().find(|setting| setting.table == "rules") else { return };
        let levels = [
            ("off", None),
            ("note", Some(Level::Note)),
            ("warning", Some(Level::Warning)),
            ("warn", Some(Level::Warning)),
            ("error", Some(Level::Error)),
            ("deny", Some(Level::Error)),
        ];
        for (key, value) in entries {
            if let Some(level) = self.choose(value, setting, &levels) {
                rules.push(RuleSetting { name: key.get_ref().clone().into_owned(), level, place: self.place(key.span()) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock_settings::LockStrategy;
    use crate::policy::OutOfOrder;
    use std::time::Duration;

    #[test]
    fn all_keys() {
        let (settings, findings) = read(
            "service = 'chat'\ndatabase = 'mariadb'\ndir = ['a', 'b']\nlayouts = ['paired', 'flyway']\nignore = ['seed.sql']\n\
             down = 'optional'\nout-of-order = 'warn'\nsession = ['SET FOREIGN_KEY_CHECKS=0']\nlock = 'lease'\nlease = '5s'\nlock-timeout = '3s'\ntimeout = '10m'\n\
             lint = 'warn'\nserver = 'mysql 8.4'\nsmall-tables = ['countries']\nowns = 'users'\n[rules]\ndrop-table = 'off'\n\
             [history]\nschema = 'ops'\nrecords = 'r'\nversions = 'v'\nevents = 'e'\nlocks = 'l'\nignore = ['sqlx', 'other-service']\n",
            "migrate.toml",
        );
        assert_eq!(findings, []);
        assert_eq!(settings.dialect, Some(Dialect::MySql));
        assert_eq!(settings.dirs, ["a", "b"]);
        assert_eq!(settings.layouts.len(), 2);
        assert_eq!(settings.down_required, Some(false));
        assert_eq!(settings.run.policy.out_of_order, OutOfOrder::Warn);
        assert_eq!(settings.run.locking, LockSettings { strategy: LockStrategy::Lease, lease: Duration::from_secs(5) });
        assert_eq!(settings.run.history.schema.as_deref(), Some("ops"));
        assert_eq!(settings.run.ignored_histories, ["sqlx", "other-service"]);
        assert_eq!(settings.run.timeout, Some(Duration::from_secs(600)));
        assert_eq!(settings.safety.mode, crate::files::lint_settings::LintMode::Warn);
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
    fn sets_have_names_of_their_own() {
        let (settings, findings) =
            read("service = 'a'\ndir = 'd'\n[sets]\n'x' = 'one'\n'y/' = 'one'\n'z' = ''\nw = 2\n", "migrate.toml");
        assert_eq!(
            settings.sets.iter().map(|set| (set.folder.as_str(), set.service.as_str())).collect::<Vec<_>>(),
            [("x", "one")]
        );
        insta::assert_snapshot!(crate::render::findings(&findings, false));
    }

    #[test]
    fn broken_toml() {
        let (_, findings) = read("service = \n", "migrate.toml");
        assert_eq!(findings.len(), 1);
        assert!(findings[0].place.is_some());
    }
}
