//! Checks a folder of migrations with the rules and levels of its `migrate.toml`, for the macro and the command.

use crate::lint::{LintOptions, LintScope, lint};
use crate::rules;
use crate::server::Server;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::files::folder::Folder;
use migrate_model::files::lint_settings::LintMode;
use migrate_model::files::settings::Settings;
use migrate_model::finding::{Finding, Level};
use std::collections::{BTreeSet, HashMap, HashSet};

/// `migrate.toml` contains an unknown rule or server.
pub static BAD_RULE_SETTING: Code = Code::new(
    "bad-rule-setting",
    "`[rules]` in `migrate.toml` contains a rule that does not exist, or `server` is not a known server or does not \
     match `database`. The name of a rule is the code in the brackets of its messages; `cargo migrate explain` lists \
     all codes, including the rules. Examples of a server are `postgres 14`, \
     `mysql 8.4`, `mariadb 10.11` and `sqlite 3.40`; the version is optional.",
);

/// The lint options that the settings of a folder specify, and findings about the settings.
pub fn options(folder_settings: &Settings, dialect: Dialect) -> (LintOptions, Vec<Finding>) {
    let settings = &folder_settings.safety;
    let mut findings = Vec::new();
    let mut options = LintOptions::new(dialect);
    options.session.clone_from(&folder_settings.run.session);
    if let Some((text, place)) = &settings.server {
        match text.parse::<Server>() {
            Ok(server) if server.dialect() == dialect => options.server = server,
            Ok(_) => findings.push(
                Finding::error(
                    &BAD_RULE_SETTING,
                    format!("server `{text}` does not match the dialect of the migrations, {dialect}"),
                )
                .at(place.clone())
                .help("change `server` or `database` so that they match"),
            ),
            Err(()) => findings.push(
                Finding::error(&BAD_RULE_SETTING, format!("`{text}` is not a known server")).at(place.clone()).help(
                    "write a database and its version, such as `postgres 14`, `mysql 8.4`, `mariadb 10.11` or `sqlite 3.40`",
                ),
            ),
        }
    }
    for setting in &settings.rules {
        if rules::find(&setting.name).is_none() && crate::owners::CODES.iter().all(|code| code.name != setting.name) {
            let finding = Finding::error(&BAD_RULE_SETTING, format!("unknown rule `{}`", setting.name)).at(setting.place.clone());
            findings.push(match rules::nearest(&setting.name) {
                Some(nearest) => finding.help(format!("write `{nearest}`")),
                None => finding.help("`cargo migrate explain` lists all codes, including the rules"),
            });
        }
        options.levels.insert(setting.name.clone(), setting.level);
    }
    options.small_tables.clone_from(&settings.small_tables);
    options.lock_timeout.clone_from(&settings.lock_timeout);
    options.statement_timeout.clone_from(&settings.statement_timeout);
    (options, findings)
}

/// The drafts: migrations that are not in the lock file. Without a lock file they are unknown.
pub fn drafts(folder: &Folder) -> LintScope {
    let Some(lock) = &folder.lock else { return LintScope::All };
    let locked: HashSet<&str> = lock.locked.iter().map(|(name, _)| name.as_str()).collect();
    let mut drafts = BTreeSet::new();
    let mut names = HashMap::new();
    for (file, _) in &folder.files {
        names.insert(file.display_path.as_str(), file.name.as_str());
    }
    for (index, migration) in folder.set.iter().enumerate() {
        let name = names.get(&*migration.up.file).copied().unwrap_or_else(|| migration.up.file_name());
        if !locked.contains(name) {
            drafts.insert(index);
        }
    }
    LintScope::Only(drafts)
}

/// The findings about the drafts of a folder that a build reports: warnings and errors, at the level that `mode` allows.
pub fn for_build(folder: &Folder, settings: &Settings) -> Vec<Finding> {
    let mode = settings.safety.mode;
    if mode == LintMode::Off {
        return Vec::new();
    }
    let (mut options, mut findings) = options(settings, folder.set.dialect());
    options.scope = drafts(folder);
    if options.scope != LintScope::Only(BTreeSet::new()) {
        findings.extend(lint(folder.set.migrations(), &options));
    }
    findings.retain(|finding| finding.level >= Level::Warning);
    if mode == LintMode::Warn {
        findings.iter_mut().for_each(|finding| finding.level = Level::Warning);
    }
    findings
}
