//! `2025-11-24-120000_create_users/up.sql` and `down.sql`, as in diesel; `01_init/migration.sql`, as in Prisma.

use crate::layout::{Layout, Listing, Reading};
use crate::target::Direction;

/// The convention.
pub static LAYOUT: Layout =
    Layout { name: "directory", example: "2025-11-24-120000_create_users/up.sql", wants_down: false, read };

fn read(_: &Listing, path: &str) -> Reading {
    match path.split_once('/') {
        Some((folder, "up.sql" | "migration.sql")) => Reading::numbered(folder, Direction::Up),
        Some((folder, "down.sql")) => Reading::numbered(folder, Direction::Down),
        _ => Reading::Foreign,
    }
}
