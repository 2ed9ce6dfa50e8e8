//! The checks that a readable folder must pass before it is compiled into a binary or locked.
//!
//! The macro and `cargo migrate check` call the same function, so both report the same problems.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::files::folder::{Folder, NO_FOLDER, PAIR_NAMES_DIFFER, SourceFile};
use crate::files::lock_file::LockFile;
use crate::files::settings::Settings;
use crate::finding::{Finding, Level};
use crate::finding_list::FindingList;
use crate::migration::Migration;
use crate::place::Place;
use crate::policy::OutOfOrder;
use crate::requirements;
use crate::script::Script;
use crate::target::Direction;
use crate::token::{Kind, Quoting, Token, Tokens, executed_tokens};
use crate::version::Version;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A migration without a down migration.
pub static MISSING_DOWN: Code = Code::new(
    "missing-down",
    "The migration has no down migration, so it cannot be reverted. Write `NAME.down.sql`. If the migration is irreversible, \
     write `-- migrate: irreversible: reason` at the top of the up migration. `down = \"optional\"` in `migrate.toml` \
          disables this \
     check.",
);

/// The folder has no lock file.
pub static NO_LOCK_FILE: Code = Code::new(
    "no-lock-file",
    "The folder has no `migrate.lock`. The lock file lists the locked files, which must not change. It also changes when a migration is added, so that cargo rebuilds the application. Commit the lock file with the migrations. `cargo migrate init` creates it and lists every existing \
     file as a draft.",
);

/// A file that the lock file does not list.
pub static UNKNOWN_FILE: Code = Code::new(
    "unknown-file",
    "The folder contains a migration file that `migrate.lock` does not list, usually because it was created manually. \
     `cargo migrate lock --draft` adds it as a draft.",
);

/// A line of the lock file whose file does not exist.
pub static FILE_MISSING: Code = Code::new(
    "file-missing",
    "`migrate.lock` lists a locked file that does not exist. Restore the file, because it may have been applied to \
     databases.",
);

/// A draft of the lock file has no file.
pub static DRAFT_MISSING: Code = Code::new(
    "draft-missing",
    "`migrate.lock` lists a draft, and the file does not exist. Restore the file, or remove the entry: `cargo migrate lock --draft`.",
);

/// A locked file that was edited.
pub static LOCKED_FILE_CHANGED: Code = Code::new(
    "locked-file-changed",
    "A locked file was edited. Databases to which the original file was applied never run the new SQL, and new \
     databases never run the original SQL, so their schemas differ. Restore the original file and write the change as \
     a new migration. If the file has not been applied to any database, `cargo migrate lock --force` locks the edited \
     file.",
);

/// A new file with a lower version than a locked file.
pub static BELOW_LOCKED: Code = Code::new(
    "below-locked",
    "A new file has a lower version than a locked file. On databases to which the locked file was already applied, the \
     new file would run out of order; on other databases, it would run in order. Give the new file a version above the \
     newest locked one. If the order does not matter in this project, set `out-of-order = \"allow\"` in \
     `migrate.toml`.",
);

/// A draft, although `check --locked` accepts none.
pub static UNLOCKED_DRAFT: Code = Code::new(
    "unlocked-draft",
    "`check --locked` accepts no drafts, but a migration file is still a draft (a file that is not locked). A draft can be edited after it has been applied, and `check` does not report the edit. Lock the file with `cargo migrate lock`.",
);

/// A version that is a date, or a timestamp of fewer digits than other versions.
pub static SHORT_TIMESTAMP: Code = Code::new(
    "short-timestamp",
    "A version is a date or a timestamp with fewer digits than other timestamps in the folder, for example 8 or 12 \
     digits where others have 14. Versions are compared as numbers, so this version sorts before every version with more digits, even before one whose time is earlier. Append the rest of the time: \
     `20260301` becomes `20260301000000`.",
);

/// A string of a locked file that contains a carriage return.
pub static CARRIAGE_RETURN: Code = Code::new(
    "carriage-return",
    "A string in a locked file contains a carriage return at the end of a line. Git can convert line endings, so other checkouts may not contain this carriage return. The checksum ignores carriage returns at line ends, so databases can receive different data, and no difference is reported. Check the file out with LF (`*.sql text eol=lf` in `.gitattributes`), or write the character explicitly \
     (`E'\\r\\n'`, `CHAR(13)`).",
);

