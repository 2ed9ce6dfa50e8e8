//! The stable name of a kind of problem, and its explanation for `cargo migrate explain`.

use std::fmt;

/// A code such as `duplicate-version`: unique, in kebab case, never renamed.
#[derive(Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Code {
    /// The name in messages and for `explain`.
    pub name: &'static str,
    /// What happened, why it matters and what to do. Lists of codes show the first sentence.
    pub explanation: &'static str,
}

impl Code {
    /// Creates a code. The list of codes of its crate must contain it; otherwise `explain` does not find it.
    pub const fn new(name: &'static str, explanation: &'static str) -> Self {
        Code { name, explanation }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
