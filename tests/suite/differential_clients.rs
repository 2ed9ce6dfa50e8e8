//! Compares what our runs and the clients of the databases do with the same files: each file is applied by us and by `psql`,
//! `mariadb` or `sqlite3` in fresh databases, and the dumps are compared.
//!
//! The input is real folders and cases, if they are there, and the pairs of texts in this file. What the client applies and we
//! refuse is a failure, unless the code is in `REASONS`. What the client rejects is not compared: a history ends there.

use migrate_model::directives;
use migrate_model::files::folder::Folder;
use migrate_model::finding::Finding;
use migrate_model::place::SourceText;
use migrate_model::script::Script;
use migrate_model::version::Version;
use migrate_runtime::Migrator;
use migrate_tests::client::{self, Rejection};
use migrate_tests::{Kind, TestDatabase, TestFolder};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What we refuse although a client applies it, and why.
const REASONS: [(&str, &str); 12] = [
    ("bad-directive", "a directive with a mistake would have no effect"),
    ("misplaced-directive", "a directive after the first statement would have no effect"),
    ("unsupported-directive", "the file would not do what its directive says"),
    ("client-command", "an application has no client that executes the command"),
    ("copy-to-stdout", "nobody reads the rows"),
    ("empty-file", "SQL that is added to the file later would never run"),
    ("load-data-local", "the driver does not send files of the client"),
    ("marked-file", "the file would apply and revert its change"),
    ("nul-character", "each database does something else with it"),
    ("psql-command", "an application has no client that executes the command"),
    ("sql-after-copy", "psql runs it after the rows, and other clients discard it"),
    ("unbalanced-transaction", "it is not clear what is atomic, or the file would apply nothing"),
];

/// The files of one history, in their order.
struct Group {
    name: String,
    kind: Kind,
    files: Vec<PathBuf>,
}

/// What was compared.
#[derive(Default)]
struct Totals {
    groups: usize,
    files: usize,
    applied_by_both: usize,
    rejected_by_client: usize,
    /// Files of a history that is compared already.
    repeated: usize,
    /// Files that create databases or users.
    outside: usize,
    refused: BTreeMap<String, usize>,
    problems: Vec<String>,
    compared: BTreeSet<String>,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { groups, files, applied_by_both, rejected_by_client, repeated, outside, refused, problems, .. } = self;
        write!(f, "{groups} folders, {files} files: {applied_by_both} applied by both with equal dumps, ")?;
        write!(f, "{rejected_by_client} at or after a file that the client rejects, {repeated} repeated, ")?;
        write!(f, "{outside} that create databases, refused {refused:?}, {} problems", problems.len())
    }
}

/// A folder beside the checkout with input for the tests; `None` if it is not there.
fn shared(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = root.parent().unwrap().join("shared").join(name);
    if !folder.is_dir() {
        eprintln!("{} does not exist: this run does not compare its files", folder.display());
    }
    folder.is_dir().then_some(folder)
}

/// Is a file an up migration? The names of other tools' down files are known.
fn is_up(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy().to_lowercase();
    let undoes = name.starts_with('u') && name[1..].starts_with(|c: char| c.is_ascii_digit());
    let folder = path.parent().unwrap().to_string_lossy().to_lowercase();
    let in_down_folder = ["/rollback", "/revert", "/down", "/verify"].iter().any(|end| folder.ends_with(end));
    !(name == "down.sql" || name.contains(".down.") || name.ends_with("_down.sql") || undoes || in_down_folder)
}

/// The databases that a path is for: those that its last parts name, or those of its collection.
fn kinds(path: &str, information: &str) -> Vec<Kind> {
    let path = path.to_lowercase();
    let words = [
        ("sqlite", Kind::Sqlite),
        ("mysql", Kind::MariaDb),
        ("mariadb", Kind::MariaDb),
        ("postgres", Kind::Postgres),
        ("pgx", Kind::Postgres),
    ];
    let named = |text: &str| -> Vec<Kind> {
        let kinds = words.iter().filter(|(word, _)| text.contains(word)).map(|(_, kind)| *kind);
        Kind::ALL.into_iter().filter(|kind| kinds.clone().any(|named| named == *kind)).collect()
    };
    let of_path = named(path.split_once("/migrations").map_or("", |(_, rest)| rest));
    if of_path.len() == 1 {
        return of_path;
    }
    match named(information) {
        kinds if kinds.is_empty() => Kind::ALL.to_vec(),
        kinds => kinds,
    }
}