/// Optional checks of a folder.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckOptions {
    /// Is a draft an error?
    pub require_locked: bool,
}

/// All problems of a folder: those found while reading it, and those found by the checks of this module.
pub fn check(folder: &Folder, settings: &Settings, options: CheckOptions) -> Vec<Finding> {
    let mut findings = folder.findings.clone();
    findings.retain(|finding| !is_about_locked_pair(finding, folder));
    findings.extend(folder.down_findings.iter().cloned());
    let up_files = folder.files.iter().map(|(file, _)| file).filter(|file| file.direction == Direction::Up);
    let up_files: Vec<&SourceFile> = up_files.collect();
    let files: HashMap<&str, &SourceFile> = up_files.iter().map(|file| (file.display_path.as_str(), *file)).collect();
    // Reported already; to which of the two files a down migration belongs is unknown.
    let same_version = up_files.windows(2).filter(|pair| pair[0].version == pair[1].version);
    let duplicates: HashSet<&Version> = same_version.map(|pair| &pair[0].version).collect();
    for migration in &folder.set {
        if let Some(file) = files.get(&*migration.up.file).filter(|file| !duplicates.contains(&file.version)) {
            findings.extend(pairing(migration, file, settings.down_required.unwrap_or(file.layout.wants_down)));
        }
        let scripts = [Some(&migration.up), migration.down.as_ref()];
        findings.extend(scripts.into_iter().flatten().filter_map(Script::without_statements));
    }
    findings.extend(requirements::within(&folder.set));
    findings.extend(short_timestamps(folder));
    findings.extend(locked(folder, settings, options));
    findings.extend(carriage_returns(folder));
    findings
}

/// Is the finding about names that cannot be changed any more, because the file is locked?
fn is_about_locked_pair(finding: &Finding, folder: &Folder) -> bool {
    let file = finding.place.as_ref().map(|place| place.file.as_str());
    let is_locked = |(source, _): &(SourceFile, _)| {
        Some(source.display_path.as_str()) == file
            && folder.lock.as_ref().is_some_and(|lock| lock.locked_checksum(&source.name).is_some())
    };
    finding.code == &PAIR_NAMES_DIFFER && folder.files.iter().any(is_locked)
}

/// Is a version a date, alone or with hours, minutes, seconds and milliseconds?
fn is_stamp(text: &str) -> bool {
    // For each part of a stamp, where it ends and its values.
    let parts = [(4, 1990..=2099), (6, 1..=12), (8, 1..=31), (10, 0..=23), (12, 0..=59), (14, 0..=59), (17, 0..=999)];
    let mut start = 0;
    for (end, values) in parts {
        if !text.get(start..end).and_then(|digits| digits.parse::<u32>().ok()).is_some_and(|value| values.contains(&value)) {
            return false;
        }
        if end == text.len() && end >= 8 {
            return true;
        }
        start = end;
    }
    false
}

/// New files whose version is a date or a timestamp that comes before an earlier one of more digits.
fn short_timestamps(folder: &Folder) -> Vec<Finding> {
    let ups = folder.files.iter().map(|(file, _)| file).filter(|file| file.direction == Direction::Up);
    let versions: Vec<(&SourceFile, String)> = ups.map(|file| (file, file.version.canonical())).collect();
    let stamps = || versions.iter().filter(|(_, version)| is_stamp(version));
    let is_locked =
        |file: &SourceFile| folder.lock.as_ref().is_some_and(|lock| lock.locked.iter().any(|(name, _)| *name == file.name));
    // The earliest stamp of each length.
    let mut earliest: BTreeMap<usize, (&SourceFile, &String)> = BTreeMap::new();
    for (file, stamp) in stamps() {
        let other = earliest.entry(stamp.len()).or_insert((file, stamp));
        if stamp < other.1 {
            *other = (file, stamp);
        }
    }
    let findings = stamps().filter(|(file, _)| !is_locked(file)).filter_map(|(file, stamp)| {
        let mut longer = earliest.range(stamp.len() + 1..).rev();
        let (length, (earlier, _)) = longer.find(|(_, (_, other))| other[..stamp.len()] < **stamp)?;
        let (noun, part) = if stamp.len() == 8 { ("date", "a time") } else { ("time", "the rest of the time") };
        let message = format!("`{}` sorts before `{}`, although the {noun} of the first is later", file.name, earlier.name);
        let mut finding = Finding::error(&SHORT_TIMESTAMP, message)
            .at(Place::file(file.display_path.clone()))
            .help(format!("append {part} to the version: `{stamp:0<length$}`"));
        finding.level = Level::Warning;
        Some(finding)
    });
    findings.collect()
}

