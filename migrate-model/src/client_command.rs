//! What only the client of a database understands, or does: commands such as `\connect`, `DELIMITER` and `.read`, and statements
//! in which the server asks the client for data.
//!
//! What changes how the text is split is followed. Everything else is refused before anything runs.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::finding::Finding;
use crate::place::SourceText;
use crate::statement::Statement;
use crate::token::{Kind, Quoting, Token, Tokens, executed_tokens};

/// A command of the psql client, such as `\connect`.
pub static PSQL_COMMAND: Code = Code::new(
    "psql-command",
    "A backslash outside strings (`\\i`, `\\connect`, `\\restrict`, `\\gexec`) begins a command of the psql client. Such a command is not SQL, and the server would reject it. Remove the command, or write the equivalent SQL. A name after a colon (`:'DBNAME'`, `:\"USER\"`, `:schema`) is a variable that psql replaces by its value; the server would reject this, too. Write the value, or use a function such as `current_database()`.",
);

/// A command of the mysql, mariadb or sqlite3 client.
pub static CLIENT_COMMAND: Code = Code::new(
    "client-command",
    "The mysql and mariadb clients execute commands such as `\\g`, `\\G`, `source FILE` and `exit`, and sqlite3 executes lines that \
     begin with a dot. These are not SQL, and the server would reject them. Remove the command, or write the equivalent SQL: \
     `;` for `\\g` and `\\G`, the contents of the file for `source` and `.read`.",
);

/// `--> statement-breakpoint` inside a statement of MySQL.
pub static STATEMENT_BREAKPOINT: Code = Code::new(
    "statement-breakpoint",
    "Drizzle separates the statements of a file with lines `--> statement-breakpoint`. In MySQL, `--` begins a \
     comment only if white space follows. The server would read this line as a part of the preceding statement and reject the statement. Write `;` at the end of each statement.",
);

/// SQL after `COPY ... FROM stdin;` on the same line.
pub static SQL_AFTER_COPY: Code = Code::new(
    "sql-after-copy",
    "The rows of `COPY ... FROM stdin;` begin on the next line, so only a comment may follow on the same line. psql would run SQL that follows on the same line after it has read the rows; other clients would discard this SQL. Move the SQL after the line `\\.` that ends the rows.",
);

/// `LISTEN`, and a notification after it.
pub static LISTEN_AND_NOTIFY: Code = Code::new(
    "listen-and-notify",
    "After `LISTEN`, PostgreSQL sends each notification of the channel to the session. The driver does not accept \
     notifications on this connection and closes it. `LISTEN` has no effect after the run, because it ends with the session. Remove it; `NOTIFY` alone is fine.",
);

/// `COPY ... TO stdout`.
pub static COPY_TO_STDOUT: Code = Code::new(
    "copy-to-stdout",
    "`COPY ... TO stdout` sends rows to the client, and a run of migrations does not process them. Write the rows into a table, or \
     remove the statement.",
);

/// `LOAD DATA LOCAL`.
pub static LOAD_DATA_LOCAL: Code = Code::new(
    "load-data-local",
    "`LOAD DATA LOCAL` and `LOAD XML LOCAL` read a file on the client host. The file is not part of the migration, \
     and the driver does not send it, so the server would reject the statement (error 4166 or 3948). Write the rows as `INSERT`, or load a file on the server host without `LOCAL`.",
);

/// What a line is for the client of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientLine<'a> {
    /// A part of a statement.
    Sql,
    /// `DELIMITER`, with the new delimiter, if it is one.
    Delimiter(Option<&'a str>),
    /// The rest of the line is a comment.
    Comment,
    /// It ends the statement before it, as `;` does.
    Terminator,
    /// The rest of the line is a statement, without a delimiter.
    Statement,
    /// A command that is not supported.
    Refused(&'static Code),
}

/// The commands of the mysql and mariadb clients that fill a line, and are not the first word of a statement.
const MYSQL_COMMANDS: [&str; 24] = [
    "charset",
    "clear",
    "connect",
    "costs",
    "edit",
    "ego",
    "exit",
    "go",
    "nopager",
    "notee",
    "nowarning",
    "pager",
    "print",
    "prompt",
    "query_attributes",
    "quit",
    "rehash",
    "resetconnection",
    "sandbox",
    "source",
    "status",
    "system",
    "tee",
    "warnings",
];

/// What the line of this token is for the client. `is_open`: a statement has started. `in_message`: something of the message that
/// the delimiter ends has been read. `in_body`: `;` would not end the statement.
pub fn read<'a>(text: &'a str, dialect: Dialect, token: Token, is_open: bool, in_message: bool, in_body: bool) -> ClientLine<'a> {
    match dialect {
        Dialect::Postgres if token.is_symbol(text, b'\\') => ClientLine::Refused(&PSQL_COMMAND),
        Dialect::Postgres => ClientLine::Sql,
        Dialect::MySql => mysql(text, token, is_open, in_message),
        Dialect::Sqlite => sqlite(text, token, is_open, in_body),
    }
}

