//! The list of naming conventions, in the order in which they are tried.

mod directory;
mod flyway;
mod paired;
mod simple;

use crate::layout::Layout;

/// All layouts. `simple` accepts almost any name that begins with a digit, so it is last.
pub static ALL: &[&Layout] = &[&directory::LAYOUT, &flyway::LAYOUT, &paired::LAYOUT, &simple::LAYOUT];

/// The layout with this name in `migrate.toml`.
pub fn named(name: &str) -> Option<&'static Layout> {
    ALL.iter().copied().find(|layout| layout.name == name)
}
