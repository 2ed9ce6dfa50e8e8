//! Groups services by database. Services of one dialect share a database, unless their URLs are known and differ.

use crate::command::Context;
use crate::database_url;
use crate::loaded_project;
use crate::packages;
use migrate_cli::CommandError;
use migrate_lint::folder_lint;
use migrate_lint::owners::ServiceHistory;
use migrate_model::dialect::Dialect;
use migrate_model::files::folder::Folder;
use migrate_model::files::project::Project;
use migrate_model::finding::Level;
use migrate_runtime::DatabaseUrl;
use std::collections::BTreeMap;

/// The services of one database.
#[derive(Debug)]
pub struct SharedDatabase {
    /// The SQL dialect of all members.
    pub dialect: Dialect,
    url: Option<DatabaseUrl>,
    pub members: Vec<Member>,
}

/// A service that shares a database.
#[derive(Debug)]
pub struct Member {
    pub project: Project,
    pub folder: Folder,
    levels: BTreeMap<String, Option<Level>>,
}

impl Member {
    /// A member with the rule levels that its settings specify.
    pub fn new(project: Project, folder: Folder) -> Self {
        let levels = folder_lint::options(&project.settings, folder.set.dialect()).0.levels;
        Member { project, folder, levels }
    }
}

impl SharedDatabase {
    /// The members in the form that `owners` compares.
    pub fn services(&self) -> Vec<ServiceHistory<'_>> {
        let services = self.members.iter().map(|member| ServiceHistory {
            name: &member.project.service,
            history: member.folder.set.migrations(),
            owns: &member.project.settings.safety.owns,
            levels: &member.levels,
        });
        services.collect()
    }
}

/// The selected projects, grouped by database.
pub fn of(context: &Context<'_>) -> Result<Vec<SharedDatabase>, CommandError> {
    let mut members = Vec::new();
    for project in packages::projects(context)? {
        let dialect = loaded_project::dialect_without_database(context, &project)?;
        let folder = project.read(dialect);
        members.push(Member::new(project, folder));
    }
    Ok(group_by_database(context, members))
}

/// Whether two URLs may name one database, even with different users.
fn is_same(left: Option<&DatabaseUrl>, right: Option<&DatabaseUrl>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => left.place() == right.place(),
        _ => true,
    }
}

/// Groups the members that may share a database.
pub fn group_by_database(context: &Context<'_>, members: Vec<Member>) -> Vec<SharedDatabase> {
    let mut databases: Vec<SharedDatabase> = Vec::new();
    for member in members {
        let dialect = member.folder.set.dialect();
        let url = database_url::of(context, &member.project).ok();
        let may_match =
            |database: &&mut SharedDatabase| database.dialect == dialect && is_same(database.url.as_ref(), url.as_ref());
        match databases.iter_mut().find(may_match) {
            Some(database) => {
                database.url = database.url.take().or(url);
                database.members.push(member);
            }
            None => databases.push(SharedDatabase { dialect, url, members: vec![member] }),
        }
    }
    databases
}
