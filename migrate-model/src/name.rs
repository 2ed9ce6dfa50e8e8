//! A name as SQL writes it: perhaps with a schema before it.

use std::fmt;

/// A name as the database keeps it: without quotes, and folded where the database folds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The schema, if it is written.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

impl Name {
    /// A name without a schema.
    pub fn bare(name: impl Into<String>) -> Self {
        Name { schema: None, name: name.into() }
    }

    /// Another name in the same schema.
    pub fn beside(&self, name: impl Into<String>) -> Self {
        Name { schema: self.schema.clone(), name: name.into() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.pad(&self.name),
        }
    }
}
