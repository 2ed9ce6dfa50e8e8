//! `001_create_users.up.sql` and `.down.sql`; also `001_create_users_up.sql` and `_down.sql`.

use crate::layout::{Layout, Listing, Reading};
use crate::target::Direction;

/// The convention.
pub static LAYOUT: Layout = Layout { name: "paired", example: "001_create_users.up.sql", wants_down: true, read };

fn read(listing: &Listing, path: &str) -> Reading {
    if path.contains('/') {
        return Reading::Foreign;
    }
    if let Some(stem) = path.strip_suffix(".up.sql") {
        return Reading::numbered(stem, Direction::Up);
    }
    if let Some(stem) = path.strip_suffix(".down.sql") {
        return Reading::numbered(stem, Direction::Down);
    }
    // `007_scale_up.sql` alone is a plain name; only beside files that end with `_down.sql` is it one of a pair.
    if !listing.underscore_pairs {
        return Reading::Foreign;
    }
    if let Some(stem) = path.strip_suffix("_up.sql") {
        return Reading::numbered(stem, Direction::Up);
    }
    match path.strip_suffix("_down.sql") {
        Some(stem) => Reading::numbered(stem, Direction::Down),
        None => Reading::Foreign,
    }
}
