//! `001_create_users.up.sql` and `.down.sql`; also `001_create_users_up.sql` and `_down.sql`.

use crate::layout::{FolderHints, Layout, NameMatch};
use crate::target::Direction;

/// The layout `paired`.
pub static LAYOUT: Layout = Layout { name: "paired", example: "001_create_users.up.sql", wants_down: true, read };

fn read(listing: &FolderHints, path: &str) -> NameMatch {
    if path.contains('/') {
        return NameMatch::NoMatch;
    }
    if let Some(stem) = path.strip_suffix(".up.sql") {
        return NameMatch::numbered(stem, Direction::Up);
    }
    if let Some(stem) = path.strip_suffix(".down.sql") {
        return NameMatch::numbered(stem, Direction::Down);
    }
    // `007_scale_up.sql` belongs to this layout only if the folder contains a file that ends with `_down.sql`.
    if !listing.underscore_pairs {
        return NameMatch::NoMatch;
    }
    if let Some(stem) = path.strip_suffix("_up.sql") {
        return NameMatch::numbered(stem, Direction::Up);
    }
    match path.strip_suffix("_down.sql") {
        Some(stem) => NameMatch::numbered(stem, Direction::Down),
        None => NameMatch::NoMatch,
    }
}
