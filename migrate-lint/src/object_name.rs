//! The name under which the database knows an object.

use std::fmt;

/// A name under which the database knows a thing: with its schema unless that is the default one, and folded where names of
/// another case are the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl ObjectName {
    /// The name without its schema.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.pad(&self.name),
        }
    }
}
