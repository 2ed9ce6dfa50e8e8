//! What a folder must satisfy before it may be compiled in or released, beyond being readable.
//!
//! The macro and `cargo migrate check` ask the same function: what compiles is what runs.

use crate::code::Code;
use crate::finding::Finding;
use crate::folder::Folder;
use crate::migration::Migration;
use crate::place::Place;
use crate::policy::OutOfOrder;
use crate::settings::Settings;
use crate::target::Direction;
use crate::version::Version;
use std::collections::HashMap;

/// A migration without a way down.
pub static MISSING_DOWN: Code = Code::new(
    "missing-down",
    "The migration has no way down, so a release with it cannot be taken back. Write `NAME.down.sql`; or say that this is meant, with \
     `-- migrate: irreversible: reason` at the top of the way up; or set `down = \"optional\"` in `migrate.toml` for all.",
);

/// A file without a statement.
pub static EMPTY_FILE: Code = Code::new(
    "empty-file",
    "The file holds no statement. Applied, it would count as done, and the SQL that is written into it later would never run. Write the \
     SQL, remove the file, or write `SELECT 1;` when doing nothing is meant.",
);

/// There is no lock file.
pub static NO_LOCK_FILE: Code = Code::new(
    "no-lock-file",
    "`migrate.lock` says which files are released and must not change any more, and makes a new file rebuild the binary. It is \
     committed with the migrations. `cargo migrate init` writes one for a folder that has none, with every file in it as a draft.",
);

/// A file that the lock file does not know.
pub static UNKNOWN_FILE: Code = Code::new(
    "unknown-file",
    "The folder holds a migration that `migrate.lock` does not know: it was added by hand. `cargo migrate lock --draft` adds it as a \
     draft.",
);

/// A line of the lock file without its file.
pub static FILE_MISSING: Code = Code::new(
    "file-missing",
    "`migrate.lock` knows a file that is not there. A released one must come back: databases have it applied. A draft that was deleted \
     on purpose goes with `cargo migrate lock --draft`.",
);

/// A draft of the lock file has no file.
pub static DRAFT_MISSING: Code = Code::new(
    "draft-missing",
    "`migrate.lock` lists a draft, and its file does not exist. A draft that was deleted intentionally is removed from the lock file by \
     `cargo migrate lock --draft`; otherwise restore the file.",
);

/// A released file that was edited.
pub static LOCKED_FILE_CHANGED: Code = Code::new(
    "locked-file-changed",
    "A released migration was edited. Databases that have it applied will never run the new text, and new ones will never run the old: \
     they drift apart. Put the old text back and write the change as a new migration. If the file is truly not applied anywhere, \
     `cargo migrate lock --force` takes the new text as released.",
);

/// A new migration below a released one.
pub static BELOW_LOCKED: Code = Code::new(
    "below-locked",
    "A new migration has a lower version than one that is released, so databases that are ahead would have to go back in order, and \
     others would run the two in another order. Give it a version above the newest released one; or set `out-of-order = \"allow\"` in \
     `migrate.toml` when order does not matter in this project.",
);

/// A draft at release time.
pub static UNLOCKED_DRAFT: Code = Code::new(
    "unlocked-draft",
    "`check --locked` was asked for, and a migration is still a draft: it could be edited after it was applied. Release it with \
     `cargo migrate lock`.",
);

/// What is asked of a folder.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckOptions {
    /// No drafts either.
    pub require_locked: bool,
}

/// Everything that is wrong with a folder: what its reading found, and what is checked here.
pub fn check(folder: &Folder, settings: &Settings, strictness: CheckOptions) -> Vec<Finding> {
    let mut findings = folder.findings.clone();
    findings.extend(folder.down_findings.iter().cloned());
    let up_files = folder.files.iter().filter(|(file, _)| file.direction == Direction::Up);
    let wants_down: HashMap<&Version, bool> = up_files.map(|(file, _)| (&file.version, file.layout.wants_down)).collect();
    for migration in &folder.set {
        let by_layout = wants_down.get(&migration.version).copied().unwrap_or(false);
        findings.extend(pairing(migration, settings.down_required.unwrap_or(by_layout)));
        let scripts = [Some(&migration.up), migration.down.as_ref()];
        for script in scripts.into_iter().flatten().filter(|script| script.statements.is_empty()) {
            findings.push(
                Finding::error(&EMPTY_FILE, format!("`{}` holds no statement", script.file_name()))
                    .at(Place::file(&*script.file))
                    .help("write the SQL, remove the file, or write `SELECT 1;` when doing nothing is meant"),
            );
        }
    }
    findings.extend(locked(folder, settings, strictness));
    findings
}

fn pairing(migration: &Migration, required: bool) -> Option<Finding> {
    let missing = migration.down.is_none() && migration.up.directives.irreversible.is_none();
    (missing && required).then(|| {
        let name = migration.up.file_name();
        let down = match name.strip_suffix(".up.sql").map(|stem| format!("{stem}.down.sql")) {
            Some(down) => down,
            None if name.ends_with("_up.sql") => format!("{}_down.sql", name.trim_end_matches("_up.sql")),
            None if name == "up.sql" || name == "migration.sql" => "down.sql".to_owned(),
            None if name.starts_with('V') => format!("U{}", &name[1..]),
            None => format!("rollback/{name}"),
        };
        Finding::error(&MISSING_DOWN, format!("`{name}` has no way down"))
            .at(Place::file(&*migration.up.file))
            .help(format!("write `{down}`"))
            .help("or say why there is none, at the top of the file: `-- migrate: irreversible: reason`")
    })
}

fn locked(folder: &Folder, settings: &Settings, strictness: CheckOptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(lock) = &folder.lock else {
        let nothing_to_lock = folder.files.is_empty();
        let finding = Finding::error(&NO_LOCK_FILE, "there is no lock file")
            .at(Place::file(folder.lock_display_path.clone()))
            .help("write one with `cargo migrate init`");
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
                Finding::error(&LOCKED_FILE_CHANGED, format!("`{}` was changed after it was released", file.name))
                    .at(place())
                    .help("put the old text back, and write the change as a new migration: `cargo migrate new`")
                    .help("or, if it is applied nowhere, take the new text as released: `cargo migrate lock --force`"),
            ),
            Some(_) => {}
            None => {
                if !drafts.contains_key(file.name.as_str()) {
                    findings.push(
                        Finding::error(&UNKNOWN_FILE, format!("`{}` is not in the lock file", file.name))
                            .at(place())
                            .help("add it as a draft: `cargo migrate lock --draft`"),
                    );
                } else if strictness.require_locked {
                    findings.push(
                        Finding::error(&UNLOCKED_DRAFT, format!("`{}` is still a draft", file.name))
                            .at(place())
                            .help("release it: `cargo migrate lock`"),
                    );
                }
                if let Some(newest) =
                    newest.filter(|newest| newest.version > file.version && settings.out_of_order != OutOfOrder::Allow)
                {
                    let message = format!("`{}` is new, but lower than `{}`, which is released", file.name, newest.name);
                    let mut finding = Finding::error(&BELOW_LOCKED, message)
                        .at(place())
                        .help(format!("rename it to a version above {}, then run `cargo migrate lock --draft`", newest.version));
                    if settings.out_of_order == OutOfOrder::Warn {
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
                    "restore it: `git log --diff-filter=D -- <file>` finds it; databases may have it applied",
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
