//! The name under which the database knows an object.

use std::fmt;
use std::sync::Arc;

/// The name of an object, resolved by [`Schema::resolve`](crate::schema::Schema::resolve): with its schema unless that is the
/// default one, and in lower case if the database ignores the case of names. Copies share the text: they are made for each
/// statement, each lock and each reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    pub(crate) schema: Option<Arc<str>>,
    pub(crate) name: Arc<str>,
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
