//! The target of a run.

use crate::version::Version;

/// The state that a run establishes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// All migrations are applied.
    Latest,
    /// All migrations up to and including this version are applied.
    UpTo(Version),
    /// This number of pending migrations is applied.
    Up(usize),
    /// All migrations above this version are reverted; all if it is 0 and there is no migration with this version.
    DownTo(Version),
    /// This number of migrations is reverted, the newest first.
    Down(usize),
    /// All migrations are reverted.
    DownAll,
}

/// The direction of a migration file or step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Applies.
    Up,
    /// Reverts.
    Down,
}

impl Direction {
    /// `up` or `down`.
    pub const fn name(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
        }
    }
}

impl Target {
    /// Does the run apply or revert migrations?
    pub const fn direction(&self) -> Direction {
        match self {
            Target::Latest | Target::UpTo(_) | Target::Up(_) => Direction::Up,
            Target::DownTo(_) | Target::Down(_) | Target::DownAll => Direction::Down,
        }
    }
}
