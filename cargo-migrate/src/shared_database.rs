//! Groups services by database. Services of one dialect share a database, unless their URLs are known and differ.
//!
//! What the services of a database do to each other's objects is found with all services of the workspace, also if only one of them
//! was selected.

use crate::command::Context;
use crate::database_url;
use crate::loaded_project;
use crate::packages;
use crate::relative_paths::relative_to_cwd;
use migrate_cli::CommandError;
use migrate_lint::folder_lint;
use migrate_lint::lint::LintScope;
use migrate_lint::owners::{self, ServiceHistory};
use migrate_model::dialect::Dialect;
use migrate_model::files::folder::Folder;
use migrate_model::files::project::Project;
use migrate_model::finding::{Finding, Level};
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
    in_command: InCommand,
}

/// Whether the command is about a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum InCommand {
    /// It is the one at this position.
    Selected(usize),
    /// It only shares a database with one that is.
    Neighbor,
}

impl Member {
    /// Is the command about this service?
    pub fn is_selected(&self) -> bool {
        self.in_command != InCommand::Neighbor
    }

    /// Do its settings or its files say to whom objects belong?
    fn says_who_owns(&self) -> bool {
        let says = |text: &str| text.contains("deprecates") || text.contains("hands-over");
        !self.project.settings.safety.owns.is_empty() || self.folder.set.iter().any(|migration| says(&migration.up.text))
    }

    /// A member with the rule levels that its settings specify.
    pub fn new(project: Project, folder: Folder) -> Self {
        let levels = folder_lint::options(&project.settings, folder.set.dialect()).0.levels;
        Member { project, folder, levels, in_command: InCommand::Neighbor }
    }
}

impl SharedDatabase {
    /// The members in the form that `owners` compares.
    pub fn services(&self) -> Vec<ServiceHistory<'_>> {
        let services = self.members.iter().map(|member| ServiceHistory {
            name: &member.project.service,
            history: member.folder.set.migrations(),
            owns: &member.project.settings.safety.owns,
            session: &member.project.settings.run.session,
            levels: &member.levels,
        });
        services.collect()
    }
}

/// The databases of the selected projects, each with all services of the workspace that share it.
///
/// # Errors
/// If settings cannot be read.
pub fn of(context: &Context<'_>) -> Result<Vec<SharedDatabase>, CommandError> {
    let mut members = Vec::new();
    for project in packages::projects(context)? {
        let dialect = loaded_project::dialect_without_database(context, &project)?;
        let folder = project.read(dialect);
        members.push(Member::new(project, folder));
    }
    let selected = members.len();
    members.extend(others(context, &members));
    for (at, member) in members.iter_mut().enumerate() {
        member.in_command = if at < selected { InCommand::Selected(at) } else { InCommand::Neighbor };
    }
    let mut databases = group_by_database(context, members);
    databases.retain(|database| database.members.iter().any(Member::is_selected));
    Ok(databases)
}

/// A selected service, with what its migrations do to the objects of other services.
#[derive(Debug)]
pub struct Compared {
    pub member: Member,
    pub findings: Vec<Finding>,
    /// The other services of its database.
    pub neighbors: Vec<String>,
}

/// Compares selected services with all services of the workspace that share a database with them. The findings are about the
/// migrations in the scope of each.
pub fn compare(context: &Context<'_>, selected: Vec<(Member, LintScope)>) -> Vec<Compared> {
    let scopes: Vec<LintScope> = selected.iter().map(|(_, scope)| scope.clone()).collect();
    let mut members: Vec<Member> = selected.into_iter().map(|(member, _)| member).collect();
    let others = others(context, &members);
    // One service cannot be in the way of another; its own `owns` and directives are still to be looked at.
    if others.is_empty() && members.len() == 1 && !members.iter().any(Member::says_who_owns) {
        return members.into_iter().map(|member| Compared { member, findings: Vec::new(), neighbors: Vec::new() }).collect();
    }
    for (at, member) in members.iter_mut().enumerate() {
        member.in_command = InCommand::Selected(at);
    }
    members.extend(others);
    let mut all = Vec::new();
    for database in group_by_database(context, members) {
        if !database.members.iter().any(Member::is_selected) {
            continue;
        }
        let is_checked = |service: usize, migration: usize| match database.members[service].in_command {
            InCommand::Selected(at) => match &scopes[at] {
                LintScope::Only(positions) => positions.contains(&migration),
                LintScope::All => true,
            },
            InCommand::Neighbor => false,
        };
        let findings = owners::findings(&database.services(), database.dialect, is_checked);
        let names: Vec<String> = database.members.iter().map(|member| member.project.service.clone()).collect();
        for (at, member) in database.members.into_iter().enumerate().filter(|(_, member)| member.is_selected()) {
            let of_member = findings.iter().filter(|finding| finding.service == at);
            let findings = of_member.map(|finding| relative_to_cwd(&member.project, finding.finding.clone())).collect();
            let neighbors = names.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, name)| name.clone()).collect();
            all.push(Compared { member, findings, neighbors });
        }
    }
    all.sort_by_key(|compared| compared.member.in_command);
    all
}

/// The services of the workspace that are not among these. Those that cannot be read are named: what they own is not known.
fn others(context: &Context<'_>, selected: &[Member]) -> Vec<Member> {
    let workspace = packages::of_workspace(context).unwrap_or_else(|error| {
        let reason: Vec<String> = error.findings().into_iter().map(|finding| finding.message).collect();
        context.output.message(format!("the other services of the workspace are not known: {}", reason.join("; ")));
        Vec::new()
    });
    let is_selected = |project: &Project| {
        selected.iter().any(|member| member.project.root == project.root && member.project.service == project.service)
    };
    let mut members = Vec::new();
    for project in workspace.into_iter().filter(|project| !is_selected(project)) {
        match loaded_project::dialect_without_database(context, &project) {
            Ok(dialect) => {
                let folder = project.read(dialect);
                members.push(Member::new(project, folder));
            }
            Err(_) => context.output.verbose(format!("the SQL dialect of service `{}` is not known", project.service)),
        }
    }
    members
}

/// Whether two URLs may name one database, even with different users.
fn is_same(left: Option<&DatabaseUrl>, right: Option<&DatabaseUrl>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => left.place() == right.place(),
        _ => true,
    }
}

/// Groups the members that may share a database.
fn group_by_database(context: &Context<'_>, members: Vec<Member>) -> Vec<SharedDatabase> {
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