/// The histories in a collection: the files of each folder, or of the folders in it that contain one migration each.
fn groups(corpus: &Path, kind: Kind) -> Vec<Group> {
    let mut folders: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    let mut files = Vec::new();
    crate::corpus::sql_files(corpus, &mut files);
    for file in files.into_iter().filter(|file| is_up(file)) {
        let folder = file.parent().unwrap();
        let holds_one = ["up.sql", "migration.sql"].iter().any(|name| file.ends_with(name));
        let folder = if holds_one { folder.parent().unwrap() } else { folder };
        folders.entry(folder.to_owned()).or_default().push(file);
    }
    let mut groups = Vec::new();
    for (folder, mut files) in folders {
        let name = folder.strip_prefix(corpus).unwrap().display().to_string();
        let information = fs::read_to_string(corpus.join(name.split('/').next().unwrap()).join("INFO.txt")).unwrap_or_default();
        let dialects = information.lines().find(|line| line.starts_with("dialect:")).unwrap_or_default().to_owned();
        if !kinds(&folder.display().to_string(), &dialects).contains(&kind) {
            continue;
        }
        files.retain(|file| is_for(file, kind));
        files.sort_by_cached_key(|file| order(&folder, file));
        groups.push(Group { name: format!("{kind:?} {name}"), kind, files });
    }
    groups
}

/// Does the name of a file such as `1_a.mysql.up.sql` name another database?
fn is_for(file: &Path, kind: Kind) -> bool {
    let name = file.file_name().unwrap().to_string_lossy().to_lowercase();
    let own = match kind {
        Kind::Postgres => "postgres",
        Kind::MariaDb => "mysql",
        Kind::Sqlite => "sqlite",
    };
    let is_other = |part: &str| ["postgres", "mysql", "sqlite", "cockroach"].iter().any(|other| part.starts_with(other));
    !name.split('.').any(|part| is_other(part) && !part.starts_with(own))
}

/// By version, then by name.
fn order(folder: &Path, file: &Path) -> (Option<Version>, String) {
    let name = file.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
    let number = name.strip_prefix('V').unwrap_or(&name);
    (Version::split_from(number, true).map(|(version, _)| version), name)
}

/// The error of a file that we refuse before anything runs.
fn refusal(text: &str, kind: Kind) -> Option<Finding> {
    let (script, findings) = Script::read(text.to_owned(), "f.sql", kind.dialect());
    let source = SourceText::new("f.sql", &script.text);
    let down_part = directives::down_part(&source, &script.statements, kind.dialect());
    let error = findings.into_iter().chain(down_part).find(Finding::is_error);
    error.or_else(|| script.statements.is_empty().then(|| Finding::error(&migrate_model::script::EMPTY_FILE, "no statement")))
}

/// Does a text create something outside its database? Both runs would create it on one server.
fn creates_outside(text: &str, kind: Kind) -> bool {
    let schema = if kind == Kind::Postgres { "create database " } else { "create schema " };
    let text = text.to_lowercase();
    [schema, "create database ", "create role ", "create user "].iter().any(|words| text.contains(words))
}

