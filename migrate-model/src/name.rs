//! The name of a database object, with an optional schema.

use std::fmt;

/// A name as the database stores it: without quotes, and in lower case if the database folds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// `None` if the name is not qualified.
    pub schema: Option<String>,
    pub name: String,
}

impl Name {
    /// An unqualified name.
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
