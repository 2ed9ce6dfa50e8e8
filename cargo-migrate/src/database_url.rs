//! The database URL: from the flag, then the environment, then `.env`. `connection_source` chooses among them.

use crate::command::Context;
use crate::connection_source::{self, SourcedUrl, UrlOrigin};
use crate::env_file::EnvFile;
use crate::relative_paths;
use migrate_cli::CommandError;
use migrate_model::files::boundary;
use migrate_model::files::project::Project;
use migrate_model::files::regular_file::{self, SETTINGS_LIMIT};
use migrate_model::place::Place;
use migrate_runtime::DatabaseUrl;
use std::io::ErrorKind;
use std::iter;
use std::path::{Path, PathBuf};

/// The database of a project.
#[derive(Debug)]
pub struct Connection {
    pub url: DatabaseUrl,
    pub origin: UrlOrigin,
    /// What another source sets and is not used, to be shown where the URL is used.
    pub notes: Vec<String>,
}

/// The URL that does not depend on a project: from the flag, or from `DATABASE_URL` in the environment.
pub fn explicit(context: &Context<'_>) -> Option<Result<DatabaseUrl, CommandError>> {
    let text = context.global.database_url.clone().or_else(|| environment("DATABASE_URL"))?;
    Some(parse(&text))
}

/// The database URL of a project.
///
/// # Errors
/// For the reasons of `connection`.
pub fn of(context: &Context<'_>, project: &Project) -> Result<DatabaseUrl, CommandError> {
    Ok(connection(context, project)?.url)
}

/// The database URL of a project, with its origin.
///
/// # Errors
/// If no URL is given, a value of it is invalid, or SQLite would use an in-memory database.
pub fn connection(context: &Context<'_>, project: &Project) -> Result<Connection, CommandError> {
    of_given(given(context, project)?.ok_or_else(missing_url)?)
}

/// The same, but `None` if no URL is given.
///
/// # Errors
/// Like [`connection`], except if no URL is given.
pub fn if_given(context: &Context<'_>, project: &Project) -> Result<Option<Connection>, CommandError> {
    given(context, project)?.map(of_given).transpose()
}

fn of_given(SourcedUrl { text, origin, notes }: SourcedUrl) -> Result<Connection, CommandError> {
    let url = match &origin {
        UrlOrigin::File(path) => {
            let text = connection_source::from_folder(text, Path::new(path).parent().unwrap_or(Path::new("")));
            parse(&text).map_err(|error| error.help(format!("the URL is from `{path}`")))?
        }
        _ => parse(&text)?,
    };
    if url.is_in_memory() {
        // SQLite deletes an in-memory database when the command ends, so a reported success would be false.
        let message = format!("`{url}` contains no file name: the database would be lost when the command ends");
        return Err(CommandError::usage(message).help("specify a file, such as `sqlite:app.db`"));
    }
    Ok(Connection { url, origin, notes })
}

/// A URL that a flag or a variable gives: if it is invalid, that is wrong usage.
fn parse(text: &str) -> Result<DatabaseUrl, CommandError> {
    text.parse().map_err(|error: migrate_runtime::Error| CommandError::Usage {
        message: error.message().to_owned(),
        help: error.help_texts().to_vec(),
    })
}

/// Does a flag, a variable or a file give a URL?
///
/// # Errors
/// If a source is invalid.
pub fn is_configured(context: &Context<'_>, project: &Project) -> Result<bool, CommandError> {
    Ok(given(context, project)?.is_some())
}

fn given(context: &Context<'_>, project: &Project) -> Result<Option<SourcedUrl>, CommandError> {
    let flag = context.global.database_url.as_deref();
    let dialect = context.global.dialect.as_ref().map(|argument| argument.dialect).or(project.settings.dialect);
    let is_complete = flag.is_some() || environment("DATABASE_URL").is_some();
    let files = match env_files(project) {
        _ if is_complete => Vec::new(),
        Ok(files) => files,
        // Without the files, the notes on what they set in vain are missing.
        Err(_) if environment("DB_HOST").is_some() => Vec::new(),
        Err(error) => return Err(error),
    };
    connection_source::choose(flag, &environment, &files, dialect)
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn missing_url() -> CommandError {
    CommandError::usage("no database URL given")
        .help("set it with `--database-url postgres://user:password@host/name`, or with `DATABASE_URL` in the environment or in `.env`")
        .help("or set DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME and DB_SSLMODE, all in the environment or all in `.env`")
}

/// The `.env` files of the package folder, of the current folder, and of the folders above each in the repository, with their paths
/// from the current folder.
fn env_files(project: &Project) -> Result<Vec<(String, EnvFile)>, CommandError> {
    let current_dir = std::env::current_dir()?;
    let mut folders: Vec<PathBuf> = Vec::new();
    for start in [&project.root, &current_dir] {
        let start = start.canonicalize()?;
        let above = start.ancestors().skip(1).take_while(|folder| project.boundary.contains(folder));
        for folder in iter::once(&*start).chain(above) {
            if !folders.iter().any(|known| known == folder) {
                folders.push(folder.to_owned());
            }
        }
    }
    let files = folders.iter().map(|folder| folder.join(".env")).map(|path| {
        let name = relative_paths::shown_path(&path);
        if path.is_symlink() && !project.boundary.contains(&path) {
            let finding = boundary::outside(&format!("the target of the symbolic link `{name}`"));
            return Err(CommandError::Findings(vec![finding.at(Place::file(name))]));
        }
        Ok(read_env_file(&path, &name)?.map(|file| (name, file)))
    });
    files.filter_map(Result::transpose).collect()
}

/// The variables of a `.env` file; `None` if it does not exist.
fn read_env_file(path: &Path, name: &str) -> Result<Option<EnvFile>, CommandError> {
    let text = match regular_file::read_text(path, SETTINGS_LIMIT) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommandError::other(format!("cannot read `{name}`: {error}"))),
    };
    Ok(Some(EnvFile::parse(&text)))
}