/// Applies the files of a group by us and by the client, and compares the databases.
async fn compare(group: &Group, totals: &mut Totals) {
    totals.groups += 1;
    let mut history = Vec::new();
    for file in &group.files {
        let Ok(text) = String::from_utf8(fs::read(file).unwrap()) else { continue };
        totals.files += 1;
        let code = refusal(&text, group.kind).map(|finding| finding.code.name);
        match code.filter(|code| REASONS.iter().any(|(known, _)| known == code)) {
            Some(code) => *totals.refused.entry(code.to_owned()).or_default() += 1,
            None if creates_outside(&text, group.kind) => totals.outside += 1,
            None => history.push((file.clone(), text)),
        }
    }
    let texts: Vec<&str> = history.iter().map(|(_, text)| text.as_str()).collect();
    if !totals.compared.insert(texts.concat()) {
        totals.repeated += history.len();
        return;
    }
    let mut applied = history.len();
    while let Some(theirs) = client_result(group.kind, &history[..applied]).await {
        match theirs {
            ClientResult::Dump { files, dump } => {
                totals.rejected_by_client += history.len() - files;
                compare_dumps(group, &texts[..files], &dump, totals).await;
                return;
            }
            ClientResult::Rejected { before } => applied = before,
        }
    }
    totals.rejected_by_client += history.len();
}

/// What the client does with a history.
enum ClientResult {
    /// The dump after so many files. The others were rejected, without a trace.
    Dump { files: usize, dump: String },
    /// It has applied a part of the file after these.
    Rejected { before: usize },
}

/// Applies files by the client; `None` if it applies none.
async fn client_result(kind: Kind, history: &[(PathBuf, String)]) -> Option<ClientResult> {
    if history.is_empty() {
        return None;
    }
    let database = TestDatabase::new(kind).await;
    let mut files = 0;
    let mut rejection = None;
    for (file, _) in history {
        rejection = client::apply(&database, file).err();
        if rejection.is_some() {
            break;
        }
        files += 1;
    }
    let result = match rejection {
        _ if files == 0 => None,
        Some(Rejection::Partial) => Some(ClientResult::Rejected { before: files }),
        Some(Rejection::RolledBack) | None => Some(ClientResult::Dump { files, dump: client::dump(&database).await }),
    };
    database.drop().await;
    result
}

/// Applies texts by us, and compares the database with the dump after the client.
async fn compare_dumps(group: &Group, texts: &[&str], their_dump: &str, totals: &mut Totals) {
    let ours = TestDatabase::new(group.kind).await;
    let name = &group.name;
    match apply(&ours, texts).await {
        Err(error) => totals.problems.push(format!("{name}: the client applies it, and we do not: {error}")),
        Ok(()) => match difference(their_dump, &client::dump(&ours).await) {
            Some(difference) => totals.problems.push(format!("{name}: {difference}")),
            None => totals.applied_by_both += texts.len(),
        },
    }
    ours.drop().await;
}

/// Applies texts as one history.
async fn apply(database: &TestDatabase, texts: &[&str]) -> Result<(), String> {
    let folder = TestFolder::default();
    for (at, text) in texts.iter().enumerate() {
        folder.write(&format!("migrations/{:05}_x.sql", at + 1), text);
    }
    let Folder { set, findings, .. } = folder.read(database.kind.dialect());
    if let Some(error) = findings.iter().find(|finding| finding.is_error()) {
        return Err(format!("{error:?}"));
    }
    Migrator::new(Arc::new(set)).run(&database.url).await.map(drop).map_err(|error| format!("{error:?}"))
}

/// The lines that only one of two dumps has.
fn difference(theirs: &str, ours: &str) -> Option<String> {
    if theirs == ours {
        return None;
    }
    let (their_lines, our_lines): (BTreeSet<&str>, BTreeSet<&str>) = (theirs.lines().collect(), ours.lines().collect());
    let only = |lines: &BTreeSet<&str>, others: &BTreeSet<&str>| {
        lines.difference(others).take(6).copied().collect::<Vec<_>>().join("\n    ")
    };
    Some(format!(
        "the dumps differ\n  only after the client:\n    {}\n  only after our run:\n    {}",
        only(&their_lines, &our_lines),
        only(&our_lines, &their_lines)
    ))
}

