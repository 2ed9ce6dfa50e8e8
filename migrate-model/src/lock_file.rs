//! `migrate.lock`: which files are released, with their sums, and which are drafts.
//!
//! A released file has a line that `sha256sum -c` reads; drafts and the chain are comments to it. What the lock file says is
//! compared with the files in `check`.

use crate::checksum::Checksum;
use crate::code::Code;
use crate::finding::Finding;
use crate::place::Place;
use std::fmt::Write as _;

/// The name of the file, in the migrations folder.
pub const FILE: &str = "migrate.lock";

const HEAD: &str = "# Released migrations and their SHA-256 sums, then drafts. Written by `cargo migrate`; commit it.\n";

/// What a lock file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockFile {
    /// Released files, in version order.
    pub locked: Vec<(String, Checksum)>,
    /// Files that may still be edited, in version order.
    pub drafts: Vec<String>,
}

/// A lock file that cannot be read, or was changed by hand.
pub static BAD_LOCK_FILE: Code = Code::new(
    "bad-lock-file",
    "`migrate.lock` holds one line for each file: `<sha256>  <file>` when it is released, `# draft <file>` when it may still be edited, \
     and a last line `# chain <sha256>` over the released ones. A line of another kind is usually left over from a merge; a chain that \
     does not fit means that released lines were changed by hand or by a merge.\n\nKeep the lines of both branches, then run \
     `cargo migrate lock --draft`: it checks every released file against its line and writes the chain anew.",
);

/// The chain checksum of a lock file does not match its locked lines.
pub static LOCK_CHAIN_MISMATCH: Code = Code::new(
    "lock-chain-mismatch",
    "The last line of `migrate.lock`, `# chain <sha256>`, is a checksum over the locked lines, and it does not match them: they were \
     edited manually or combined by a merge. `cargo migrate lock --draft` compares every locked file with its line and rewrites the chain \
     checksum.",
);

impl LockFile {
    /// The sum of a released file.
    pub fn locked_checksum(&self, name: &str) -> Option<Checksum> {
        self.locked.iter().find(|(released, _)| released == name).map(|(_, sum)| *sum)
    }

    /// The text of the file.
    pub fn write(&self) -> String {
        let mut text = HEAD.to_owned();
        for (name, sum) in &self.locked {
            let _ = writeln!(text, "{sum}  {name}");
        }
        for name in &self.drafts {
            let _ = writeln!(text, "# draft {name}");
        }
        let _ = writeln!(text, "# chain {}", self.chain());
        text
    }

    /// Over all released lines.
    fn chain(&self) -> Checksum {
        let lines: Vec<String> = self.locked.iter().map(|(name, sum)| format!("{sum}  {name}")).collect();
        Checksum::of_pieces(lines.iter().map(String::as_str))
    }
}

/// Reads a lock file; what is wrong in it is reported all at once.
pub fn read(text: &str, file: &str) -> (LockFile, Vec<Finding>) {
    let mut lock = LockFile::default();
    let mut findings = Vec::new();
    let mut chain = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let range = start..start + line.trim_end().len();
        start += line.len();
        let line = line.trim_end();
        if let Some(sum) = line.strip_prefix("# chain ") {
            chain = Some((sum.trim().to_owned(), range));
        } else if let Some(name) = line.strip_prefix("# draft ") {
            lock.drafts.push(name.trim().to_owned());
        } else if line.is_empty() || line.starts_with('#') {
            continue;
        } else if let Some((sum, name)) = line.split_once("  ").and_then(|(sum, name)| Some((sum.parse().ok()?, name))) {
            lock.locked.push((name.to_owned(), sum));
        } else {
            findings.push(
                Finding::error(&BAD_LOCK_FILE, "this line is neither a sum and a file nor a comment")
                    .at(Place::range(file, text, range))
                    .help("keep the lines of both branches if this comes from a merge, then run `cargo migrate lock --draft`"),
            );
        }
    }
    if findings.is_empty() {
        let place = match &chain {
            Some((sum, _)) if *sum == lock.chain().to_string() => return (lock, findings),
            Some((_, range)) => Place::range(file, text, range.clone()),
            None => Place::file(file),
        };
        findings.push(
            Finding::error(
                &LOCK_CHAIN_MISMATCH,
                "the chain checksum does not match the locked lines: they were edited manually or merged",
            )
            .at(place)
            .help("run `cargo migrate lock --draft`: it checks the locked files and rewrites the chain checksum"),
        );
    }
    (lock, findings)
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
        let released = vec![("001_a.sql".into(), Checksum::of_file(b"a")), ("002_b.sql".into(), Checksum::of_file(b"b"))];
        let lock = LockFile { locked: released, drafts: vec![] };
        let text = lock.write();
        let without_one: String = text.lines().filter(|line| !line.contains("001_a")).map(|line| format!("{line}\n")).collect();
        assert_eq!(read(&without_one, "migrate.lock").1[0].code, &LOCK_CHAIN_MISMATCH);
        let conflict = text.replace("# chain", "<<<<<<< HEAD\n# chain");
        assert_eq!(read(&conflict, "migrate.lock").1[0].place.as_ref().unwrap().label(), "migrate.lock:4:1");
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(names in proptest::collection::vec("[a-z0-9_./ ]{1,12}[a-z]", 0..6), drafts in proptest::collection::vec("[a-z0-9_]{1,12}", 0..4)) {
            let released = names.into_iter().map(|name| { let sum = Checksum::of_file(name.as_bytes()); (name, sum) }).collect();
            let lock = LockFile { locked: released, drafts };
            prop_assert_eq!(read(&lock.write(), "migrate.lock"), (lock, vec![]));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(#|draft|chain|[0-9a-f]{64}|  |\\PC|\n){0,20}") {
            read(&text, "migrate.lock");
        }
    }
}
