//! Services that share a database, as far as that is known: the same SQL, and no two URLs that differ.

use crate::command::Context;
use crate::database_url;
use crate::failure::Failure;
use crate::packages;
use crate::selection;
use migrate_lint::folder_lint;
use migrate_lint::owners::Service;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::folder::Folder;
use migrate_model::project::Project;
use std::collections::BTreeMap;

/// Services of one database.
#[derive(Debug)]
pub struct Sharing {
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

impl Sharing {
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
pub fn of(context: &Context<'_>) -> Result<Vec<Sharing>, Failure> {
    let mut members = Vec::new();
    for project in packages::projects(context)? {
        let dialect = selection::dialect_without_database(context, &project)?;
        let folder = project.read(dialect);
        members.push(Member::new(project, folder));
    }
    Ok(divided(context, members))
}

/// Puts those together that may share a database.
pub fn divided(context: &Context<'_>, members: Vec<Member>) -> Vec<Sharing> {
    let mut all: Vec<Sharing> = Vec::new();
    for member in members {
        let dialect = member.folder.set.dialect();
        let url = database_url::of(context, &member.project).ok();
        let fits = |one: &&mut Sharing| one.dialect == dialect && (one.url.is_none() || url.is_none() || one.url == url);
        match all.iter_mut().find(fits) {
            Some(one) => {
                one.url = one.url.take().or(url);
                one.members.push(member);
            }
            None => all.push(Sharing { dialect, url, members: vec![member] }),
        }
    }
    all
}