/// The first string with a carriage return of each locked file.
fn carriage_returns(folder: &Folder) -> Vec<Finding> {
    let locked: HashSet<&str> = folder.lock.iter().flat_map(|lock| &lock.locked).map(|(name, _)| name.as_str()).collect();
    let names: HashSet<&str> = folder
        .files
        .iter()
        .filter(|(file, _)| locked.contains(file.name.as_str()))
        .map(|(file, _)| file.display_path.as_str())
        .collect();
    let scripts = folder.set.iter().flat_map(|migration| [Some(&migration.up), migration.down.as_ref()]).flatten();
    let scripts = scripts.filter(|script| names.contains(&*script.file) && script.text.contains("\r\n"));
    let findings = scripts.filter_map(|script| {
        let at = carriage_return_in_string(script, folder.set.dialect())?;
        let message = format!(
            "a string in `{}` contains a carriage return at the end of a line, which the checksum ignores",
            script.file_name()
        );
        let mut finding = Finding::error(&CARRIAGE_RETURN, message)
            .at(Place::range(&script.file, &script.text, at..at + 1))
            .help("check the file out with LF: `*.sql text eol=lf` in `.gitattributes`");
        finding.level = Level::Warning;
        Some(finding)
    });
    findings.collect()
}

/// The first carriage return before a line feed that is in a string, in one of an executable comment, or in a quoted field of
/// `COPY`.
fn carriage_return_in_string(script: &Script, dialect: Dialect) -> Option<usize> {
    let text = &*script.text;
    let tokens: Vec<Token> = Tokens::new(text, dialect).collect();
    let is_string = |token: &&Token| matches!(token.kind, Kind::Text | Kind::DollarText);
    let tokens = executed_tokens(text, &tokens, Quoting::of(dialect));
    let in_string = tokens.iter().filter(is_string).find_map(|token| Some(token.start + token.text(text).find("\r\n")?));
    let in_data = script.statements.iter().filter_map(|statement| {
        let data = statement.copy_data.clone()?;
        let mut is_quoted = false;
        let in_field = text.as_bytes()[data.clone()].windows(2).position(|pair| {
            is_quoted ^= pair[0] == b'"';
            is_quoted && pair == b"\r\n"
        });
        // Only the format CSV has quoted fields.
        let sql = statement.sql(text);
        let is_csv = Tokens::new(sql, dialect).any(|token| token.text(sql).trim_matches('\'').eq_ignore_ascii_case("csv"));
        in_field.filter(|_| is_csv).map(|at| data.start + at)
    });
    in_string.into_iter().chain(in_data).min()
}

fn pairing(migration: &Migration, file: &SourceFile, required: bool) -> Option<Finding> {
    let missing = migration.down.is_none() && migration.up.directives.irreversible.is_none();
    (missing && required).then(|| {
        let down = (file.layout.down_path)(&file.name);
        Finding::error(&MISSING_DOWN, format!("`{}` has no down migration", migration.up.file_name()))
            .at(Place::file(&*migration.up.file))
            .help(format!("write `{down}`"))
            .help("or, if the migration is irreversible, state the reason at the top of the up file: `-- migrate: irreversible: reason`")
    })
}

/// The command that creates a lock file, for the folder that it is in.
fn init_command(lock_file: &str) -> String {
    match lock_file.rsplit_once('/').map_or(".", |(folder, _)| folder) {
        "migrations" => "cargo migrate init".to_owned(),
        folder => format!("cargo migrate init --source {folder}"),
    }
}

