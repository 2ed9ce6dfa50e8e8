//! Values that an earlier statement has left in the session: `currval('s')`, `lastval()`, `LAST_INSERT_ID()`, `changes()`.
//!
//! A new session does not have them, and behind a pooler another session has others.

use super::catalog::{RoutineBody, TriggerCatalog};
use super::{SessionEffect, bare, is, is_declared, may_be_name, meaningful};
use crate::assignment::set_statement;
use crate::dialect::Dialect;
use crate::statement::Statement;
use crate::token::{Kind, Token, Tokens};
use std::collections::HashMap;
use std::ops::Range;

/// Functions that return what the statement directly before them has left, on SQLite the last one that changed rows; those that
/// return a generated value; and those that count all changes of the session.
struct Readers {
    directly: &'static [&'static str],
    generated: &'static [&'static str],
    total: &'static [&'static str],
}

const fn readers(dialect: Dialect) -> Readers {
    match dialect {
        Dialect::Postgres => Readers { directly: &[], generated: &["currval", "lastval"], total: &[] },
        Dialect::MySql => Readers {
            directly: &["ROW_COUNT", "DIAGNOSTICS", "WARNINGS", "ERRORS", "warning_count", "error_count", "last_gtid"],
            generated: &["LAST_INSERT_ID", "identity", "insert_id", "LASTVAL", "PREVIOUS", "currval"],
            total: &[],
        },
        Dialect::Sqlite => Readers { directly: &["changes"], generated: &["last_insert_rowid"], total: &["total_changes"] },
    }
}

impl Readers {
    /// Whether a text contains one of these words anywhere. A script that does not, which is nearly every one, reads no such value.
    fn are_named_in(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let words = self.directly.iter().chain(self.generated).chain(self.total).chain(FOUND_ROWS);
        words.into_iter().any(|word| text.contains(&word.to_ascii_lowercase()))
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

impl DirectRead {
    fn of_call(is_called: bool) -> Self {
        if is_called { DirectRead::Called } else { DirectRead::No }
    }

    fn add_call(&mut self, inner: DirectRead) {
        if inner == DirectRead::Called {
            *self = DirectRead::Called;
        }
    }
}

/// The function that returns how many rows the last query of MySQL had.
const FOUND_ROWS: &[&str] = &["FOUND_ROWS"];

/// Whether a statement may change rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ChangedRows {
    #[default]
    No,
    Possible,
}

impl ChangedRows {
    fn of(is_possible: bool) -> Self {
        if is_possible { ChangedRows::Possible } else { ChangedRows::No }
    }
}

/// What a statement has to do with such values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ValueUse {
    /// Whether it reads what the statement before it has left.
    directly: DirectRead,
    /// It reads a generated value.
    reads: bool,
    /// It reads a count of all changes of the session.
    totals: DirectRead,
    /// It reads how many rows the last query of MySQL has found.
    row_count: DirectRead,
    /// It may be a query that decides that number.
    queries: ChangedRows,
    /// It may change rows, and with that what `changes()` of SQLite returns.
    rows: ChangedRows,
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
    let is_first = |words: &[&str]| words.iter().any(|word| is(&tokens, sql, 0, word));
    if defines {
        // A virtual table is one of other tables, with rows.
        return ValueUse { rows: ChangedRows::of(names(&["VIRTUAL"])), generates: names(&["VIRTUAL"]), ..ValueUse::default() };
    }
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
        totals: DirectRead::of_call(reads_any(readers.total)),
        row_count: DirectRead::of_call(dialect == Dialect::MySql && (reads_any(FOUND_ROWS) || in_body(FOUND_ROWS))),
        queries: ChangedRows::of(is_first(&["SELECT", "WITH", "TABLE", "VALUES", "SHOW", "CALL", "EXECUTE", "DO", "BEGIN"])),
        rows: ChangedRows::of(changes || is_first(&["DELETE"])),
        generates: changes || generates_for_certain || sets_id,
        generates_for_certain,
        sequences,
    }
}

/// Functions of MySQL that return a value of a sequence of the session.
const SEQUENCE_READERS: [&str; 3] = ["LASTVAL", "PREVIOUS", "currval"];

