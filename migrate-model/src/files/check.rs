//! The checks that a readable folder must pass before it is compiled into a binary or locked.
//!
//! The macro and `cargo migrate check` call the same function, so both report the same problems.

use crate::code::Code;
use crate::files::folder::{Folder, SourceFile};
use crate::files::settings::Settings;
use crate::finding::Finding;
use crate::migration::Migration;
use crate::place::Place;
use crate::policy::OutOfOrder;
use crate::script::EMPTY_FILE;
use crate::target::Direction;
use crate::version::Version;
use std::collections::HashMap;

/// A migration without a down migration.
pub static MISSING_DOWN: Code = Code::new(
    "missing-down",
    "The migration has no down migration, so it cannot be reverted. Write `NAME.down.sql`. If the migration is irreversible, \
     write `-- migrate: irreversible: reason` at the top of the up script. `down = \"optional\"` in `migrate.toml` disables this \
     check.",
);

/// The folder has no lock file.
pub static NO_LOCK_FILE: Code = Code::new(
    "no-lock-file",
    "The folder has no `migrate.lock`. This file lists the locked files, which must not change, and causes a rebuild of the \
     binary when a migration is added. Commit it with the migrations. `cargo migrate init` creates it and lists every existing \
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
    "`migrate.lock` lists a file that does not exist. Restore a locked file, because databases may have applied it. If a draft \
     was deleted on purpose, `cargo migrate lock --draft` removes its line.",
);

/// A draft of the lock file has no file.
pub static DRAFT_MISSING: Code = Code::new(
    "draft-missing",
    "`migrate.lock` lists a draft, and its file does not exist. A draft that was deleted intentionally is removed from the lock file by \
     `cargo migrate lock --draft`; otherwise restore the file.",
);

/// A locked file that was edited.
pub static LOCKED_FILE_CHANGED: Code = Code::new(
    "locked-file-changed",
    "A locked file was edited. Databases that applied the original file never run the new SQL, and new databases never run the \
     original SQL, so their schemas differ. Restore the original file and write the change as a new migration. If no database \
     has applied the file, `cargo migrate lock --force` locks the edited file.",
);

/// A new file with a lower version than a locked file.
pub static BELOW_LOCKED: Code = Code::new(
    "below-locked",
    "A new file has a lower version than a locked file. Databases that already applied the locked file would apply the new one \
     out of order, and other databases in order. Give the new file a version above the newest locked one. If the order does not \
     matter in this project, set `out-of-order = \"allow\"` in `migrate.toml`.",
);

/// A draft, although `check --locked` accepts none.
pub static UNLOCKED_DRAFT: Code = Code::new(
    "unlocked-draft",
    "`check --locked` accepts no drafts, and a migration file is still a draft. A draft may be edited even after it was applied. \
     Lock it with `cargo migrate lock`.",
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
    findings.extend(folder.down_findings.iter().cloned());
    let up_files = folder.files.iter().map(|(file, _)| file).filter(|file| file.direction == Direction::Up);
    let files: HashMap<&Version, &SourceFile> = up_files.map(|file| (&file.version, file)).collect();
    for migration in &folder.set {
        if let Some(file) = files.get(&migration.version) {
            findings.extend(pairing(migration, file, settings.down_required.unwrap_or(file.layout.wants_down)));
        }
        let scripts = [Some(&migration.up), migration.down.as_ref()];
        for script in scripts.into_iter().flatten().filter(|script| script.statements.is_empty()) {
            findings.push(
                Finding::error(&EMPTY_FILE, format!("`{}` contains no statement", script.file_name()))
                    .at(Place::file(&*script.file))
                    .help("write the SQL, remove the file, or write `SELECT 1;` if it is to do nothing"),
            );
        }
    }
    findings.extend(locked(folder, settings, options));
    findings
}