fn mysql(text: &str, token: Token, is_open: bool, in_message: bool) -> ClientLine<'_> {
    let rest = &text[token.start..];
    if token.is_symbol(text, b'-') {
        return match (in_message, rest.starts_with("--")) {
            (false, true) => ClientLine::Comment,
            (true, true) if rest.starts_with("--> statement-breakpoint") => ClientLine::Refused(&STATEMENT_BREAKPOINT),
            _ => ClientLine::Sql,
        };
    }
    if token.is_symbol(text, b'\\') {
        // `\N` is NULL.
        return if rest.starts_with("\\N") { ClientLine::Sql } else { ClientLine::Refused(&CLIENT_COMMAND) };
    }
    if is_open {
        return ClientLine::Sql;
    }
    // A line may be long, so it is looked at only for these words.
    let arguments = || text[token.end..].lines().next().unwrap_or_default();
    if token.is_word(text, "DELIMITER") {
        return ClientLine::Delimiter(delimiter(arguments()));
    }
    if in_message || !begins_line(text, token) {
        return ClientLine::Sql;
    }
    if token.is_word(text, "USE") && !arguments().trim().is_empty() {
        return ClientLine::Statement;
    }
    // With an argument, the server answers.
    let asks_client =
        (token.is_word(text, "help") || token.is_symbol(text, b'?')) && arguments().trim_matches([' ', '\t', ';']).is_empty();
    if asks_client || MYSQL_COMMANDS.iter().any(|command| token.is_word(text, command)) {
        ClientLine::Refused(&CLIENT_COMMAND)
    } else {
        ClientLine::Sql
    }
}

/// The delimiter after `DELIMITER`. The client rejects one with a backslash, and keeps the one before.
fn delimiter(rest: &str) -> Option<&str> {
    let rest = rest.trim();
    let word = match rest.chars().next().filter(|first| ['\'', '"', '`'].contains(first)) {
        Some(quote) => rest[1..].split(quote).next(),
        None => rest.split_whitespace().next(),
    };
    word.filter(|word| !word.is_empty() && !word.contains('\\'))
}

fn sqlite(text: &str, token: Token, is_open: bool, in_body: bool) -> ClientLine<'_> {
    if !is_open && token.is_symbol(text, b'.') {
        return ClientLine::Refused(&CLIENT_COMMAND);
    }
    if !is_open && token.is_symbol(text, b'#') && (token.start == 0 || text.as_bytes()[token.start - 1] == b'\n') {
        return ClientLine::Comment;
    }
    let is_separator = token.is_word(text, "go") || token.is_symbol(text, b'/');
    let rest = || text[token.end..].trim_start_matches([' ', '\t', '\r']);
    if is_separator && !in_body && (rest().is_empty() || rest().starts_with('\n')) && begins_line(text, token) {
        return ClientLine::Terminator;
    }
    ClientLine::Sql
}

/// Does only white space precede the token on its line?
fn begins_line(text: &str, token: Token) -> bool {
    let before = text[..token.start].trim_end_matches([' ', '\t', '\r']);
    before.is_empty() || before.ends_with('\n')
}

/// The finding for a command that is not supported.
pub fn refused(code: &'static Code, command: &str, dialect: Dialect) -> Finding {
    if *code == STATEMENT_BREAKPOINT {
        let message = "`--> statement-breakpoint` is not a comment in MySQL, because no white space follows `--`";
        return Finding::error(code, message).help("write `;` at the end of the statement before it");
    }
    let client = match dialect {
        Dialect::Postgres => "psql",
        Dialect::MySql => "mariadb",
        Dialect::Sqlite => "sqlite3",
    };
    // The rest of the line, which may be long.
    let (end, dots) = command.char_indices().nth(80).map_or((command.len(), ""), |(end, _)| (end, "…"));
    let command = &command[..end];
    Finding::error(code, format!("`{command}{dots}` is a command of the {client} client, not SQL"))
        .help("remove it, or write the equivalent SQL")
}

/// The finding for a file that listens to a channel and then notifies one: the server would send the notification to the session
/// of the run.
pub fn notifications(source: &SourceText<'_>, statements: &[Statement], dialect: Dialect) -> Option<Finding> {
    let text = source.text();
    if dialect != Dialect::Postgres {
        return None;
    }
    let is_first = |statement: &Statement, word: &str| {
        let sql = statement.sql(text);
        Tokens::new(sql, dialect).find(|token| !token.is_blank()).is_some_and(|token| token.is_word(sql, word))
    };
    let mut listens = false;
    let notifying = statements.iter().find(|statement| {
        let sql = statement.sql(text);
        let is_notified = listens
            && (is_first(statement, "NOTIFY")
                || !is_first(statement, "CREATE") && contains_word(sql, "pg_notify")
                || is_first(statement, "DO") && contains_word(sql, "notify"));
        listens = (listens || is_first(statement, "LISTEN")) && !is_first(statement, "UNLISTEN");
        is_notified
    })?;
    let message = "the file listens to notifications and then sends one, and the driver does not accept notifications";
    let finding = Finding::error(&LISTEN_AND_NOTIFY, message).at(source.place(notifying.range.clone()));
    Some(finding.help("remove `LISTEN`: it ends with the session of the run"))
}

