//! Reads files whose names come from a repository: regular files only, up to a limit, and without waiting. A named pipe
//! or a device in place of a file would block the reader for ever, or exhaust its memory.
//!
//! All files of a project are read here: `migrate.lock`, `migrate.toml`, `.env`, `Cargo.toml` and the migrations.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The limit of `migrate.toml`, `.env` and `Cargo.toml`, in bytes.
pub const SETTINGS_LIMIT: u64 = 1 << 20;

/// The limit of `migrate.lock`, in bytes.
pub const LOCK_LIMIT: u64 = 16 << 20;

/// The limit of a migration, in bytes.
pub const MIGRATION_LIMIT: u64 = 1 << 30;

/// Reads a file.
///
/// # Errors
/// If it cannot be read, is not a regular file, or is longer than the limit. The error contains nothing of the file.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, length) = open_with_length(path, OpenOptions::new().read(true))?;
    read_up_to(&file, length, limit)
}

/// Reads a file whose folder was listed a moment ago, and which was a regular one there.
///
/// # Errors
/// For the reasons of `read`.
pub fn read_listed(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, length) = open_without_waiting(path, OpenOptions::new().read(true))?;
    read_up_to(&file, length, limit)
}

/// Reads a file as UTF-8.
///
/// # Errors
/// For the reasons of `read`, and if it is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    text(read(path, limit)?)
}

/// The rest of an open file as UTF-8.
///
/// # Errors
/// For the reasons of `read_text`.
pub fn read_open_text(file: &File, limit: u64) -> io::Result<String> {
    text(read_up_to(file, file.metadata()?.len(), limit)?)
}

/// Opens a file if it is a regular file, or if it does not exist and the options create it.
///
/// # Errors
/// If it cannot be opened, or is not a regular file.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    open_with_length(path, options).map(|(file, _)| file)
}

fn open_with_length(path: &Path, options: &mut OpenOptions) -> io::Result<(File, u64)> {
    // Opening alone may block, or make a device act, so the first check precedes it.
    match path.metadata() {
        Ok(metadata) => check_kind(metadata.file_type())?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    open_without_waiting(path, options)
}

fn open_without_waiting(path: &Path, options: &mut OpenOptions) -> io::Result<(File, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    let file = options.open(path)?;
    // The file may have been replaced since it was checked.
    let metadata = file.metadata()?;
    check_kind(metadata.file_type())?;
    Ok((file, metadata.len()))
}

fn read_up_to(file: &File, length: u64, limit: u64) -> io::Result<Vec<u8>> {
    let too_long = || io::Error::new(ErrorKind::FileTooLarge, format!("it is longer than {} MiB", limit >> 20));
    if length > limit {
        return Err(too_long());
    }
    if length > 0 {
        // One call of the system suffices. A file that is being written has no more defined contents afterwards.
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        let mut filled = 0;
        while filled < bytes.len() {
            match (&mut &*file).read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        return Ok(bytes);
    }
    let mut bytes = Vec::new();
    // The length of some files, such as those of `/proc`, is not known before they are read.
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_long()) } else { Ok(bytes) }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not valid UTF-8"))
}

fn check_kind(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {}, not a regular file", kind_name(kind))))
}

fn kind_name(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let names = [
            (kind.is_fifo(), "a named pipe"),
            (kind.is_socket(), "a socket"),
            (kind.is_char_device() || kind.is_block_device(), "a device"),
        ];
        if let Some((_, name)) = names.iter().find(|(is_kind, _)| *is_kind) {
            return name;
        }
    }
    if kind.is_dir() { "a folder" } else { "a special file" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn regular_files_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert_eq!(read(&path, 3).unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(&path, "abc").unwrap();
        assert_eq!(read_text(&path, 3).unwrap(), "abc");
        assert_eq!(read(&path, 2).unwrap_err().kind(), ErrorKind::FileTooLarge);
        fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_text(&path, 3).unwrap_err().to_string(), "it is not valid UTF-8");
        assert_eq!(read(folder.path(), 3).unwrap_err().to_string(), "it is a folder, not a regular file");
        // A sparse file needs no space on the disk, but memory when it is read.
        File::create(&path).unwrap().set_len(SETTINGS_LIMIT + 1).unwrap();
        assert_eq!(read(&path, SETTINGS_LIMIT).unwrap_err().to_string(), "it is longer than 1 MiB");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_a_regular_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        for (target, what) in [
            (pipe.as_path(), "a named pipe"),
            (&folder.path().join("socket"), "a socket"),
            (Path::new("/dev/zero"), "a device"),
            (Path::new("/dev/tty"), "a device"),
        ] {
            let _ = fs::remove_file(&path);
            std::os::unix::fs::symlink(target, &path).unwrap();
            for path in [target, &path] {
                assert_eq!(read(path, 3).unwrap_err().to_string(), format!("it is {what}, not a regular file"), "{target:?}");
            }
        }
    }
}
