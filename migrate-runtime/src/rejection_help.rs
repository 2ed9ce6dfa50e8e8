//! What to do when a database rejects a statement of a migration, by its error code: SQLSTATE (PostgreSQL), error number (MySQL,
//! MariaDB), extended result code (SQLite).
//!
//! The codes are those of PostgreSQL 15 (appendix A), MariaDB 10.11 (`errmsg-utf8.txt`), MySQL 8.0 (Error Message Reference) and
//! SQLite (rescode.html).

/// What helps with these codes. Each text begins with a verb; " then run ... again" follows it.
struct Help {
    codes: &'static [&'static str],
    text: &'static str,
}

const fn help(codes: &'static [&'static str], text: &'static str) -> Help {
    Help { codes, text }
}

/// Stands for the columns that SQLite cannot add to a table.
const SQLITE_COLUMN: &str = "sqlite-column";

const ALLOW_MORE_TIME: &str = "allow more time (`-- migrate: timeout 1h` at the top of the file), or split the migration";

static HELP: &[Help] = &[
    // Objects that exist already: tables, columns, keys, schemas, functions, triggers, constraints.
    help(
        &[
            "42P07", "42701", "42710", "42P06", "42723", "42P04", "1050", "1060", "1061", "1007", "1304", "1359", "1826", "1022",
            "1068", "1537", "4161",
        ],
        "find out what created it: an earlier migration, another service, or a manual change. Use another name, or, if it is the same, add `IF NOT EXISTS` or remove the statement",
    ),
    // Tables, columns, indexes, schemas and routines that do not exist.
    help(
        &["42P01", "42703", "42704", "3F000", "1146", "1054", "1051", "1091", "1049", "1305", "1360", "1072", "1347", "4162"],
        "check the spelling and the schema, and that a migration with a lower version creates it; if another service creates it, add `-- migrate: requires SERVICE:VERSION`",
    ),
    help(
        &["42883"],
        "check the spelling and the types of the arguments; if an extension provides the function or operator, create it first (`CREATE EXTENSION`)",
    ),
    help(&["58P01"], "check the path of the file on the server, or that the extension is installed there"),
    help(&["0A000"], "check that this version of the server supports it"),
    // Rows that violate what is added.
    help(
        &["23505", "1062", "1586", "2067", "1555"],
        "find the duplicate rows (`GROUP BY ... HAVING count(*) > 1`) and merge or delete them, in a migration with a lower version or before this statement",
    ),
    help(
        &["23502", "1048", "1138", "1364", "1299"],
        "fill the rows that have no value (`UPDATE ... WHERE ... IS NULL`) before this statement, or add a default",
    ),
    help(
        &["23503", "1452", "1216", "787"],
        "find the rows that refer to a row that does not exist, and correct or delete them before this statement",
    ),
    help(&["1451", "1217"], "delete or change the rows of the other table that refer to these rows first"),
    help(&["23514", "4025", "3819", "275"], "find the rows that violate the condition, and correct them before this statement"),
    help(&["23P01"], "find the rows that conflict, and correct them before this statement"),
    // Types and values.
    help(
        &["42804"],
        "convert the values explicitly, for example `ALTER COLUMN c TYPE integer USING c::integer`, or correct the types",
    ),
    help(
        &["22P02", "22007", "22008", "22003", "22001", "1264", "1265", "1292", "1366", "1406", "1411"],
        "find the values that do not fit the type, and correct or convert them before this statement",
    ),
    help(
        &["42830", "1005", "1215", "1822", "3780", "6125"],
        "give the referenced columns a primary or unique key, and both sides the same type (MySQL: also the same character set and engine)",
    ),
    help(&["1071", "1709", "1118", "54000"], "shorten the columns, or index only a prefix (`c(100)`)"),
    help(
        &[SQLITE_COLUMN],
        "add the column without this constraint; or create a new table, copy the rows, drop the old table and rename the new one",
    ),
    help(&["1101", "1067"], "use a default that the type allows"),
    // Dependent objects.
    help(
        &["2BP01", "1553", "1828", "1829", "1834", "1833"],
        "drop or change the objects that depend on it first (the detail lists them), or write `CASCADE` if they shall be dropped, too",
    ),
    help(&["55006"], "end the sessions that use the object, or correct the file"),
    help(
        &["1419", "1418"],
        "ask the administrator to set `log_bin_trust_function_creators = 1`, or declare the routine `DETERMINISTIC`",
    ),
    help(
        &["1845", "1846", "1221"],
        "remove `ALGORITHM` or `LOCK` from the statement: the server does not support this combination",
    ),
    help(&["1153", "54001", "18"], "split the statement into smaller ones"),
    // Locks, time, space and rights.
    help(&["55P03", "1205"], "wait until the sessions that hold the lock have finished, or choose a time of low traffic"),
    help(&["40P01", "40001", "1213"], "wait until the other sessions have finished, or choose a time of low traffic"),
    help(
        &["1969", "3024"],
        "allow more time (`-- migrate: timeout 1h` at the top of the file; if the limit is that of the account, `ALTER USER`), or split the migration",
    ),
    help(
        &["42501", "1044", "1142", "1143", "1227", "1370"],
        "grant this database user the missing privilege, or correct the file",
    ),
    help(&["53100", "1114", "1021", "13"], "free space on the disk of the database, or split the migration"),
    help(&["53200", "1041", "1037"], "give the server more memory, or split the statement"),
    help(&["2D000", "25001", "55P04"], "write `-- migrate: no-transaction` at the top of the file, or correct the file"),
    help(&["42601", "1064", "1149"], "correct the syntax at this place"),
];

/// What to do, as a phrase that starts with a verb.
pub fn help_for_code(code: Option<&str>, message: &str) -> &'static str {
    let Some(code) = code else { return "correct the file" };
    // query_canceled has one code for a time-out and for a user's request; only the message tells them apart.
    if code == "57014" && message.contains("statement timeout") {
        return ALLOW_MORE_TIME;
    }
    // SQLite has one code for these; only the message tells them apart.
    let code = match code {
        "1" if message.starts_with("no such ") => "42P01",
        "1" if message.contains("already exists") || message.starts_with("duplicate column name") => "42P07",
        "1" if message.contains("syntax error") => "42601",
        "1" if message.starts_with("Cannot add a") => SQLITE_COLUMN,
        code => code,
    };
    HELP.iter().find(|help| help.codes.contains(&code)).map_or("correct the file", |help| help.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_code_has_one_help() {
        let mut codes = HashSet::new();
        for code in HELP.iter().flat_map(|help| help.codes) {
            assert!(codes.insert(code), "{code} twice");
            assert_ne!(help_for_code(Some(code), ""), "correct the file", "{code}");
        }
        assert!(codes.len() > 80);
    }

    #[test]
    fn a_time_limit_is_told_apart_from_a_request() {
        assert_eq!(help_for_code(Some("57014"), "canceling statement due to statement timeout"), ALLOW_MORE_TIME);
        assert_eq!(help_for_code(Some("57014"), "canceling statement due to user request"), "correct the file");
        assert_eq!(help_for_code(None, ""), "correct the file");
        assert_eq!(help_for_code(Some("1"), "no such table: t"), help_for_code(Some("1146"), ""));
        assert_eq!(help_for_code(Some("1"), "table t already exists"), help_for_code(Some("1050"), ""));
    }
}