fn contains_word(text: &str, word: &str) -> bool {
    let mut words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.any(|other| other.eq_ignore_ascii_case(word))
}

/// The finding for a statement in which the server exchanges data with the client.
pub fn refused_statement(text: &str, dialect: Dialect, tokens: &[Token]) -> Option<Finding> {
    if copies(text, dialect, tokens, "TO", "STDOUT") {
        let message = "`COPY ... TO stdout` sends rows to the client, and a run of migrations does not process them";
        return Some(Finding::error(&COPY_TO_STDOUT, message).help("write the rows into a table, or remove the statement"));
    }
    if loads_local(text, dialect, tokens) {
        let message = "`LOAD DATA LOCAL` reads a file on the client host, and the driver does not send files";
        let help = "write the rows as `INSERT`, or load a file on the server host without `LOCAL`";
        return Some(Finding::error(&LOAD_DATA_LOCAL, message).help(help));
    }
    let variable = psql_variable(text, dialect, tokens)?;
    let message = format!("`{variable}` is a variable of the psql client, not SQL");
    Some(Finding::error(&PSQL_COMMAND, message).help("write the value, or use a function such as `current_database()`"))
}

/// A variable of psql: a colon directly before a name or a string. The server knows such a colon only in the slice of an array, and
/// in the constructors of JSON objects.
fn psql_variable<'t>(text: &'t str, dialect: Dialect, tokens: &[Token]) -> Option<&'t str> {
    if dialect != Dialect::Postgres {
        return None;
    }
    let mut brackets = 0_u32;
    for (at, token) in tokens.iter().enumerate() {
        match (token.kind, text.as_bytes().get(token.start)) {
            (Kind::Symbol, Some(b'[')) => brackets += 1,
            (Kind::Symbol, Some(b']')) => brackets = brackets.saturating_sub(1),
            (Kind::Symbol, Some(b':')) if brackets == 0 => {
                let follows_colon = at > 0 && tokens[at - 1].is_symbol(text, b':') && tokens[at - 1].end == token.start;
                let name = tokens.get(at + 1).filter(|name| name.start == token.end && !follows_colon);
                let name = name.filter(|name| matches!(name.kind, Kind::Word | Kind::QuotedName | Kind::Text));
                let starts_name = |name: &Token| !text.as_bytes()[name.start].is_ascii_digit();
                if let Some(name) = name.filter(|name| starts_name(name)) {
                    let is_json = |token: &Token| token.text(text).to_ascii_uppercase().starts_with("JSON_OBJECT");
                    return if tokens[..at].iter().any(is_json) { None } else { Some(&text[token.start..name.end]) };
                }
            }
            _ => {}
        }
    }
    None
}

/// Is a statement `COPY ... FROM stdin` or `COPY ... TO stdout`?
pub fn copies(text: &str, dialect: Dialect, tokens: &[Token], direction: &str, stream: &str) -> bool {
    dialect == Dialect::Postgres
        && tokens[0].is_word(text, "COPY")
        && tokens.windows(2).any(|pair| pair[0].is_word(text, direction) && pair[1].is_word(text, stream))
}

fn loads_local(text: &str, dialect: Dialect, tokens: &[Token]) -> bool {
    if dialect != Dialect::MySql {
        return false;
    }
    let tokens = executed_tokens(text, &tokens[..tokens.len().min(6)], Quoting::of(dialect));
    let word = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| words.iter().any(|word| token.is_word(text, word)));
    let priority = usize::from(word(2, &["LOW_PRIORITY", "CONCURRENT"]));
    word(0, &["LOAD"]) && word(1, &["DATA", "XML"]) && word(2 + priority, &["LOCAL"])
}

/// The finding for SQL between `COPY ... FROM stdin` and its rows.
pub fn sql_after_copy() -> Finding {
    let message = "SQL is not allowed between `COPY ... FROM stdin;` and its rows";
    Finding::error(&SQL_AFTER_COPY, message).help("move the SQL after the line `\\.` that ends the rows")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    #[test]
    fn a_session_that_listens_is_not_notified() {
        for (text, expected) in [
            ("LISTEN c; NOTIFY c, 'x';", 1),
            ("LISTEN c; SELECT 1; SELECT pg_notify('c', 'x');", 1),
            ("LISTEN c; DO $$ BEGIN NOTIFY c; END $$;", 1),
            ("LISTEN c; SELECT 1;", 0),
            ("NOTIFY c; LISTEN c;", 0),
            ("UNLISTEN *; NOTIFY c;", 0),
            ("LISTEN c; UNLISTEN c; NOTIFY c, 'x';", 0),
            ("LISTEN c; CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT pg_notify(1, 2)';", 0),
            ("LISTEN c; DO $$ BEGIN ALTER TABLE q ADD COLUMN notify_at timestamptz; END $$;", 0),
        ] {
            let (_, findings) = Script::read(text.to_owned(), "f.sql", Dialect::Postgres);
            let found = findings.iter().filter(|finding| finding.code == &LISTEN_AND_NOTIFY).count();
            assert_eq!(found, expected, "{text}");
        }
    }
}