/// Does a script of MySQL read a value of a sequence that no statement of it need have generated? A new session has none.
pub fn reads_earlier_sequences(text: &str, statements: &[Statement], dialect: Dialect) -> bool {
    let lower = text.to_ascii_lowercase();
    if dialect != Dialect::MySql || !SEQUENCE_READERS.iter().any(|word| lower.contains(&word.to_ascii_lowercase())) {
        return false;
    }
    let uses = uses_of(text, statements, dialect, HiddenReads::new());
    let reader = uses.iter().position(|value_use| value_use.reads);
    reader.is_some_and(|reader| !uses[..reader].iter().any(|value_use| value_use.generates_for_certain))
}

/// The statements of a script of PostgreSQL between which `lastval()` must stay as it is: from the first that may take a value of a
/// sequence to the last that may read one. `None` if there are no two such statements.
pub fn sequence_span(text: &str, statements: &[Statement], effects: &[SessionEffect], dialect: Dialect) -> Option<Range<usize>> {
    let is_unknown = |at: usize| effects.get(at).is_none_or(|effect| *effect == SessionEffect::Unknown);
    let is_named = readers(dialect).are_named_in(text);
    if dialect != Dialect::Postgres || !(is_named || (0..statements.len()).any(is_unknown)) {
        return None;
    }
    let uses = uses_of(text, statements, dialect, HiddenReads::new());
    let start = (0..uses.len()).find(|at| uses[*at].generates || is_unknown(*at))?;
    let last = (0..uses.len()).rfind(|at| uses[*at].reads || is_unknown(*at))?;
    (start < last).then_some(start..last + 1)
}

impl ValueUse {
    /// Adds what something reads that the statement runs.
    fn add_reads(&mut self, inner: &ValueUse) {
        self.reads |= inner.reads;
        self.totals.add_call(inner.totals);
        self.directly.add_call(inner.directly);
        self.row_count.add_call(inner.row_count);
    }

    /// Of SQL that cannot be read.
    fn of_everything() -> Self {
        let called = DirectRead::Called;
        ValueUse { reads: true, totals: called, directly: called, row_count: called, ..ValueUse::default() }
    }

    fn is_reader(&self) -> bool {
        self.reads || [self.totals, self.directly, self.row_count].contains(&DirectRead::Called)
    }
}

/// What a statement reads by the names that it contains.
type HiddenReads = HashMap<String, ValueUse>;

fn add_named_reads(value_use: &mut ValueUse, sql: &str, dialect: Dialect, hidden: &HiddenReads) {
    let tokens = if hidden.is_empty() { Vec::new() } else { meaningful(sql, dialect) };
    for token in tokens.iter().filter(|token| may_be_name(token, sql, dialect)) {
        if let Some(inner) = hidden.get(&bare(token.text(sql))) {
            value_use.add_reads(inner);
        }
    }
}

/// What the views, triggers and routines read that a database of MySQL has already, also through each other. All of a body counts:
/// `DECLARE`, `IF`, `OPEN` and a call leave `ROW_COUNT()` as the statement before the call left it.
fn reads_of_catalog(catalog: &TriggerCatalog, dialect: Dialect) -> HiddenReads {
    let mut hidden = HiddenReads::new();
    if dialect != Dialect::MySql {
        return hidden;
    }
    let named = catalog.named.iter().chain(&catalog.triggers);
    let texts = named.flat_map(|(name, bodies)| bodies.iter().map(move |body| (name, body)));
    // As if it were a query. What cannot be read may read everything.
    let texts: Vec<(&String, Option<String>)> = texts
        .map(|(name, body)| match body {
            RoutineBody::Sql(text) => (name, Some(format!("SELECT {text}"))),
            RoutineBody::Hidden => (name, None),
        })
        .collect();
    let use_of_body = |sql: &Option<String>| sql.as_ref().map_or_else(ValueUse::of_everything, |sql| use_of(sql, dialect));
    let mut uses: Vec<ValueUse> = texts.iter().map(|(_, sql)| use_of_body(sql)).collect();
    loop {
        let before = hidden.clone();
        for ((name, sql), value_use) in texts.iter().zip(&mut uses) {
            add_named_reads(value_use, sql.as_deref().unwrap_or_default(), dialect, &hidden);
            if value_use.is_reader() {
                hidden.entry((*name).clone()).or_default().add_reads(value_use);
            }
        }
        if hidden == before {
            return hidden;
        }
    }
}

