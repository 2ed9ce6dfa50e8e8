//! The stable name of a kind of problem, and what `cargo migrate explain` says about it.

use std::fmt;

/// A code such as `duplicate-version`: unique, kebab-case, never renamed.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// The name that is shown in messages and accepted by `explain`.
    pub name: &'static str,
    /// What it means, why it matters and what to do, for `cargo migrate explain`.
    pub explanation: &'static str,
}

impl Code {
    /// Makes a code; the list of its crate must name it, so that it can be explained.
    pub const fn new(name: &'static str, explanation: &'static str) -> Self {
        Code { name, explanation }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
