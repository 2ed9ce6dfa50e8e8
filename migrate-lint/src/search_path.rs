//! The schemas in which unqualified names are looked up.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A search path; its copies share the list.
#[derive(Debug, Clone, Default)]
pub struct SearchPath {
    schemas: Arc<[Option<Arc<str>>]>,
    /// The first position of each schema.
    positions: Arc<BTreeMap<Option<Arc<str>>, usize>>,
}

impl SearchPath {
    /// A path of these schemas; `None` is the default schema.
    pub fn new(schemas: Vec<Option<Arc<str>>>) -> Self {
        let mut positions = BTreeMap::new();
        for (position, schema) in schemas.iter().enumerate() {
            positions.entry(schema.clone()).or_insert(position);
        }
        SearchPath { schemas: schemas.into(), positions: Arc::new(positions) }
    }

    /// The schemas in order; none for the default path.
    pub fn schemas(&self) -> &[Option<Arc<str>>] {
        &self.schemas
    }

    /// The place of a schema in the path.
    pub fn position(&self, schema: &Option<Arc<str>>) -> Option<usize> {
        self.positions.get(schema).copied()
    }
}

#[cfg(test)]
mod tests {
    use crate::relation::{HistoryPoint, Relation, RelationKind};
    use crate::schema::Schema;
    use migrate_model::dialect::Dialect;
    use migrate_model::name::Name;

    #[test]
    fn a_name_is_the_first_object_in_a_short_and_in_a_long_path() {
        let point = HistoryPoint { migration: 0, transaction: 0 };
        let qualified = |schema: &str| Name { schema: Some(schema.to_owned()), name: "t".to_owned() };
        for length in [3, 100] {
            let mut schema = Schema::new(Dialect::Postgres);
            let path = (0..length).map(|number| Some(format!("s{number}"))).chain([Some("public".to_owned())]);
            schema.set_path(path.collect());
            let found = |schema: &Schema| schema.resolve(&Name::bare("t")).to_string();
            assert_eq!(found(&schema), "s0.t");
            for (created, expected) in [("other", "s0.t"), ("public", "t"), ("s2", "s2.t"), ("s1", "s1.t"), ("s2", "s1.t")] {
                let name = schema.resolve(&qualified(created));
                schema.put_relation(name, Relation::new(RelationKind::Table, "t".to_owned(), point));
                assert_eq!(found(&schema), expected, "{created} of {length}");
            }
        }
    }
}
