//! Writes the files of a project: only in its repository, never through a symbolic link, and never half a file.

use migrate_cli::CommandError;
use migrate_model::files::boundary::{self, Boundary};
use migrate_model::place::Place;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Creates a folder and the folders above it.
///
/// # Errors
/// If it is outside the repository, or cannot be created.
pub fn create_folder(path: &Path, boundary: &Boundary) -> Result<(), CommandError> {
    if !boundary.contains(path) {
        let name = path.display().to_string();
        let finding = boundary::outside(&format!("the folder `{name}`"));
        return Err(CommandError::Findings(vec![finding.at(Place::file(name))]));
    }
    fs::create_dir_all(path).map_err(|error| CommandError::other(format!("cannot create `{}`: {error}", path.display())))
}

/// Creates a file, and its folder. Returns false, and changes nothing, if something with its name exists.
///
/// # Errors
/// If its folder is outside the repository, or if it cannot be written.
pub fn create(path: &Path, text: &str, boundary: &Boundary) -> Result<bool, CommandError> {
    if let Some(parent) = path.parent() {
        create_folder(parent, boundary)?;
    }
    // `create_new` does not follow a link.
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true).map_err(|error| write_error(path, &error)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(write_error(path, &error)),
    }
}

/// Replaces the content of a file: the new content is written beside it and renamed.
///
/// # Errors
/// If the file is a link or not a regular file, or if it cannot be written.
pub fn replace(path: &Path, text: &str) -> Result<(), CommandError> {
    refuse_link(path)?;
    let temporary = temporary_name(path);
    let written = write_and_rename(path, &temporary, text);
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(|error| write_error(path, &error))
}

/// Refuses a file that is written in place of a link.
///
/// # Errors
/// If the path is a link, or neither a regular file nor free.
pub fn refuse_link(path: &Path) -> Result<(), CommandError> {
    let kind = match path.symlink_metadata() {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(write_error(path, &error)),
    };
    if kind.is_file() {
        return Ok(());
    }
    let what = if kind.is_symlink() { "a symbolic link" } else { "not a regular file" };
    Err(CommandError::other(format!("cannot write `{}`: it is {what}", path.display())).help("replace it with a regular file"))
}

fn write_and_rename(path: &Path, temporary: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(temporary)?;
    file.write_all(text.as_bytes())?;
    if let Ok(metadata) = path.symlink_metadata() {
        file.set_permissions(metadata.permissions())?;
    }
    file.sync_all()?;
    fs::rename(temporary, path)
}

fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

fn write_error(path: &Path, error: &io::Error) -> CommandError {
    CommandError::other(format!("cannot write `{}`: {error}", path.display()))
}
