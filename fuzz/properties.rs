//! Properties that hold for every input text. Each fuzz target checks one of them, and the tests check all of them on the
//! seeds.
#![allow(dead_code, reason = "each target uses one property")]

use migrate_lint::lint::{self, LintOptions};
use migrate_lint::{fix, rules};
use migrate_model::dialect::Dialect;
use migrate_model::directives;
use migrate_model::effect;
use migrate_model::execution;
use migrate_model::files::lock_file;
use migrate_model::files::settings;
use migrate_model::finding::Finding;
use migrate_model::layout::NameMatch;
use migrate_model::layouts;
use migrate_model::lock_strength;
use migrate_model::migration::Migration;
use migrate_model::reader;
use migrate_model::render;
use migrate_model::script::Script;
use migrate_model::script_plan::plan_script;
use migrate_model::session_effect;
use migrate_model::statement;
use migrate_model::token::{Kind, Tokens};
use migrate_model::version::Version;

/// Checks a property of an input. Files that are not UTF-8 are rejected before they are parsed, so they are skipped.
pub fn text(bytes: &[u8], property: fn(&str)) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        property(text);
    }
}

/// The findings can be rendered with the lines that they point to.
fn render_all(findings: &[Finding]) {
    render::findings(findings, false);
}

/// A file name in all layouts: its version has a successor, and parsing the text of the version returns the same version.
pub fn name(text: &str) {
    for (layout, detected) in layouts::ALL.iter().flat_map(|layout| [(layout, false), (layout, true)]) {
        if let NameMatch::Matched(name) = (layout.parse)(detected, text) {
            assert!(name.version < name.version.successor(), "{text:?}");
            assert_eq!(name.version.as_str().parse(), Ok(name.version.clone()), "{text:?}");
        }
    }
    if let Some((version, rest)) = Version::split_from(text, true) {
        assert_eq!(format!("{}{rest}", version.as_str()), text);
    }
}

/// The directives of a file can be parsed in every dialect.
pub fn header(text: &str) {
    for dialect in Dialect::ALL {
        let (_, findings) = directives::read(text, dialect, "001_x.up.sql");
        render_all(&findings);
    }
}

/// A PostgreSQL script.
pub fn postgres(text: &str) {
    sql(text, Dialect::Postgres);
}

/// A MySQL script.
pub fn mysql(text: &str) {
    sql(text, Dialect::MySql);
}

/// A SQLite script.
pub fn sqlite(text: &str) {
    sql(text, Dialect::Sqlite);
}

