//! Values that an earlier statement has left in the session: `currval('s')`, `lastval()`, `LAST_INSERT_ID()`, `changes()`.
//!
//! A new session does not have them, and behind a pooler another session has others.

use super::{bare, is, is_declared, meaningful};
use crate::assignment::set_statement;
use crate::dialect::Dialect;
use crate::statement::Statement;
use crate::token::{Kind, Token};
use std::collections::HashMap;

/// Functions that return what the statement directly before them has left, and those that return a generated value.
struct Readers {
    directly: &'static [&'static str],
    generated: &'static [&'static str],
}

const fn readers(dialect: Dialect) -> Readers {
    match dialect {
        Dialect::Postgres => Readers { directly: &[], generated: &["currval", "lastval"] },
        Dialect::MySql => Readers {
            directly: &[
                "ROW_COUNT",
                "FOUND_ROWS",
                "DIAGNOSTICS",
                "WARNINGS",
                "ERRORS",
                "warning_count",
                "error_count",
                "last_gtid",
            ],
            generated: &["LAST_INSERT_ID", "identity", "insert_id", "LASTVAL", "PREVIOUS", "currval"],
        },
        Dialect::Sqlite => Readers { directly: &["changes", "total_changes"], generated: &["last_insert_rowid"] },
    }
}

/// Whether a statement reads what the statement directly before it has left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum DirectRead {
    #[default]
    No,
    /// It has a name such as that of the function.
    Named,
    /// It calls the function.
    Called,
}

/// What a statement has to do with such values.
#[derive(Debug, Clone, Default)]
struct ValueUse {
    /// Whether it reads what the statement before it has left.
    directly: DirectRead,
    /// It reads a generated value.
    reads: bool,
    /// It may generate one.
    generates: bool,
    /// It names a function that generates one for certain, such as `nextval`.
    generates_for_certain: bool,
    /// The sequences that it may name.
    sequences: Vec<String>,
}

fn use_of(sql: &str, dialect: Dialect) -> ValueUse {
    let sql = set_statement::executed(sql, dialect);
    let tokens = meaningful(sql, dialect);
    let readers = readers(dialect);
    let name_of = |at: usize| {
        let token = tokens.get(at).filter(|token| matches!(token.kind, Kind::Word | Kind::QuotedName));
        token.map(|token| bare(token.text(sql))).unwrap_or_default()
    };
    let names = |words: &[&str]| (0..tokens.len()).any(|at| words.iter().any(|word| word.eq_ignore_ascii_case(&name_of(at))));
    let symbol = |at: usize, symbol: u8| tokens.get(at).is_some_and(|token| token.is_symbol(sql, symbol));
    // `f(`, `s.currval`, `PREVIOUS VALUE FOR s` and `@@identity`, but not a table or a column of that name.
    let reads_at = |at: usize, word: &str| {
        let called = symbol(at + 1, b'(') && !is_declared(sql, &tokens, at);
        let value = name_of(at + 1) == "value" && word == "PREVIOUS" || (word == "currval" && at > 0 && symbol(at - 1, b'.'));
        let of_session =
            at >= 3 && symbol(at - 1, b'.') && ["session", "local"].contains(&&*name_of(at - 2)) && symbol(at - 3, b'@');
        word.eq_ignore_ascii_case(&name_of(at)) && (called || value || of_session || (at > 0 && symbol(at - 1, b'@')))
    };
    let reads_any = |words: &[&str]| (0..tokens.len()).any(|at| words.iter().any(|word| reads_at(at, word)));
    // A body is a single token.
    let in_body = |words: &[&str]| {
        let bodies = tokens.iter().filter(|token| matches!(token.kind, Kind::DollarText | Kind::Executable));
        bodies
            .map(|token| token.text(sql).to_lowercase())
            .any(|body| words.iter().any(|word| body.contains(&word.to_lowercase())))
    };
    let definitions = ["FUNCTION", "PROCEDURE", "TRIGGER", "EVENT"];
    let defines = is(&tokens, sql, 0, "CREATE") && (!names(&["AS"]) || names(&definitions))
        || ["ALTER", "DROP", "COMMENT"].iter().any(|word| is(&tokens, sql, 0, word));
    if defines {
        return ValueUse::default();
    }
    let is_first = |words: &[&str]| words.iter().any(|word| is(&tokens, sql, 0, word));
    let changes = is_first(&["INSERT", "REPLACE", "UPDATE", "MERGE", "COPY", "CALL", "LOAD", "DO", "EXECUTE", "BEGIN", "WITH"]);
    let next_value = dialect == Dialect::MySql && (0..tokens.len()).any(|at| name_of(at) == "next" && name_of(at + 1) == "value");
    let generates_for_certain = names(&["nextval", "setval"]) || next_value;
    // With an argument, the function sets the value.
    let sets_id = (0..tokens.len()).any(|at| reads_at(at, "LAST_INSERT_ID") && symbol(at + 1, b'(') && !symbol(at + 2, b')'));
    let reads = reads_any(readers.generated) || in_body(readers.generated);
    let sequences = if reads || generates_for_certain { sequences(sql, &tokens) } else { Vec::new() };
    ValueUse {
        directly: match (reads_any(readers.directly) || is(&tokens, sql, 0, "GET"), names(readers.directly)) {
            (true, _) => DirectRead::Called,
            (false, true) => DirectRead::Named,
            (false, false) => DirectRead::No,
        },
        reads,
        generates: changes || generates_for_certain || sets_id,
        generates_for_certain,
        sequences,
    }
}

