//! Where a run is to end.

use crate::version::Version;

/// The state that a database is to be brought to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Everything is applied.
    Latest,
    /// Everything up to and with this version is applied.
    UpTo(Version),
    /// This many more are applied.
    Up(usize),
    /// Everything above this version is reverted.
    DownTo(Version),
    /// This many are reverted, newest first.
    Down(usize),
    /// Everything is reverted.
    DownAll,
}

/// Which way a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Applies.
    Up,
    /// Reverts.
    Down,
}

impl Target {
    /// Which way it goes.
    pub const fn direction(&self) -> Direction {
        match self {
            Target::Latest | Target::UpTo(_) | Target::Up(_) => Direction::Up,
            Target::DownTo(_) | Target::Down(_) | Target::DownAll => Direction::Down,
        }
    }
}
