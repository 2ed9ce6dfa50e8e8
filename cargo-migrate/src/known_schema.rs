//! The tables and columns that the migrations of a project create.

use crate::described_change::KnownSchema;
use migrate_lint::relation::HistoryPoint;
use migrate_lint::simulation::Simulation;
use migrate_model::dialect::Dialect;
use migrate_model::files::project::Project;
use migrate_model::migration_set::MigrationSet;
use migrate_model::name::Name;
use migrate_model::reader;

/// The schema after all up migrations.
pub struct FilesSchema(Option<Simulation>);

impl FilesSchema {
    /// Reads the migrations of a project. Without a dialect, nothing is known.
    pub fn of(project: &Project, dialect: Option<Dialect>) -> Self {
        FilesSchema(dialect.map(|dialect| simulated(&project.read(dialect).set, dialect)))
    }

    fn column(&self, table: &str, column: Option<&str>) -> bool {
        let Some(simulation) = &self.0 else { return false };
        let name = match table.split_once('.') {
            Some((schema, name)) => Name { schema: Some(schema.to_owned()), name: name.to_owned() },
            None => Name { schema: None, name: table.to_owned() },
        };
        let relation = simulation.schema.relation(&simulation.schema.resolve(&name));
        relation.is_some_and(|relation| column.is_none_or(|column| relation.has_column(column)))
    }
}

impl KnownSchema for FilesSchema {
    fn has_table(&self, table: &str) -> bool {
        self.column(table, None)
    }

    fn has_column(&self, table: &str, column: &str) -> bool {
        self.column(table, Some(column))
    }
}

fn simulated(set: &MigrationSet, dialect: Dialect) -> Simulation {
    let mut simulation = Simulation::new(dialect);
    for (file, migration) in set.iter().enumerate() {
        simulation.begin_file(migration.up.text.len());
        for (at, statement) in migration.up.statements.iter().enumerate() {
            simulation.apply(
                &reader::read(statement.sql(&migration.up.text), dialect),
                HistoryPoint { migration: file, transaction: at },
            );
        }
        simulation.end_transaction();
    }
    simulation
}
