//! `migrate.lock`, opened with an exclusive file lock: commands that run at the same time write it one after the other.

use migrate_cli::CommandError;
use migrate_model::files::folder::FileList;
use migrate_model::files::lock_file::{self, LockFile};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The open lock file, with an exclusive file lock until the value is dropped.
pub struct LockFileGuard {
    file: File,
    path: PathBuf,
}

impl LockFileGuard {
    /// Opens the lock file, creates it if it is missing, and waits until no other process holds its file lock.
    pub fn take(folder: &Path) -> Result<Self, CommandError> {
        let path = folder.join(lock_file::FILE);
        let write_error = |error: std::io::Error| CommandError::other(format!("cannot write `{}`: {error}", path.display()));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(write_error)?;
        file.lock().map_err(write_error)?;
        Ok(LockFileGuard { file, path })
    }

    /// Parses the lock file. An empty one, as `take` creates it, lists every existing file as a draft.
    pub fn read(&mut self, present: &FileList) -> Result<LockFile, CommandError> {
        let read_error = |error: std::io::Error| CommandError::other(format!("cannot read `{}`: {error}", self.path.display()));
        let mut text = String::new();
        self.file.read_to_string(&mut text).map_err(read_error)?;
        if text.is_empty() {
            let drafts = present.files.iter().map(|file| file.name.clone()).collect();
            return Ok(LockFile { locked: Vec::new(), drafts });
        }
        let (lock, findings) = lock_file::read(&text, &self.path.display().to_string());
        if findings.is_empty() { Ok(lock) } else { Err(CommandError::Findings(findings)) }
    }

    /// Replaces the content of the lock file.
    pub fn write(&mut self, lock: &LockFile) -> Result<(), CommandError> {
        let write_error = |error: std::io::Error| CommandError::other(format!("cannot write `{}`: {error}", self.path.display()));
        self.file.rewind().map_err(write_error)?;
        let text = lock.write();
        self.file.write_all(text.as_bytes()).map_err(write_error)?;
        self.file.set_len(text.len() as u64).map_err(write_error)
    }
}