/// The use of each statement. What a view, a default value, a trigger or a routine of the script or of the catalog reads, a
/// statement reads that names it or its table.
fn uses_of(text: &str, statements: &[Statement], dialect: Dialect, mut hidden: HiddenReads) -> Vec<ValueUse> {
    let mut uses: Vec<ValueUse> = statements.iter().map(|statement| use_of(statement.sql(text), dialect)).collect();
    if dialect == Dialect::MySql {
        add_dynamic_reads(&mut uses, text, statements);
    }
    for (statement, value_use) in statements.iter().zip(&mut uses) {
        let sql = statement.sql(text);
        match hidden_use(sql, dialect) {
            Some((name, value_use)) => {
                hidden.insert(name, value_use);
            }
            None => add_named_reads(value_use, sql, dialect, &hidden),
        }
    }
    uses
}

/// Adds what `EXECUTE` and `EXECUTE IMMEDIATE` may read: any text of the script may be the one that they execute.
fn add_dynamic_reads(uses: &mut [ValueUse], text: &str, statements: &[Statement]) {
    let dialect = Dialect::MySql;
    let executes = |statement: &Statement| {
        let sql = set_statement::executed(statement.sql(text), dialect);
        Tokens::new(sql, dialect).find(|token| !token.is_blank()).is_some_and(|first| first.is_word(sql, "EXECUTE"))
    };
    if !statements.iter().any(executes) {
        return;
    }
    let mut dynamic = ValueUse::default();
    for statement in statements {
        let sql = statement.sql(text);
        for token in Tokens::new(sql, dialect).filter(|token| matches!(token.kind, Kind::Text | Kind::QuotedName)) {
            dynamic.add_reads(&use_of(&format!("SELECT {}", token.text(sql).trim_matches(['\'', '"', '`'])), dialect));
        }
    }
    for (statement, value_use) in statements.iter().zip(uses) {
        if executes(statement) {
            value_use.add_reads(&dynamic);
        }
    }
}

/// What a definition reads when it is used, with the name in statements that use it.
fn hidden_use(sql: &str, dialect: Dialect) -> Option<(String, ValueUse)> {
    let first = Tokens::new(sql, dialect).find(|token| !token.is_blank())?;
    if !first.is_word(sql, "CREATE") {
        return None;
    }
    let tokens = meaningful(sql, dialect);
    let kinds = ["VIEW", "TABLE", "TRIGGER", "FUNCTION", "PROCEDURE"];
    let kind = tokens.iter().take(12).position(|token| kinds.iter().any(|word| token.is_word(sql, word)))?;
    let is_trigger = tokens[kind].is_word(sql, "TRIGGER");
    let before = if is_trigger { tokens.iter().position(|token| token.is_word(sql, "ON"))? } else { kind };
    let skipped = ["IF", "NOT", "EXISTS"];
    let mut name = (before + 1..tokens.len()).find(|at| !skipped.iter().any(|word| is(&tokens, sql, *at, word)))?;
    while tokens.get(name + 1).is_some_and(|dot| dot.is_symbol(sql, b'.')) {
        name += 2;
    }
    let start = tokens.get(name + 1)?.start;
    // As if it were a query.
    let value_use = use_of(&format!("SELECT {}", sql.get(start..)?), dialect);
    value_use.is_reader().then(|| (bare(tokens[name].text(sql)), value_use))
}

/// Does a statement read what an earlier one returned or generated, such as `ROW_COUNT()` or `LAST_INSERT_ID()`?
pub fn reads_result(sql: &str, dialect: Dialect) -> bool {
    let value_use = use_of(sql, dialect);
    let called = [value_use.totals, value_use.row_count].contains(&DirectRead::Called);
    value_use.reads || called || value_use.directly != DirectRead::No
}

/// Whether a script of SQLite needs a session in which no other statement has changed rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreshSession {
    /// It reads no such value.
    NotNeeded,
    /// It reads one that a statement of its own has certainly or probably left.
    Preferred,
    /// This statement reads one that no statement of the script need have left.
    Required(usize),
}