fn pairing(migration: &Migration, file: &SourceFile, required: bool) -> Option<Finding> {
    let missing = migration.down.is_none() && migration.up.directives.irreversible.is_none();
    (missing && required).then(|| {
        let down = (file.layout.down_path)(&file.name);
        Finding::error(&MISSING_DOWN, format!("`{}` has no down migration", migration.up.file_name()))
            .at(Place::file(&*migration.up.file))
            .help(format!("write `{down}`"))
            .help("or, if it is irreversible, state the reason at the top of the file: `-- migrate: irreversible: reason`")
    })
}

fn locked(folder: &Folder, settings: &Settings, options: CheckOptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(lock) = &folder.lock else {
        let nothing_to_lock = folder.files.is_empty();
        let finding = Finding::error(&NO_LOCK_FILE, "there is no lock file")
            .at(Place::file(folder.lock_display_path.clone()))
            .help("create it with `cargo migrate init`");
        return if nothing_to_lock { findings } else { vec![finding] };
    };
    let locked: HashMap<&str, _> = lock.locked.iter().map(|(name, sum)| (name.as_str(), sum)).collect();
    let drafts: HashMap<&str, ()> = lock.drafts.iter().map(|name| (name.as_str(), ())).collect();
    let present: HashMap<&str, ()> = folder.files.iter().map(|(file, _)| (file.name.as_str(), ())).collect();
    let mut ups = folder.files.iter().map(|(file, _)| file).filter(|file| file.direction == Direction::Up);
    let newest = ups.rfind(|file| locked.contains_key(file.name.as_str()));
    for (file, sum) in &folder.files {
        let place = || Place::file(file.display_path.clone());
        match locked.get(file.name.as_str()) {
            Some(released) if *released != sum => findings.push(
                Finding::error(&LOCKED_FILE_CHANGED, format!("`{}` was changed after it was locked", file.name))
                    .at(place())
                    .help("restore the original file, and write the change as a new migration: `cargo migrate new`")
                    .help("or, if it is not applied to any database, lock the edited file: `cargo migrate lock --force`"),
            ),
            Some(_) => {}
            None => {
                if !drafts.contains_key(file.name.as_str()) {
                    findings.push(
                        Finding::error(&UNKNOWN_FILE, format!("`{}` is not in the lock file", file.name))
                            .at(place())
                            .help("add it as a draft: `cargo migrate lock --draft`"),
                    );
                } else if options.require_locked {
                    findings.push(
                        Finding::error(&UNLOCKED_DRAFT, format!("`{}` is still a draft", file.name))
                            .at(place())
                            .help("lock it: `cargo migrate lock`"),
                    );
                }
                if let Some(newest) =
                    newest.filter(|newest| newest.version > file.version && settings.run.policy.out_of_order != OutOfOrder::Allow)
                {
                    let message =
                        format!("`{}` is new, but has a lower version than `{}`, which is locked", file.name, newest.name);
                    let mut finding = Finding::error(&BELOW_LOCKED, message)
                        .at(place())
                        .help(format!("rename it to a version above {}, then run `cargo migrate lock --draft`", newest.version));
                    if settings.run.policy.out_of_order == OutOfOrder::Warn {
                        finding.level = crate::finding::Level::Warning;
                    }
                    findings.push(finding);
                }
            }
        }
    }
    let names = lock.locked.iter().map(|(name, _)| (name, true));
    for (name, released) in names.chain(lock.drafts.iter().map(|name| (name, false))) {
        if !present.contains_key(name.as_str()) {
            let (code, what, help) = if released {
                (
                    &FILE_MISSING,
                    "locked",
                    "restore it: `git log --diff-filter=D -- <file>` finds it; databases may have applied it",
                )
            } else {
                (&DRAFT_MISSING, "a draft", "if it was deleted intentionally, run `cargo migrate lock --draft`")
            };
            findings.push(
                Finding::error(code, format!("`{name}` is {what}, but the file does not exist"))
                    .at(Place::file(folder.lock_display_path.clone()))
                    .help(help),
            );
        }
    }
    findings
}
