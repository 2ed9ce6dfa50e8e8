//! `2025-11-24-120000_create_users/up.sql` and `down.sql`, as in diesel; `01_init/migration.sql`, as in Prisma.

use crate::layout::{FolderUse, Layout, NameMatch, NewMigration, NewPaths};
use crate::target::Direction;

/// The layout `directory`.
pub static LAYOUT: Layout = Layout {
    name: "directory",
    example: "2025-11-24-120000_create_users/up.sql",
    wants_down: false,
    detect: |_| false,
    parse,
    down_path: |up| format!("{}/down.sql", up.rsplit_once('/').map_or(up, |(folder, _)| folder)),
    new_paths,
    folder_use: |path| is_migration(path).then_some(FolderUse::OneMigration),
    title,
};

fn parse(_: bool, path: &str) -> NameMatch {
    match path.split_once('/') {
        Some((folder, "up.sql" | "migration.sql")) => NameMatch::numbered(folder, Direction::Up),
        Some((folder, "down.sql")) => NameMatch::numbered(folder, Direction::Down),
        _ => NameMatch::NoMatch,
    }
}

fn is_migration(path: &str) -> bool {
    let Some((folder, file)) = path.split_once('/') else { return false };
    matches!(file, "up.sql" | "down.sql" | "migration.sql") && folder.starts_with(|c: char| c.is_ascii_digit())
}

/// A folder of Prisma gets no down migrations.
fn new_paths(new: &NewMigration<'_>) -> NewPaths {
    let folder = format!("{}_{}", new.version, new.name);
    match new.ups.last() {
        Some(last) if last.ends_with("/migration.sql") => NewPaths { up: format!("{folder}/migration.sql"), down: None },
        _ => NewPaths { up: format!("{folder}/up.sql"), down: Some(format!("{folder}/down.sql")) },
    }
}

fn title(path: &str) -> Option<&str> {
    match path.rsplit_once('/') {
        Some((folder, "up.sql" | "migration.sql")) => Some(folder.rsplit('/').next().unwrap_or(folder)),
        _ => None,
    }
}