/// Whether a script reads `total_changes()`, or what a session has before its first change.
pub fn fresh_session(text: &str, statements: &[Statement], dialect: Dialect) -> FreshSession {
    if dialect != Dialect::Sqlite || !readers(dialect).are_named_in(text) {
        return FreshSession::NotNeeded;
    }
    let uses = uses_of(text, statements, dialect, HiddenReads::new());
    let (mut changed, mut generated, mut reads) = (false, false, false);
    for (at, value_use) in uses.iter().enumerate() {
        let directly = value_use.directly == DirectRead::Called;
        if value_use.totals == DirectRead::Called || (directly && !changed) || (value_use.reads && !generated) {
            return FreshSession::Required(at);
        }
        reads |= directly || value_use.reads;
        changed |= value_use.rows == ChangedRows::Possible;
        generated |= value_use.generates;
    }
    if reads { FreshSession::Preferred } else { FreshSession::NotNeeded }
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
pub fn sources(text: &str, statements: &[Statement], dialect: Dialect, catalog: &TriggerCatalog) -> Vec<Option<usize>> {
    let hidden = reads_of_catalog(catalog, dialect);
    if !readers(dialect).are_named_in(text) && hidden.is_empty() {
        return vec![None; statements.len()];
    }
    let uses = uses_of(text, statements, dialect, hidden);
    let first = uses.iter().position(|value_use| value_use.generates);
    // The last statement that has certainly generated a value of a sequence.
    let mut generated: HashMap<&str, usize> = HashMap::new();
    let source = |at: usize, reader: &ValueUse, generated: &HashMap<&str, usize>| {
        if reader.totals == DirectRead::Called {
            return Some(0).filter(|first| *first < at);
        }
        if reader.directly == DirectRead::Called && dialect == Dialect::Sqlite {
            return uses[..at].iter().rposition(|before| before.rows == ChangedRows::Possible);
        }
        if reader.directly == DirectRead::Called {
            return at.checked_sub(1);
        }
        if reader.row_count == DirectRead::Called {
            return last_query(&uses, at);
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
pub fn follows(text: &str, statements: &[Statement], dialect: Dialect, catalog: &TriggerCatalog) -> Vec<Option<usize>> {
    // What runs in several transactions of PostgreSQL cannot have one checkpoint.
    let hidden = reads_of_catalog(catalog, dialect);
    if dialect == Dialect::Postgres || (!readers(dialect).are_named_in(text) && hidden.is_empty()) {
        return vec![None; statements.len()];
    }
    let uses = uses_of(text, statements, dialect, hidden);
    if dialect == Dialect::Sqlite {
        return (0..uses.len()).map(|at| sqlite_source(&uses, at)).collect();
    }
    let mut last_generated = None;
    let mut follow = |(at, value_use): (usize, &ValueUse)| {
        let before = last_generated;
        if value_use.generates {
            last_generated = Some(at);
        }
        if value_use.directly != DirectRead::No {
            return at.checked_sub(1);
        }
        if value_use.row_count == DirectRead::Called {
            return last_query(&uses, at);
        }
        before.filter(|_| value_use.reads && !value_use.generates_for_certain)
    };
    uses.iter().enumerate().map(&mut follow).collect()
}

/// The query before a statement whose number of rows `FOUND_ROWS()` returns, also after other statements.
fn last_query(uses: &[ValueUse], at: usize) -> Option<usize> {
    uses[..at].iter().rposition(|before| before.queries == ChangedRows::Possible)
}

/// The first of the statements that decide what a statement of SQLite reads: all, if none of them need have left it. `INSERT`
/// may insert no row, or one without a row id, so for a row id all of them count.
fn sqlite_source(uses: &[ValueUse], at: usize) -> Option<usize> {
    let (value_use, before) = (&uses[at], &uses[..at]);
    let directly = (value_use.directly == DirectRead::Called)
        .then(|| before.iter().rposition(|before| before.rows == ChangedRows::Possible).unwrap_or(0));
    let generated = value_use.reads.then(|| before.iter().position(|before| before.generates).unwrap_or(0));
    let total = (value_use.totals == DirectRead::Called).then_some(0);
    [directly, generated, total].into_iter().flatten().min().filter(|first| *first < at)
}
