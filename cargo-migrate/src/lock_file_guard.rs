//! `migrate.lock`, opened with an exclusive file lock: commands that run at the same time write it one after the other.

use crate::file_writer;
use crate::relative_paths::{self, rejected};
use migrate_cli::CommandError;
use migrate_model::files::folder::FileList;
use migrate_model::files::lock_file::{self, LockFile};
use migrate_model::files::project::Project;
use migrate_model::files::regular_file::{self, LOCK_LIMIT};
use std::fs::{File, OpenOptions};
use std::io::Seek;
use std::path::{Path, PathBuf};

/// The open lock file, with an exclusive file lock until the value is dropped.
pub struct LockFileGuard {
    file: File,
    path: PathBuf,
}

impl LockFileGuard {
    /// Opens the lock file, creates it if it is missing, and waits until no other process holds its file lock.
    pub fn take(project: &Project) -> Result<Self, CommandError> {
        let folder = project.first_folder().map_err(|finding| rejected(project, [*finding]))?;
        let path = folder.join(lock_file::FILE);
        let write_error = |error: std::io::Error| CommandError::other(format!("cannot write `{}`: {error}", path.display()));
        loop {
            file_writer::refuse_link(&path)?;
            let options = &mut OpenOptions::new();
            let file = regular_file::open(&path, options.read(true).write(true).create(true)).map_err(write_error)?;
            file.lock().map_err(write_error)?;
            // The process that held the lock may have replaced the file.
            if is_still_at(&file, &path) {
                return Ok(LockFileGuard { file, path });
            }
        }
    }

    /// Parses the lock file. An empty one, as `take` creates it, lists every existing file as a draft.
    pub fn read(&mut self, present: &FileList) -> Result<LockFile, CommandError> {
        let read_error = |error: std::io::Error| CommandError::other(format!("cannot read `{}`: {error}", self.path.display()));
        let text = regular_file::read_open_text(&self.file, LOCK_LIMIT).map_err(read_error)?;
        if text.is_empty() {
            let drafts = present.files.iter().map(|file| file.name.clone()).collect();
            return Ok(LockFile { locked: Vec::new(), drafts });
        }
        let (lock, findings) = lock_file::read(&text, &relative_paths::shown_path(&self.path));
        if findings.is_empty() { Ok(lock) } else { Err(CommandError::Findings(findings)) }
    }

    /// Replaces the lock file, unless it has these contents already: a new time of change would build the application again. It is
    /// the last step: other processes no longer wait afterwards.
    pub fn write(self, lock: &LockFile) -> Result<(), CommandError> {
        let text = lock.write();
        let before = (&self.file).rewind().and_then(|()| regular_file::read_open_text(&self.file, LOCK_LIMIT));
        if before.is_ok_and(|before| before == text) { Ok(()) } else { file_writer::replace(&self.path, &text) }
    }
}

/// A command that was rejected leaves no empty lock file. Another process that waits for this one creates its own.
#[cfg(unix)]
impl Drop for LockFileGuard {
    fn drop(&mut self) {
        let is_empty = self.file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        if is_empty && is_still_at(&self.file, &self.path) {
            // What remains is an empty file, which the next command accepts.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether an open file is the one at the path.
#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().ok().map(identity) == path.symlink_metadata().ok().map(identity)
}

/// Other systems have no stable way to compare two files.
#[cfg(not(unix))]
fn is_still_at(_: &File, _: &Path) -> bool {
    true
}
