//! The context of a command.

use crate::arguments::Global;
use crate::database_url;
use crate::known_services;
use crate::loaded_project;
use crate::packages;
use cargo_metadata::{Metadata, MetadataCommand};
use migrate_cli::{CommandError, Output, Service, ServiceSource, SummarizedService};
use migrate_model::directives::Requirement;
use migrate_model::finding::Finding;
use migrate_model::migration::Migration;
use migrate_runtime::{DatabaseUrl, MigrationKey};
use std::cell::OnceCell;
use std::collections::BTreeSet;

/// What every command receives besides its own arguments.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub global: &'a Global,
    /// Prints messages, findings and data.
    pub output: &'a Output,
    /// What Cargo says about the workspace, once it was asked.
    pub metadata: &'a OnceCell<Metadata>,
    /// Builds the definition of the whole command line, from which `completions` generates its script.
    pub command_line: fn() -> clap::Command,
}

impl Context<'_> {
    /// What Cargo says about the workspace of the current folder. It is asked once for each command.
    ///
    /// # Errors
    /// If Cargo cannot read it.
    pub fn metadata(&self) -> Result<&Metadata, cargo_metadata::Error> {
        match self.metadata.get() {
            Some(metadata) => Ok(metadata),
            None => {
                let metadata = MetadataCommand::new().no_deps().exec()?;
                Ok(self.metadata.get_or_init(|| metadata))
            }
        }
    }

    /// The context of a command that needs no source files.
    pub fn for_database(&self) -> migrate_cli::Context<'_> {
        migrate_cli::Context { output: self.output, source: self, assume_yes: self.global.yes }
    }
}

/// The services of the selected packages.
impl ServiceSource for Context<'_> {
    fn services(&self) -> Result<Vec<Service>, CommandError> {
        Ok(loaded_project::load_with_database(self)?.into_iter().map(Service::from).collect())
    }

    fn summarized(&self) -> Option<Vec<SummarizedService>> {
        loaded_project::summarize(self)
    }

    fn service(&self, name: &str) -> Result<Option<Service>, CommandError> {
        loaded_project::load_other(self, name)
    }

    fn dependent_services(&self, migrations: &[(String, MigrationKey)]) -> Result<Vec<Service>, CommandError> {
        loaded_project::load_dependents(self, migrations)
    }

    fn unresolved(&self, references: &[(&Migration, &Requirement)]) -> Result<Vec<Option<Finding>>, CommandError> {
        known_services::unresolved(self, references)
    }

    fn names(&self) -> Result<Vec<String>, CommandError> {
        // With an explicit URL, the current folder need not contain a project.
        match packages::projects(self) {
            Ok(projects) => Ok(projects.into_iter().map(|project| project.service).collect()),
            Err(_) if database_url::explicit(self).is_some() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn urls(&self) -> Result<Vec<DatabaseUrl>, CommandError> {
        // With an explicit URL, no project is needed.
        if let Some(url) = database_url::explicit(self) {
            return Ok(vec![url?]);
        }
        let connections = packages::projects(self)?.into_iter().map(|project| database_url::connection(self, &project));
        let connections = connections.collect::<Result<Vec<_>, _>>()?;
        let notes: BTreeSet<&String> = connections.iter().flat_map(|connection| &connection.notes).collect();
        notes.into_iter().for_each(|note| self.output.message(note));
        Ok(connections.into_iter().map(|connection| connection.url).collect())
    }
}
