//! Services that share a database, as far as that is known: the same SQL, and no two URLs that differ.

use crate::command::Context;
use crate::database_url;
use crate::failure::CommandError;
use crate::loaded_project;
use crate::packages;
use migrate_lint::folder_lint;
use migrate_lint::owners::Service;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::folder::Folder;
use migrate_model::project::Project;
use std::collections::BTreeMap;

/// Services of one database.
#[derive(Debug)]
pub struct SharedDatabase {
    /// What they are written in.
    pub dialect: Dialect,
    url: Option<String>,
    /// Each, with its files.
    pub members: Vec<Member>,
}

/// One of them.
#[derive(Debug)]
pub struct Member {
    /// The project.
    pub project: Project,
    /// Its files.
    pub folder: Folder,
    levels: BTreeMap<String, Option<Level>>,
}

impl Member {
    /// A project whose files were read.
    pub fn new(project: Project, folder: Folder) -> Self {
        let levels = folder_lint::options(&project.settings.safety, folder.set.dialect()).0.levels;
        Member { project, folder, levels }
    }
}

impl SharedDatabase {
    /// What is asked about owners.
    pub fn services(&self) -> Vec<Service<'_>> {
        let services = self.members.iter().map(|member| Service {
            name: &member.project.service,
            history: &member.folder.set.contents().migrations,
            owns: &member.project.settings.safety.owns,
            levels: &member.levels,
        });
        services.collect()
    }
}

/// The projects that the arguments ask for, by database.
pub fn of(context: &Context<'_>) -> Result<Vec<SharedDatabase>, CommandError> {
    let mut members = Vec::new();
    for project in packages::projects(context)? {
        let dialect = loaded_project::dialect_without_database(context, &project)?;
        let folder = project.read(dialect);
        members.push(Member::new(project, folder));
    }
    Ok(group_by_database(context, members))
}

/// Puts those together that may share a database.
pub fn group_by_database(context: &Context<'_>, members: Vec<Member>) -> Vec<SharedDatabase> {
    let mut all: Vec<SharedDatabase> = Vec::new();
    for member in members {
        let dialect = member.folder.set.dialect();
        let url = database_url::of(context, &member.project).ok();
        let fits = |one: &&mut SharedDatabase| one.dialect == dialect && (one.url.is_none() || url.is_none() || one.url == url);
        match all.iter_mut().find(fits) {
            Some(one) => {
                one.url = one.url.take().or(url);
                one.members.push(member);
            }
            None => all.push(SharedDatabase { dialect, url, members: vec![member] }),
        }
    }
    all
}