async fn compare_folders(kind: Kind, prefixes: &[&str], minimum: usize) {
    let mut totals = Totals::default();
    if let Some(corpus) = shared("corpus") {
        for group in groups(&corpus, kind) {
            compare(&group, &mut totals).await;
        }
    }
    if let Some(cases) = shared("cases") {
        for group in cases_of(&cases, kind, prefixes) {
            compare(&group, &mut totals).await;
        }
    }
    eprintln!("{kind:?}: {totals}");
    assert!(totals.problems.is_empty(), "{totals}\n{}", totals.problems.join("\n"));
    assert!(totals.groups == 0 || totals.applied_by_both >= minimum, "{totals}");
}

/// Texts that both apply. Where the client cannot apply a text of ours, it gets another one that does the same.
struct Pair {
    kind: Kind,
    ours: &'static str,
    client: &'static str,
}

/// A text that both read.
const fn same(kind: Kind, text: &'static str) -> Pair {
    Pair { kind, ours: text, client: text }
}

const PAIRS: &[Pair] = &[
    // The ends of lines.
    same(Kind::Postgres, "-- head\rCREATE TABLE t (id int);\r-- it's\rINSERT INTO t VALUES (1);\r"),
    same(Kind::Postgres, "CREATE TABLE t (id int, -- a\rb int);\r\nINSERT INTO t VALUES (1, 2) -- ;\r;\n"),
    same(Kind::MariaDb, "CREATE TABLE t (id int); -- a\rINSERT INTO t VALUES (1);\r\nINSERT INTO t VALUES (2);\r\n"),
    same(Kind::Sqlite, "CREATE TABLE t (id int); -- a\rINSERT INTO t VALUES (1);\r\nINSERT INTO t VALUES (2);\r\n"),
    // The form of a file of SQLite is decided before its first table.
    same(
        Kind::Sqlite,
        "PRAGMA page_size = 8192;\nPRAGMA foreign_keys = ON;\nPRAGMA auto_vacuum = FULL;\nCREATE TABLE t (id int);",
    ),
    same(Kind::Sqlite, "-- Text\nPRAGMA main.encoding = 'UTF-16le';\nCREATE TABLE t (id int);"),
    same(Kind::Sqlite, "CREATE TABLE t (id int);\nPRAGMA page_size = 8192;\nPRAGMA auto_vacuum = FULL;"),
    same(Kind::Sqlite, "CREATE TABLE t (id int);\nPRAGMA page_size = 8192;\nVACUUM;"),
    same(
        Kind::Sqlite,
        "BEGIN;\nPRAGMA page_size = 8192;\nSELECT 1;\nPRAGMA auto_vacuum = 1;\nPRAGMA encoding = 'UTF-16be';\nCREATE TABLE t (a text);\nCOMMIT;",
    ),
    same(Kind::Sqlite, "PRAGMA page_size;\nPRAGMA quick_check;\nPRAGMA auto_vacuum = 1;\nCREATE TABLE t (a text);"),
    same(Kind::Sqlite, "PRAGMA user_version = 1;\nPRAGMA encoding = 'UTF-16be';\nCREATE TABLE t (a text);"),
    same(Kind::Sqlite, "PRAGMA encoding = 'UTF-16';\nCREATE TABLE t (a text);\nINSERT INTO t VALUES ('a');"),
    same(Kind::Sqlite, "PRAGMA user_version = 3;\nPRAGMA page_size = 8192;\nCREATE TABLE t (id int);"),
    // Strings of PostgreSQL.
    Pair {
        kind: Kind::Postgres,
        ours: "CREATE TABLE t (a text);\nINSERT INTO t VALUES (E'a' -- b\n  'it\\'s; c');\nINSERT INTO t VALUES ('x');",
        client: "CREATE TABLE t (a text);\nINSERT INTO t VALUES (E'ait\\'s; c');\nINSERT INTO t VALUES ('x');",
    },
    same(
        Kind::Postgres,
        "SET standard_conforming_strings = off;\nCREATE TABLE t (a text);\nINSERT INTO t VALUES ('a\\';b');\nRESET standard_conforming_strings;\nINSERT INTO t VALUES ('c\\');",
    ),
    same(
        Kind::Postgres,
        "SELECT set_config('standard_conforming_strings', 'off', false);\nCREATE TABLE t (a text);\nINSERT INTO t VALUES ('a\\';b');",
    ),
    // Transactions of PostgreSQL.
    same(
        Kind::Postgres,
        "CREATE TABLE t (id int);\nBEGIN ISOLATION LEVEL SERIALIZABLE;\nINSERT INTO t VALUES (1);\nCOMMIT AND CHAIN;\nINSERT INTO t SELECT 2 WHERE current_setting('transaction_isolation') = 'serializable';\nCOMMIT AND NO CHAIN;\nINSERT INTO t VALUES (3);",
    ),
    same(
        Kind::Postgres,
        "SET LOCAL lock_timeout = '5s';\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\nCREATE TABLE t AS SELECT current_setting('transaction_isolation') AS level;",
    ),
    same(
        Kind::Postgres,
        "SHOW lock_timeout;\nSET transaction_isolation TO 'repeatable read';\nCREATE TABLE t AS SELECT current_setting('transaction_isolation') AS level;",
    ),
    same(
        Kind::Postgres,
        "CREATE TABLE t (a text);\nBEGIN;\nSAVEPOINT s;\nSET standard_conforming_strings = off;\nINSERT INTO t VALUES ('a\\';b');\nROLLBACK TO S;\nINSERT INTO t VALUES ('c\\');\nCOMMIT;\nINSERT INTO t VALUES ('d\\');",
    ),
    // Enum values of PostgreSQL.
    same(
        Kind::Postgres,
        "CREATE TYPE mood AS ENUM ('ok');\nCREATE TABLE t (m mood);\nALTER TYPE mood ADD VALUE 'it''s';\nINSERT INTO t VALUES (E'it\\'s'), ($q$it's$q$);",
    ),
    same(
        Kind::Postgres,
        "CREATE TYPE mood AS ENUM ('ok');\nCREATE TABLE u (x text);\nINSERT INTO u VALUES ('ne' || 'w');\nALTER TYPE mood ADD VALUE 'new';\nCREATE TABLE t AS SELECT x::mood FROM u;",
    ),
    // Lines that only the client of MariaDB knows.
    same(Kind::MariaDb, "--create it's\nCREATE TABLE t (id int); --x'\n  ---------\nINSERT INTO t VALUES (1 --1\n);"),
    same(
        Kind::MariaDb,
        "CREATE TABLE t (id int);\n--> statement-breakpoint\nINSERT INTO t VALUES (1);--> statement-breakpoint\nINSERT INTO t VALUES (2);",
    ),
    same(
        Kind::MariaDb,
        "delimiter #\ncreate table t (id int) #\ninsert into t values (1) # insert into t values (2) #\ndelimiter ;\ninsert into t values (3);",
    ),
    same(
        Kind::MariaDb,
        "DELIMITER /*!*/;\nCREATE TABLE t (id INT)/*!*/;\nINSERT INTO t VALUES (1)/*!*/;\nDELIMITER ;\nINSERT INTO t VALUES (2);",
    ),
    same(
        Kind::MariaDb,
        "DELIMITER '//'\nCREATE TABLE t (id INT); INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2)//\nDELIMITER \\\nINSERT INTO t VALUES (3)//",
    ),
    same(
        Kind::MariaDb,
        "DELIMITER $$\nCREATE TABLE t (id INT);\nCREATE PROCEDURE p() BEGIN INSERT INTO t VALUES (1); IF 1 THEN INSERT INTO t VALUES (2); END IF; END; CALL p(); INSERT INTO t VALUES (3);\n$$\nDELIMITER ;\n",
    ),
    same(Kind::MariaDb, "DELIMITER go\nCREATE TABLE t (id INT) go\nBEGIN; INSERT INTO t VALUES (1); COMMIT; go\nDELIMITER ;\n"),
    same(
        Kind::MariaDb,
        "/*M!999999\\- enable the sandbox mode */ \nCREATE TABLE t (a VARCHAR(9));\nINSERT INTO t VALUES (\\N), ('\\N');",
    ),
    // Executable comments.
    same(
        Kind::MariaDb,
        "CREATE TABLE t (id INT);\nDELIMITER ;;\n/*!50003 CREATE*/ /*!50003 TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.id = NEW.id + 1; SET @a = '-- it''s';\nSET NEW.id = NEW.id * 2; END */;;\nDELIMITER ;\nINSERT INTO t VALUES (1);",
    ),
    same(
        Kind::MariaDb,
        "CREATE TABLE t (a VARCHAR(9));\n/*!40000 INSERT INTO t VALUES ('*/') */;\n/*!99999 INSERT INTO t VALUES (1) */;",
    ),
    // Compound statements without DELIMITER.
    Pair {
        kind: Kind::MariaDb,
        ours: "CREATE TABLE t (id INT);\nFOR i IN 1..3 DO INSERT INTO t VALUES (i); END FOR;\nIF (SELECT COUNT(*) FROM t) = 3 THEN INSERT INTO t VALUES (9); END IF;\nINSERT INTO t VALUES (10);",
        client: "CREATE TABLE t (id INT);\nDELIMITER $$\nFOR i IN 1..3 DO INSERT INTO t VALUES (i); END FOR$$\nIF (SELECT COUNT(*) FROM t) = 3 THEN INSERT INTO t VALUES (9); END IF$$\nINSERT INTO t VALUES (10)$$",
    },
    Pair {
        kind: Kind::MariaDb,
        ours: "SET sql_mode=ORACLE;\nCREATE TABLE t (id INT);\nCREATE PROCEDURE p AS x INT := 1; BEGIN INSERT INTO t VALUES (x); EXCEPTION WHEN OTHERS THEN NULL; END;\nBEGIN p(); END;\nSET sql_mode=DEFAULT;",
        client: "SET sql_mode=ORACLE;\nCREATE TABLE t (id INT);\nDELIMITER $$\nCREATE PROCEDURE p AS x INT := 1; BEGIN INSERT INTO t VALUES (x); EXCEPTION WHEN OTHERS THEN NULL; END$$\nBEGIN p(); END$$\n",
    },
    // Strings of MariaDB.
    same(
        Kind::MariaDb,
        "CREATE TABLE t (p VARCHAR(20));\nSET @old = @@sql_mode, sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES');\nINSERT INTO t VALUES ('C:\\');\nSET sql_mode = @old;\nINSERT INTO t VALUES ('D\\';');",
    ),
    same(
        Kind::MariaDb,
        "CREATE TABLE t (p VARCHAR(20));\nSET @@SESSION.sql_mode := 'NO_BACKSLASH_ESCAPES';\nINSERT INTO t VALUES ('C:\\');\nINSERT INTO t VALUES ('D;');",
    ),
    same(
        Kind::MariaDb,
        "CREATE TABLE t (p VARCHAR(20));\n/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_BACKSLASH_ESCAPES' */;\nINSERT INTO t VALUES ('C:\\');\n/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;\nINSERT INTO t VALUES ('D\\';');",
    ),
    same(
        Kind::MariaDb,
        "CREATE TABLE t (p VARCHAR(20));\nSET sql_mode=(SELECT CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES'));\nINSERT INTO t VALUES ('C:\\');\nINSERT INTO t VALUES ('D;');",
    ),
    same(Kind::MariaDb, "SET sql_mode = 'ANSI_QUOTES';\nCREATE TABLE \"t\\\" (\"a;b\" INT);\nINSERT INTO \"t\\\" VALUES (1);"),
    same(
        Kind::MariaDb,
        "SET sql_mode = 1048576;\nCREATE TABLE t (p VARCHAR(20)); INSERT INTO t VALUES ('C:\\'); INSERT INTO t VALUES (\"D;\");",
    ),
    // Transactions of MariaDB.
    same(
        Kind::MariaDb,
        "CREATE TABLE t (id int);\nset autocommit=0;\nINSERT INTO t VALUES (1);\ncommit;\nINSERT INTO t VALUES (2);\nALTER TABLE t ADD n INT;\nINSERT INTO t VALUES (3, 3);\ncommit;\nset autocommit=1;\nINSERT INTO t VALUES (4, 4);",
    ),
    same(
        Kind::MariaDb,
        "CREATE TABLE t (id int);\nLOCK TABLES t WRITE;\n/*!40000 ALTER TABLE t DISABLE KEYS */;\nset autocommit=0;\nINSERT INTO t VALUES (1);\n/*!40000 ALTER TABLE t ENABLE KEYS */;\nUNLOCK TABLES;\ncommit;\nLOCK TABLES t WRITE;\nINSERT INTO t VALUES (2);\nUNLOCK TABLES;\ncommit;",
    ),
    same(
        Kind::MariaDb,
        "SET AUTOCOMMIT = 0;\nSTART TRANSACTION;\nSET time_zone = '+00:00';\nCREATE TABLE t (id int);\nINSERT INTO t VALUES (1);\nCOMMIT;",
    ),
    same(
        Kind::MariaDb,
        "CREATE TABLE t (id int);\nFLUSH TABLES t WITH READ LOCK;\nSELECT COUNT(*) FROM t;\nUNLOCK TABLES;\nINSERT INTO t VALUES (2);",
    ),
    same(Kind::MariaDb, "CREATE TABLE t (id int);\nINSERT INTO t VALUES (2);\nLOCK TABLES t WRITE;\nINSERT INTO t VALUES (3);"),
    same(
        Kind::MariaDb,
        "CREATE TABLE t (id int);\nBEGIN;\nINSERT INTO t VALUES (1);\nCOMMIT AND CHAIN;\nINSERT INTO t VALUES (2);\nCOMMIT;",
    ),
    same(
        Kind::MariaDb,
        "CREATE TABLE t (id int);\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\nINSERT INTO t VALUES (1);\nSET sql_log_bin = 0;\nINSERT INTO t VALUES (2);",
    ),
    // Savepoints of SQLite that begin a transaction.
    same(
        Kind::Sqlite,
        "VACUUM;\nSAVEPOINT a;\nCREATE TABLE t (id int);\nSAVEPOINT b;\nINSERT INTO t VALUES (1);\nROLLBACK TO b;\nRELEASE a;\nINSERT INTO t VALUES (2);",
    ),
    // Lines that only sqlite3 knows.
    same(Kind::Sqlite, "# it's\nCREATE TABLE t (id int)\nGO\nINSERT INTO t VALUES (1)\n/\nINSERT INTO t VALUES (2);"),
    same(
        Kind::Sqlite,
        "CREATE TABLE t (id int);\nCREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET id = 4\n/\n2; SELECT CASE WHEN 1 THEN 2 END; END -- ;\n;\nINSERT INTO t VALUES (1);\nCREATE INDEX i ON t (id);",
    ),
];

