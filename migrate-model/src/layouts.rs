//! The list of naming conventions, in the order in which they are tried.

mod directory;
mod flyway;
mod paired;
mod simple;

use crate::layout::Layout;

/// All conventions; `simple` accepts nearly everything that begins with a digit, so it stands last.
pub static ALL: &[&Layout] = &[&directory::LAYOUT, &flyway::LAYOUT, &paired::LAYOUT, &simple::LAYOUT];

/// The convention of a name.
pub fn named(name: &str) -> Option<&'static Layout> {
    ALL.iter().copied().find(|layout| layout.name == name)
}