/// The files against the lock file.
fn locked(folder: &Folder, settings: &Settings, options: CheckOptions) -> Vec<Finding> {
    let Some(lock) = &folder.lock else {
        // Without any file, only the lock file tells cargo of the first migration. It may be empty.
        let is_missing_folder = folder.findings.iter().any(|finding| finding.code == &NO_FOLDER);
        if folder.files.is_empty() && (is_missing_folder || folder.lock_path.is_file()) {
            return Vec::new();
        }
        let finding = Finding::error(&NO_LOCK_FILE, "there is no lock file");
        return vec![
            finding
                .at(Place::file(folder.lock_display_path.clone()))
                .help(format!("create it: `{}`", init_command(&folder.lock_display_path))),
        ];
    };
    let locked: HashMap<&str, _> = lock.locked.iter().map(|(name, sum)| (name.as_str(), sum)).collect();
    let drafts: HashSet<&str> = lock.drafts.iter().map(String::as_str).collect();
    let mut ups = folder.files.iter().map(|(file, _)| file).filter(|file| file.direction == Direction::Up);
    let newest = ups.rfind(|file| locked.contains_key(file.name.as_str()));
    let mut findings = Vec::new();
    for (file, sum) in &folder.files {
        match locked.get(file.name.as_str()) {
            Some(locked) if *locked == sum => {}
            Some(_) => findings.push(locked_file_changed(file)),
            None => {
                let is_draft = drafts.contains(file.name.as_str());
                findings.extend(not_locked(file, is_draft, options));
                let newest = newest.filter(|newest| newest.version > file.version);
                findings.extend(newest.and_then(|newest| below_locked(file, newest, settings.run.policy.out_of_order)));
            }
        }
    }
    let missing: FindingList = missing_files(folder, lock).collect();
    findings.extend(missing.into_vec(&folder.lock_display_path));
    findings
}

fn locked_file_changed(file: &SourceFile) -> Finding {
    Finding::error(&LOCKED_FILE_CHANGED, format!("`{}` was changed after it was locked", file.name))
        .at(Place::file(file.display_path.clone()))
        .help("restore the original file, and write the change as a new migration: `cargo migrate new`")
        .help("or, if the file has not been applied to any database, lock the edited version: `cargo migrate lock --force`")
}

/// A file that is not locked: it must be a draft, and for a release not even that.
fn not_locked(file: &SourceFile, is_draft: bool, options: CheckOptions) -> Option<Finding> {
    let finding = if !is_draft {
        Finding::error(&UNKNOWN_FILE, format!("`{}` is not in the lock file", file.name))
            .help("add it as a draft: `cargo migrate lock --draft`")
    } else if options.require_locked {
        Finding::error(&UNLOCKED_DRAFT, format!("`{}` is still a draft", file.name)).help("lock it: `cargo migrate lock`")
    } else {
        return None;
    };
    Some(finding.at(Place::file(file.display_path.clone())))
}

fn below_locked(file: &SourceFile, newest: &SourceFile, out_of_order: OutOfOrder) -> Option<Finding> {
    let level = match out_of_order {
        OutOfOrder::Error => Level::Error,
        OutOfOrder::Warn => Level::Warning,
        OutOfOrder::Allow => return None,
    };
    let message = format!("`{}` is new, but has a lower version than `{}`, which is locked", file.name, newest.name);
    let mut finding = Finding::error(&BELOW_LOCKED, message)
        .at(Place::file(file.display_path.clone()))
        .help(format!("give it a version above {}, then run `cargo migrate lock --draft`", newest.version));
    finding.level = level;
    Some(finding)
}

/// Files that the lock file lists and that do not exist.
fn missing_files<'l>(folder: &'l Folder, lock: &'l LockFile) -> impl Iterator<Item = Finding> + 'l {
    let present: HashSet<&str> = folder.files.iter().map(|(file, _)| file.name.as_str()).collect();
    let locked = lock.locked.iter().map(|(name, _)| {
        let finding = Finding::error(&FILE_MISSING, format!("`{name}` is locked, but the file does not exist"));
        (
            name,
            finding.help(
                "restore the file, because it may have been applied to databases. To find the commit that deleted it, run \
                 `git log --diff-filter=D -- <file>`",
            ),
        )
    });
    let drafts = lock.drafts.iter().map(|name| {
        let finding = Finding::error(&DRAFT_MISSING, format!("`{name}` is a draft, but the file does not exist"));
        (
            name,
            finding.help("restore the file or, if it was deleted intentionally, remove its entry: `cargo migrate lock --draft`"),
        )
    });
    let missing = locked.chain(drafts).filter(move |(name, _)| !present.contains(name.as_str()));
    missing.map(|(_, finding)| finding.at(Place::file(folder.lock_display_path.clone())))
}