#[tokio::test]
async fn pairs() {
    let folder = TestFolder::default();
    let mut totals = Totals::default();
    for Pair { kind, ours, client } in PAIRS {
        folder.write("client.sql", client);
        let history = [(folder.path().join("client.sql"), String::new())];
        let Some(ClientResult::Dump { files: 1, dump }) = client_result(*kind, &history).await else {
            totals.problems.push(format!("the client rejects {client}"));
            continue;
        };
        let group = Group { name: ours.to_string(), kind: *kind, files: Vec::new() };
        compare_dumps(&group, &[ours], &dump, &mut totals).await;
    }
    assert!(totals.problems.is_empty(), "{}", totals.problems.join("\n"));
}

/// What one message of the client contained is several statements for us: those before the one that fails are done and recorded.
#[tokio::test]
async fn several_statements_of_one_message_resume_at_the_one_that_failed() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let text = |last: &str| {
        format!(
            "DELIMITER $$\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);\nCREATE TABLE b (id INT);\n{last};\n$$\nDELIMITER ;\n"
        )
    };
    let error = apply(&database, &["CREATE TABLE a (id INT);", &text("INSERT INTO nope VALUES (3)")]).await.unwrap_err();
    assert!(error.contains("3 of 4 statements are done and recorded"), "{error}");
    apply(&database, &["CREATE TABLE a (id INT);", &text("INSERT INTO b VALUES (3)")]).await.unwrap();
    assert_eq!(database.rows("SELECT id FROM a ORDER BY id").await, ["1", "2"]);
    assert_eq!(database.rows("SELECT id FROM b").await, ["3"]);
    database.drop().await;
}

