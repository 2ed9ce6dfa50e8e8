//! The files of a new migration: their version, their names and how they are written.

use crate::file_writer;
use crate::template::Template;
use jiff::{Timestamp, ToSpan, civil::DateTime, tz::TimeZone};
use migrate_cli::CommandError;
use migrate_model::files::boundary::Boundary;
use migrate_model::files::folder::FileList;
use migrate_model::layout::NewMigration;
use migrate_model::layouts;
use migrate_model::target::Direction;
use migrate_model::version::Version;
use std::path::Path;

/// How the next version is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// The same kind as the newest version.
    SameAsLatest,
    /// The next sequential number.
    Number,
    /// The current time in UTC.
    Time,
}

/// Writes new files, each as a path relative to the folder and a text.
///
/// # Errors
/// If a file exists, or cannot be written.
pub fn write(folder: &Path, files: &[(String, String)], boundary: &Boundary) -> Result<(), CommandError> {
    for (path, text) in files {
        let path = folder.join(path);
        if !file_writer::create(&path, text, boundary)? {
            return Err(CommandError::other(format!("cannot write `{}`: the file exists", path.display())));
        }
    }
    Ok(())
}

/// The files of a new migration with their texts, in the layout of the newest file in the folder.
pub fn file_names(list: &FileList, version: &Version, name: &str, template: &Template) -> Vec<(String, String)> {
    let newest = list.files.iter().rfind(|file| file.direction == Direction::Up);
    let layout = newest.map_or(layouts::DEFAULT, |file| file.layout);
    let of_direction = |direction: Direction| -> Vec<&str> {
        let files = list.files.iter().filter(|file| file.layout == layout && file.direction == direction);
        files.map(|file| file.name.as_str()).collect()
    };
    let (ups, downs) = (of_direction(Direction::Up), of_direction(Direction::Down));
    let paths = (layout.new_paths)(&NewMigration { version, name, ups: &ups, downs: &downs });
    let down = paths.down.map(|path| (path, template.down.clone()));
    std::iter::once((paths.up, template.up.clone())).chain(down).collect()
}

/// The version after one that was just given: one second later, or the next number.
pub fn version_after(version: &Version) -> Version {
    let text = version.as_str();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let form = if text.contains('-') { "%Y-%m-%d-%H%M%S" } else { "%Y%m%d%H%M%S" };
    let time = DateTime::strptime("%Y%m%d%H%M%S", &digits).ok().filter(|_| version.is_timestamp());
    // What only looks like a time, such as `20260199000000`, is a number.
    let later = time.and_then(|time| time.checked_add(1.second()).ok()?.strftime(form).to_string().parse().ok());
    later.unwrap_or_else(|| version.successor())
}

/// The next free version.
///
/// # Errors
/// If the current time is not a valid version.
pub fn next_version(numbering: Numbering, names: &FileList, recorded: Option<&Version>) -> Result<Version, CommandError> {
    let newest = names.files.last().map(|file| &file.version).max(recorded);
    let timestamp = match newest {
        _ if numbering == Numbering::Time => true,
        _ if numbering == Numbering::Number => false,
        Some(newest) => newest.is_timestamp(),
        None => false,
    };
    if !timestamp {
        let first = || "001".parse().map_err(|_| CommandError::other("`001` is not a valid version"));
        return newest.map_or_else(first, |newest| Ok(newest.successor()));
    }
    // If the second is taken, or if the clock is slow, use the next free second.
    let mut now = Timestamp::now();
    loop {
        let dashes = newest.is_some_and(|newest| newest.as_str().contains('-'));
        let form = if dashes { "%Y-%m-%d-%H%M%S" } else { "%Y%m%d%H%M%S" };
        let text = now.to_zoned(TimeZone::UTC).strftime(form).to_string();
        let version: Version =
            text.parse().map_err(|_| CommandError::other(format!("the current time `{text}` is not a valid version")))?;
        let free = names.files.iter().all(|file| file.version != version);
        let above =
            newest.is_none_or(|newest| !newest.is_timestamp() || *newest < version || now > Timestamp::now() + 3600.seconds());
        if free && above {
            return Ok(version);
        }
        now += 1.second();
    }
}
