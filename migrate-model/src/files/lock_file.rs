//! `migrate.lock`: the locked files with their checksums, and the drafts.
//!
//! `sha256sum -c` can verify the lines of locked files. It treats drafts and the chain checksum as comments. `check` compares
//! the lock file with the migration files.

use crate::checksum::Checksum;
use crate::code::Code;
use crate::finding::Finding;
use crate::finding_list::FindingList;
use crate::place::{Place, SourceText};
use std::fmt::Write as _;

/// The name of the file, in the migrations folder.
pub const FILE: &str = "migrate.lock";

const HEAD: &str = "# Locked migrations and their SHA-256 checksums, then drafts. Written by `cargo migrate`; commit it.\n";

/// The contents of a lock file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockFile {
    /// The locked files, in version order.
    pub locked: Vec<(String, Checksum)>,
    /// The files that may still be edited, in version order.
    pub drafts: Vec<String>,
}

/// A line of the lock file that cannot be parsed.
pub static BAD_LOCK_FILE: Code = Code::new(
    "bad-lock-file",
    "`migrate.lock` contains a line that cannot be parsed. `migrate.lock` contains one line for each file: `<checksum>  <file>` for a locked file and `# draft <file>` for a draft. The last line is `# chain <checksum>`, a checksum of the lines of the locked files. Other lines that begin with `#` are comments. Any other line is usually left over from a merge.\n\nKeep the lines of both branches, then run \
     `cargo migrate lock --draft`: it verifies the checksum of each locked file and rewrites the lock file.",
);

/// The chain checksum of a lock file does not match its locked lines.
pub static LOCK_CHAIN_MISMATCH: Code = Code::new(
    "lock-chain-mismatch",
    "The last line of `migrate.lock`, `# chain <sha256>`, is a checksum of the lines of the locked files, and it does not match these lines, because they were edited manually or combined by a merge. `cargo migrate lock --draft` compares every locked file with its recorded \
     checksum and rewrites the last line.",
);

impl LockFile {
    /// The checksum of a locked file.
    pub fn locked_checksum(&self, name: &str) -> Option<Checksum> {
        self.locked.iter().find(|(locked, _)| locked == name).map(|(_, checksum)| *checksum)
    }

    /// The text of the lock file.
    pub fn write(&self) -> String {
        let mut text = HEAD.to_owned();
        for (name, checksum) in &self.locked {
            let _ = writeln!(text, "{checksum}  {name}");
        }
        for name in &self.drafts {
            let _ = writeln!(text, "# draft {name}");
        }
        let _ = writeln!(text, "# chain {}", self.chain());
        text
    }

    /// The chain checksum, over the lines of all locked files.
    fn chain(&self) -> Checksum {
        let lines: Vec<String> = self.locked.iter().map(|(name, checksum)| format!("{checksum}  {name}")).collect();
        Checksum::of_pieces(lines.iter().map(String::as_str))
    }
}

/// Parses a lock file; reports all problems together.
pub fn read(text: &str, file: &str) -> (LockFile, Vec<Finding>) {
    let source = SourceText::new(file, text);
    let mut lock = LockFile::default();
    let mut findings = FindingList::default();
    let mut chain = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let range = start..start + line.trim_end().len();
        start += line.len();
        let line = line.trim_end();
        if let Some(checksum) = line.strip_prefix("# chain ") {
            chain = Some((checksum.trim().to_owned(), range));
        } else if let Some(name) = line.strip_prefix("# draft ") {
            lock.drafts.push(name.trim().to_owned());
        } else if line.is_empty() || line.starts_with('#') {
            continue;
        } else if let Some((checksum, name)) = locked_line(line) {
            lock.locked.push((name.to_owned(), checksum));
        } else {
            findings.push(
                Finding::error(&BAD_LOCK_FILE, "this line is not a checksum with a file name, and it is not a comment")
                    .at(source.place(range))
                    .help(
                        "after a merge, remove the conflict markers and keep the lines of both branches, then run `cargo \
                         migrate lock --draft`",
                    ),
            );
        }
    }
    if findings.is_empty() {
        let place = match &chain {
            Some((checksum, _)) if *checksum == lock.chain().to_string() => return (lock, Vec::new()),
            Some((_, range)) => source.place(range.clone()),
            None => Place::file(file),
        };
        findings.push(
            Finding::error(
                &LOCK_CHAIN_MISMATCH,
                "the chain checksum does not match the lines of the locked files: they were edited manually or merged",
            )
            .at(place)
            .help("run `cargo migrate lock --draft`: it checks the locked files and rewrites the chain checksum"),
        );
    }
    (lock, findings.into_vec(file))
}

/// The checksum and the name in the line of a locked file.
fn locked_line(line: &str) -> Option<(Checksum, &str)> {
    let (checksum, name) = line.split_once("  ")?;
    Some((checksum.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_for_sha256sum() {
        let lock = LockFile {
            locked: vec![("001_a.up.sql".into(), Checksum::of_file(b"SELECT 1;\n"))],
            drafts: vec!["002_b.up.sql".into()],
        };
        insta::assert_snapshot!(lock.write());
    }

    #[test]
    fn changed_by_hand() {
        let locked = vec![("001_a.sql".into(), Checksum::of_file(b"a")), ("002_b.sql".into(), Checksum::of_file(b"b"))];
        let lock = LockFile { locked, drafts: vec![] };
        let text = lock.write();
        let without_one: String = text.lines().filter(|line| !line.contains("001_a")).map(|line| format!("{line}\n")).collect();
        assert_eq!(read(&without_one, "migrate.lock").1[0].code, &LOCK_CHAIN_MISMATCH);
        let conflict = text.replace("# chain", "<<<<<<< HEAD\n# chain");
        assert_eq!(read(&conflict, "migrate.lock").1[0].place.as_ref().unwrap().label(), "migrate.lock:4:1");
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(names in proptest::collection::vec("[a-z0-9_./ ]{1,12}[a-z]", 0..6), drafts in proptest::collection::vec("[a-z0-9_]{1,12}", 0..4)) {
            let locked = names.into_iter().map(|name| { let checksum = Checksum::of_file(name.as_bytes()); (name, checksum) }).collect();
            let lock = LockFile { locked, drafts };
            prop_assert_eq!(read(&lock.write(), "migrate.lock"), (lock, vec![]));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(#|draft|chain|[0-9a-f]{64}|  |\\PC|\n){0,20}") {
            read(&text, "migrate.lock");
        }
    }
}
