//! The database URL: from the flag, then the environment, then `.env`.

use crate::command::Context;
use migrate_cli::CommandError;
use migrate_model::dialect::Dialect;
use migrate_model::files::project::Project;
use migrate_runtime::DatabaseUrl;
use std::collections::HashMap;
use std::path::Path;
use url::Url;

/// The URL that does not depend on a project: from the flag, or from `DATABASE_URL` in the environment.
pub fn explicit(context: &Context<'_>) -> Option<Result<DatabaseUrl, CommandError>> {
    let from_environment = || std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
    let text = context.global.database_url.clone().or_else(from_environment)?;
    Some(parse(&text))
}

/// The database URL of a project.
///
/// # Errors
/// If no URL is given, a value of it is invalid, or SQLite would use an in-memory database.
pub fn of(context: &Context<'_>, project: &Project) -> Result<DatabaseUrl, CommandError> {
    of_given(&given(context, project)?.ok_or_else(missing_url)?)
}

/// The same, but `None` if no URL is given.
///
/// # Errors
/// Like [`of`], except if no URL is given.
pub fn if_given(context: &Context<'_>, project: &Project) -> Result<Option<DatabaseUrl>, CommandError> {
    given(context, project)?.map(|text| of_given(&text)).transpose()
}

fn of_given(text: &str) -> Result<DatabaseUrl, CommandError> {
    let url = parse(text)?;
    if url.is_in_memory() {
        // SQLite deletes an in-memory database when the command ends, so a reported success would be false.
        let message = format!("`{url}` contains no file name: the database would be lost when the command ends");
        return Err(CommandError::usage(message).help("specify a file, such as `sqlite:app.db`"));
    }
    Ok(url)
}

/// A URL that a flag or a variable gives: if it is invalid, that is wrong usage.
fn parse(text: &str) -> Result<DatabaseUrl, CommandError> {
    text.parse().map_err(|error: migrate_runtime::Error| CommandError::Usage {
        message: error.message().to_owned(),
        help: error.help_texts().to_vec(),
    })
}

fn given(context: &Context<'_>, project: &Project) -> Result<Option<String>, CommandError> {
    if let Some(url) = &context.global.database_url {
        return Ok(Some(url.clone()));
    }
    let files = [project.root.join(".env"), Path::new(".env").to_owned()];
    let variables: Vec<HashMap<String, String>> = files.iter().map(|file| read_env_file(file)).collect::<Result<_, _>>()?;
    let read_variable = |name: &str| {
        let value = std::env::var(name).ok();
        let value = value.or_else(|| variables.iter().find_map(|file| file.get(name).cloned()));
        value.filter(|value| !value.is_empty())
    };
    if let Some(url) = read_variable("DATABASE_URL") {
        return Ok(Some(url));
    }
    let dialect = context.global.dialect.as_ref().map(|argument| argument.dialect).or(project.settings.dialect);
    if let Some(port) = read_variable("DB_PORT").filter(|port| port.parse::<u16>().is_err()) {
        return Err(CommandError::usage(format!("DB_PORT `{port}` is not a valid port")).help("use a number from 1 to 65535"));
    }
    if read_variable("DB_HOST").is_some() && read_variable("DB_NAME").is_none() {
        return Err(CommandError::usage("DB_HOST is set, but DB_NAME is missing").help("set DB_NAME to the name of the database"));
    }
    Ok(from_parts(&read_variable, dialect))
}

fn missing_url() -> CommandError {
    CommandError::usage("no database URL given")
        .help("set it with `--database-url postgres://user:password@host/name`, or with `DATABASE_URL` in the environment or in `.env`")
        .help("or set DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME and DB_SSLMODE")
}

fn read_env_file(file: &Path) -> Result<HashMap<String, String>, CommandError> {
    match dotenvy::from_path_iter(file) {
        Ok(entries) => entries.collect::<Result<_, _>>().map_err(|error| {
            CommandError::other(format!("cannot read `{}`: {error}", file.display())).help("write each line as `NAME=value`")
        }),
        Err(error) if error.not_found() => Ok(HashMap::new()),
        Err(error) => Err(CommandError::other(format!("cannot read `{}`: {error}", file.display()))),
    }
}

/// Builds a URL from `DB_HOST` and the related variables. Without a known dialect, port 3306 selects MySQL and any other port
/// PostgreSQL.
fn from_parts(variable: &dyn Fn(&str) -> Option<String>, dialect: Option<Dialect>) -> Option<String> {
    let name = variable("DB_NAME");
    if dialect == Some(Dialect::Sqlite) {
        return name.map(|name| format!("sqlite:{name}"));
    }
    let host = variable("DB_HOST")?;
    let port = variable("DB_PORT");
    let dialect = dialect.unwrap_or(match port.as_deref() {
        Some("3306") => Dialect::MySql,
        _ => Dialect::Postgres,
    });
    let mut url = Url::parse(&format!("{}://localhost", dialect.name())).ok()?;
    url.set_host(Some(&host)).ok()?;
    if let Some(port) = port {
        url.set_port(Some(port.parse().ok()?)).ok()?;
    }
    if let Some(user) = variable("DB_USER") {
        url.set_username(&escaped(&user)).ok()?;
    }
    // The setters of `Url` percent-encode special characters, except `%`.
    url.set_password(variable("DB_PASSWORD").map(|password| escaped(&password)).as_deref()).ok()?;
    url.set_path(&escaped(&name?));
    if let Some(mode) = variable("DB_SSLMODE") {
        let key = if dialect == Dialect::MySql { "ssl-mode" } else { "sslmode" };
        let mode = match (dialect, mode.as_str()) {
            (Dialect::MySql, "disable") => "DISABLED".to_owned(),
            (Dialect::MySql, "require") => "REQUIRED".to_owned(),
            (Dialect::MySql, "prefer") => "PREFERRED".to_owned(),
            _ => mode,
        };
        url.query_pairs_mut().append_pair(key, &mode);
    }
    Some(url.to_string())
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(dialect: Option<Dialect>, variables: &[(&str, &str)]) -> Option<String> {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        from_parts(&variable, dialect)
    }

    #[test]
    fn built_from_parts() {
        let all = [
            ("DB_HOST", "postgres"),
            ("DB_PORT", "5432"),
            ("DB_USER", "link/user"),
            ("DB_PASSWORD", "p@ss:w%41rd"),
            ("DB_NAME", "linkdb"),
            ("DB_SSLMODE", "disable"),
        ];
        assert_eq!(url(None, &all).unwrap(), "postgres://link%2Fuser:p%40ss%3Aw%2541rd@postgres:5432/linkdb?sslmode=disable");
        assert_eq!(
            url(Some(Dialect::MySql), &all).unwrap(),
            "mysql://link%2Fuser:p%40ss%3Aw%2541rd@postgres:5432/linkdb?ssl-mode=DISABLED"
        );
        assert_eq!(url(None, &[("DB_HOST", "h"), ("DB_PORT", "3306"), ("DB_NAME", "n")]).unwrap(), "mysql://h:3306/n");
        assert_eq!(url(Some(Dialect::Sqlite), &[("DB_NAME", "app.db")]).unwrap(), "sqlite:app.db");
        assert_eq!(url(None, &[("DB_HOST", "h")]), None);
        assert_eq!(url(None, &[]), None);
    }
}