/// A script: the tokens cover the text without gaps; the statements follow each other, with only blanks, comments and
/// delimiters between them; the units are in order and within the statements; a script can be planned from every statement.
fn sql(text: &str, dialect: Dialect) {
    let split = statement::split_text(text, dialect.into(), "001_x.up.sql");
    for tokens in [Tokens::new(text, dialect), Tokens::new(text, dialect).following(&split.deviations)] {
        let mut end = 0;
        for token in tokens.filter(|token| token.end > token.start) {
            assert!(token.start == end, "{token:?} after byte {end} of {text:?}");
            end = token.end;
        }
        assert_eq!(end, text.len(), "{text:?}");
    }

    let (script, findings) = Script::read(text.to_owned(), "001_x.up.sql", dialect);
    render_all(&findings);
    let text = &*script.text;
    let mut end = 0;
    let mut between = String::new();
    for statement in &script.statements {
        assert!(statement.range.start >= end && statement.range.end > statement.range.start, "{statement:?} of {text:?}");
        between.push_str(&text[end..statement.range.start]);
        between.push('\n');
        end = statement.range.end;
        if let Some(data) = &statement.copy_data {
            assert!(data.start >= end, "{statement:?} of {text:?}");
            between.push_str(&text[end..data.start]);
            end = data.end;
            let marker = text[end..].split_inclusive('\n').next().filter(|line| line.trim_end() == "\\.");
            end += marker.map_or(0, str::len);
        }
        // Carriage returns end the lines of a file that has no line feed.
        let line_end = if text.contains('\n') { '\n' } else { '\r' };
        assert_eq!(text[..statement.range.start].matches(line_end).count() + 1, statement.line, "{text:?}");
        let sql = statement.sql(text);
        effect::read(sql, dialect);
        for inner in reader::inner_statements(sql, &reader::read(sql, dialect), dialect) {
            assert!(sql.get(inner.range).is_some());
        }
        effect::locked_tables(sql, dialect);
        lock_strength::blocks_traffic(sql, dialect);
        lock_strength::LockTimeoutHandling::of_statement(sql, lock_strength::LockTimeoutHandling::Reported, dialect);
        execution::is_idempotent(sql, dialect);
        execution::can_share_transaction(sql, dialect, false);
        session_effect::of_statement(sql, dialect);
    }
    between.push_str(&text[end..]);
    // On MySQL, a delimiter can be any text.
    if findings.is_empty() && dialect != Dialect::MySql {
        let between = if dialect == Dialect::Sqlite { without_lines_of_sqlite3(&between) } else { between };
        for token in Tokens::new(&between, dialect) {
            assert!(
                token.is_blank() || token.is_symbol(&between, b';') || token.kind == Kind::Hint,
                "{token:?} between the statements of {text:?}"
            );
        }
    }
    let mut next = 0;
    for unit in &script.units {
        assert!(unit.statements.start >= next && unit.statements.end <= script.statements.len(), "{unit:?} of {text:?}");
        next = unit.statements.end;
    }
    for done in 0..=script.statements.len() {
        plan_script(&script, dialect, done);
    }
    if findings.iter().all(|finding| !finding.is_error()) {
        let (edited, _) = Script::read(format!("{text}\n-- another comment\n"), "002_y.up.sql", dialect);
        // A delimiter of MySQL can be a part of the added comment.
        let delimited = dialect == Dialect::MySql && text.to_ascii_uppercase().contains("DELIMITER");
        let ends_with_copy = script.statements.last().is_some_and(|last| last.copy_data.is_some());
        // The end of its line ends `use x` of MySQL, also in a quote or a comment, which the comparison reads to its own end.
        let is_unusual = |letter: char| !(letter.is_alphanumeric() || letter.is_whitespace() || "_;".contains(letter));
        let is_open = |line: &str| line.to_ascii_lowercase().contains("use") && line.contains(is_unusual);
        let has_open_line = dialect == Dialect::MySql && text.lines().any(is_open);
        if !text.starts_with('\u{feff}') && !ends_with_copy && !delimited && !has_open_line {
            assert_eq!(edited.sql_checksum, script.sql_checksum, "{text:?}");
        }
    }
}

/// A text without the lines that only the sqlite3 client knows: separators and comments.
fn without_lines_of_sqlite3(text: &str) -> String {
    let is_sql = |line: &&str| {
        let word = line.trim();
        !(word.eq_ignore_ascii_case("go") || word == "/" || line.starts_with('#'))
    };
    text.split('\n').filter(is_sql).collect::<Vec<_>>().join("\n")
}

/// A history: lines `--- file` separate the migrations, and a line `--- down` separates the up and the down script. Linting
/// does not panic, each finding has a place, and the fixed files can be parsed.
pub fn lint(text: &str) {
    for dialect in Dialect::ALL {
        let read = |text: &str, file: String| Script::read(text.to_owned(), &file, dialect).0;
        let migration = |(at, text): (usize, &str)| {
            let (up, down) = text.split_once("\n--- down\n").map_or((text, None), |(up, down)| (up, Some(down)));
            Migration::new(
                (at + 1).to_string().parse().expect("a number is a version"),
                "x",
                read(up, format!("{at}.up.sql")),
                down.map(|down| read(down, format!("{at}.down.sql"))),
            )
        };
        let history: Vec<Migration> = text.split("\n--- file\n").take(8).enumerate().map(migration).collect();
        let mut options = LintOptions::new(dialect);
        options.levels = rules::ALL.iter().map(|rule| (rule.code.name.to_owned(), Some(rule.level))).collect();
        let findings = lint::lint(&history, &options);
        assert!(findings.iter().all(|finding| finding.place.is_some()), "{text:?}");
        render_all(&findings);
        for fix in fix::fixes(&history, &options) {
            read(&fix.up, "fixed.up.sql".to_owned());
        }
    }
}

/// A lock file: if it has no findings, the lock file that is written from it is parsed to the same value.
pub fn lock_file(text: &str) {
    let (lock, findings) = lock_file::read(text, "migrate.lock");
    render_all(&findings);
    if findings.is_empty() {
        assert_eq!(lock_file::read(&lock.write(), "migrate.lock"), (lock, Vec::new()), "{text:?}");
    }
}

/// A `migrate.toml` can be parsed.
pub fn settings(text: &str) {
    let (_, findings) = settings::read(text, "migrate.toml");
    render_all(&findings);
}