/// A record is committed although the script has disabled autocommit.
#[tokio::test]
async fn records_are_committed_without_autocommit() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let texts = [
        "CREATE TABLE t (id INT);",
        "SET foreign_key_checks = 0, autocommit = 0;\nINSERT INTO t VALUES (1);\nCOMMIT;\nCREATE TABLE u (id INT);\nSET autocommit = @@GLOBAL.autocommit;",
        "CREATE PROCEDURE p() BEGIN SET autocommit = 0; INSERT INTO t VALUES (2); END;\nCALL p();",
        "LOCK TABLES t WRITE;\nSET autocommit = 0;\nINSERT INTO t VALUES (3);\nUNLOCK TABLES;\nCOMMIT;",
    ];
    apply(&database, &texts).await.unwrap();
    assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "2", "3"]);
    let applied = "SELECT count(*) FROM migration_records WHERE state = 'applied'";
    assert_eq!(database.value(applied).await, "4");
    database.drop().await;
}

/// The database decides how strings are read. A file with other statements for it is refused, unless `migrate.toml` sets the value.
#[tokio::test]
async fn the_setting_of_the_database_is_looked_at() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let name = database.url.rsplit_once('/').unwrap().1;
    database.execute(&format!("ALTER DATABASE {name} SET standard_conforming_strings = off")).await;
    let harmless = "CREATE TABLE t (a text);\nINSERT INTO t VALUES ('a\\\\b');";
    let text = "INSERT INTO t VALUES ('C:\\');\nINSERT INTO t VALUES ('D;');";
    let error = apply(&database, &[harmless, text]).await.unwrap_err();
    assert!(error.contains("unknown-quoting") && error.contains("aborted before running anything"), "{error}");
    assert_eq!(database.tables().await, Vec::<String>::new());
    apply(&database, &[harmless]).await.unwrap();
    let folder = TestFolder::new(&[("00001_x.sql", harmless), ("00002_x.sql", text)]);
    folder.write("migrate.toml", "session = ['SET standard_conforming_strings = on']\n");
    Migrator::new(folder.set(database.kind.dialect())).run(&database.url).await.unwrap();
    assert_eq!(database.rows("SELECT a FROM t ORDER BY a COLLATE \"C\"").await, ["C:\\", "D;", "a\\b"]);
    database.drop().await;
}

/// The cases whose files are for one database.
fn cases_of(cases: &Path, kind: Kind, prefixes: &[&str]) -> Vec<Group> {
    let mut groups = Vec::new();
    for case in fs::read_dir(cases).unwrap().flatten() {
        let name = case.file_name().to_string_lossy().into_owned();
        if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            let paths = fs::read_dir(case.path()).unwrap().flatten().map(|entry| entry.path());
            let mut files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "sql")).collect();
            files.sort();
            groups.push(Group { name, kind, files });
        }
    }
    groups
}

#[tokio::test]
async fn folders_on_postgres() {
    compare_folders(Kind::Postgres, &["pg-"], 600).await;
}

#[tokio::test]
async fn folders_on_mariadb() {
    compare_folders(Kind::MariaDb, &["mysql-", "mariadb-"], 220).await;
}

#[tokio::test]
async fn folders_on_sqlite() {
    compare_folders(Kind::Sqlite, &["sqlite-"], 180).await;
}
