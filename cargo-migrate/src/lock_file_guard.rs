//! `migrate.lock`, held against other commands that would write it: two that run at once write one after the other.

use crate::failure::CommandError;
use migrate_model::folder::FileList;
use migrate_model::lock_file::{self, LockFile};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The lock file, open and locked against others who would write it.
pub struct LockFileGuard {
    file: File,
    path: PathBuf,
}

impl LockFileGuard {
    /// Opens it, or makes it, and waits until nobody else has it.
    pub fn take(folder: &Path) -> Result<Self, CommandError> {
        let path = folder.join(lock_file::FILE);
        let cannot = |error: std::io::Error| CommandError::other(format!("cannot write `{}`: {error}", path.display()));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(cannot)?;
        file.lock().map_err(cannot)?;
        Ok(LockFileGuard { file, path })
    }

    /// What it says. A lock file that is new takes every file that is there as a draft.
    pub fn read(&mut self, present: &FileList) -> Result<LockFile, CommandError> {
        let cannot = |error: std::io::Error| CommandError::other(format!("cannot write `{}`: {error}", self.path.display()));
        let mut text = String::new();
        self.file.read_to_string(&mut text).map_err(cannot)?;
        if text.is_empty() {
            let drafts = present.files.iter().map(|file| file.name.clone()).collect();
            return Ok(LockFile { locked: Vec::new(), drafts });
        }
        let (lock, findings) = lock_file::read(&text, &self.path.display().to_string());
        if findings.is_empty() { Ok(lock) } else { Err(CommandError::Findings(findings)) }
    }

    /// Writes it anew.
    pub fn write(&mut self, lock: &LockFile) -> Result<(), CommandError> {
        let cannot = |error: std::io::Error| CommandError::other(format!("cannot write `{}`: {error}", self.path.display()));
        self.file.rewind().map_err(cannot)?;
        let text = lock.write();
        self.file.write_all(text.as_bytes()).map_err(cannot)?;
        self.file.set_len(text.len() as u64).map_err(cannot)
    }
}
