//! The rules over a folder as its `migrate.toml` wants them: asked by the macro and by the command alike.

use crate::lint::{LintOptions, LintScope, lint};
use crate::rules;
use crate::server::Server;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::{Finding, Level};
use migrate_model::folder::Folder;
use migrate_model::lint_settings::{LintMode, LintSettings};
use std::collections::{BTreeSet, HashMap, HashSet};

/// `migrate.toml` names a rule or a server that is none.
pub static BAD_RULE_SETTING: Code = Code::new(
    "bad-rule-setting",
    "`[rules]` in `migrate.toml` names a safety rule that does not exist, or `server` names a server that is not known. Rules are named \
     as in the brackets of their messages; `cargo migrate explain` lists them. A server is written as `postgres 14`, `mysql 8.4`, \
     `mariadb 10.11` or `sqlite 3.40`, with or without its version.",
);

/// How a folder is looked at, and what is wrong with what is said about that.
pub fn options(safety: &LintSettings, dialect: Dialect) -> (LintOptions, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut options = LintOptions::new(dialect);
    if let Some((text, place)) = &safety.server {
        match text.parse::<Server>() {
            Ok(server) if server.dialect() == dialect => options.server = server,
            Ok(_) => findings.push(
                Finding::error(
                    &BAD_RULE_SETTING,
                    format!("`{text}` does not read the SQL of the migrations, which is {dialect}"),
                )
                .at(place.clone())
                .help("correct `server` or `database`"),
            ),
            Err(()) => findings.push(
                Finding::error(&BAD_RULE_SETTING, format!("`{text}` is no server that is known"))
                    .at(place.clone())
                    .help("write `postgres 14`, `mysql 8.4`, `mariadb 10.11` or `sqlite 3.40`"),
            ),
        }
    }
    for setting in &safety.rules {
        if rules::find(&setting.name).is_none() && crate::owners::CODES.iter().all(|code| code.name != setting.name) {
            let finding =
                Finding::error(&BAD_RULE_SETTING, format!("there is no rule `{}`", setting.name)).at(setting.place.clone());
            findings.push(match rules::nearest(&setting.name) {
                Some(near) => finding.help(format!("write `{near}`")),
                None => finding.help("`cargo migrate explain` lists all"),
            });
        }
        options.levels.insert(setting.name.clone(), setting.level);
    }
    options.small_tables.clone_from(&safety.small_tables);
    options.lock_timeout.clone_from(&safety.lock_timeout);
    options.statement_timeout.clone_from(&safety.statement_timeout);
    (options, findings)
}

/// Which migrations the lock file does not hold as released. Without a lock file nobody knows.
pub fn drafts(folder: &Folder) -> LintScope {
    let Some(lock) = &folder.lock else { return LintScope::All };
    let released: HashSet<&str> = lock.locked.iter().map(|(name, _)| name.as_str()).collect();
    let mut drafts = BTreeSet::new();
    let mut names = HashMap::new();
    for (file, _) in &folder.files {
        names.insert(file.display_path.as_str(), file.name.as_str());
    }
    for (at, migration) in folder.set.iter().enumerate() {
        let name = names.get(&*migration.up.file).copied().unwrap_or_else(|| migration.up.file_name());
        if !released.contains(name) {
            drafts.insert(at);
        }
    }
    LintScope::Only(drafts)
}

/// What a build has to say about the drafts of a folder.
pub fn for_build(folder: &Folder, safety: &LintSettings) -> Vec<Finding> {
    if safety.mode == LintMode::Off {
        return Vec::new();
    }
    let (mut options, mut findings) = options(safety, folder.set.dialect());
    options.scope = drafts(folder);
    if options.scope != LintScope::Only(BTreeSet::new()) {
        findings.extend(lint(&folder.set.contents().migrations, &options));
    }
    findings.retain(|finding| finding.level >= Level::Warning);
    if safety.mode == LintMode::Warn {
        findings.iter_mut().for_each(|finding| finding.level = Level::Warning);
    }
    findings
}