/// Does a statement read what an earlier one returned or generated, such as `ROW_COUNT()` or `LAST_INSERT_ID()`?
pub fn reads_result(sql: &str, dialect: Dialect) -> bool {
    let value_use = use_of(sql, dialect);
    value_use.reads || value_use.directly != DirectRead::No
}

/// The names and strings of a statement, without their schemas: among them are the sequences.
fn sequences(sql: &str, tokens: &[Token]) -> Vec<String> {
    let named = tokens.iter().filter(|token| matches!(token.kind, Kind::Text | Kind::QuotedName | Kind::Word));
    let name = |token: &Token| {
        let text = token.text(sql).trim_matches(['\'', '"', '`']);
        text.rsplit('.').next().unwrap_or_default().trim_matches('"').to_lowercase()
    };
    named.map(name).collect()
}

/// For each statement that reads a value of its session, the first statement that may have left it: `None` if it reads none.
///
/// If a statement names the sequence that it takes a value from, and a later one names it too, that one is certain.
/// Otherwise it is the first that may have generated a value, because an `INSERT` does not show whether it does.
pub fn sources(text: &str, statements: &[Statement], dialect: Dialect) -> Vec<Option<usize>> {
    let uses: Vec<ValueUse> = statements.iter().map(|statement| use_of(statement.sql(text), dialect)).collect();
    let first = uses.iter().position(|value_use| value_use.generates);
    // The last statement that has certainly generated a value of a sequence.
    let mut generated: HashMap<&str, usize> = HashMap::new();
    let source = |at: usize, reader: &ValueUse, generated: &HashMap<&str, usize>| {
        if reader.directly == DirectRead::Called {
            return at.checked_sub(1);
        }
        if !reader.reads || (reader.generates_for_certain && dialect != Dialect::Sqlite) {
            return None;
        }
        let certain = reader.sequences.iter().filter_map(|name| generated.get(name.as_str())).max();
        certain.copied().or(first.filter(|first| *first < at))
    };
    let mut sources = Vec::with_capacity(uses.len());
    for (at, value_use) in uses.iter().enumerate() {
        sources.push(source(at, value_use, &generated));
        if value_use.generates_for_certain {
            let names = value_use.sequences.iter().filter(|name| !name.is_empty() && !is_reader(name, dialect));
            generated.extend(names.map(|name| (name.as_str(), at)));
        }
    }
    sources
}

/// Words that are in most statements, and name no sequence.
fn is_reader(name: &str, dialect: Dialect) -> bool {
    let words =
        ["select", "insert", "into", "values", "value", "for", "from", "set", "as", "nextval", "setval", "next", "pg_catalog"];
    words.contains(&name) || readers(dialect).generated.iter().any(|word| word.eq_ignore_ascii_case(name))
}

/// For each statement, the statement that it must follow without another between them and their checkpoints: the previous one, or the
/// nearest one that may have generated the value that it reads. `None` if it reads nothing of that kind.
pub fn follows(text: &str, statements: &[Statement], dialect: Dialect) -> Vec<Option<usize>> {
    // What runs in several transactions of PostgreSQL cannot have one checkpoint.
    if dialect == Dialect::Postgres {
        return vec![None; statements.len()];
    }
    let mut last_generated = None;
    let mut follow = |(at, statement): (usize, &Statement)| {
        let value_use = use_of(statement.sql(text), dialect);
        let before = last_generated;
        if value_use.generates {
            last_generated = Some(at);
        }
        if value_use.directly != DirectRead::No {
            return at.checked_sub(1);
        }
        before.filter(|_| value_use.reads && !value_use.generates_for_certain)
    };
    statements.iter().enumerate().map(&mut follow).collect()
}
