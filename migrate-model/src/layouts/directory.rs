//! `2025-11-24-120000_create_users/up.sql` and `down.sql`, as in diesel; `01_init/migration.sql`, as in Prisma.

use crate::layout::{FolderHints, Layout, NameMatch};
use crate::target::Direction;

/// The layout `directory`.
pub static LAYOUT: Layout =
    Layout { name: "directory", example: "2025-11-24-120000_create_users/up.sql", wants_down: false, read };

fn read(_: &FolderHints, path: &str) -> NameMatch {
    match path.split_once('/') {
        Some((folder, "up.sql" | "migration.sql")) => NameMatch::numbered(folder, Direction::Up),
        Some((folder, "down.sql")) => NameMatch::numbered(folder, Direction::Down),
        _ => NameMatch::NoMatch,
    }
}
