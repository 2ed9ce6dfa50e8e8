//! What a database and a script define that a statement may run without naming its SQL: routines and triggers.

use super::table_engines::TableEngines;
use super::{SessionEffect, bare, dollar_body, has, is, may_be_name, meaningful, tokens_after_parentheses, unquoted};
use crate::assignment::set_statement;
use crate::dialect::Dialect;
use crate::reader;
use crate::statement::Statement;
use crate::syntax::{ActionKind, Syntax};
use crate::token::{Kind, Token, Tokens};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

/// The SQL of a routine or a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutineBody {
    /// Its text.
    Sql(String),
    /// It cannot be read: it is written in another language, or the user lacks the privilege.
    Hidden,
}

/// The triggers of the tables that a script names, as the system catalog describes them, and the routines that they call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TriggerCatalog {
    /// The triggers that a change of a table may fire, by the lower-case name of the table; on MySQL, also the query of the view of
    /// that name, which runs with each statement that names the view.
    pub triggers: HashMap<String, Vec<RoutineBody>>,
    /// Those of `triggers` that PostgreSQL computes from a row of the table or a value of the domain of that name: checks,
    /// generated columns and keys of indexes.
    pub computed: HashMap<String, Vec<RoutineBody>>,
    /// The operators of PostgreSQL that the database defines, and the names of their functions.
    pub operators: Vec<(String, String)>,
    /// All routines of a name, in lower case.
    pub routines: HashMap<String, Vec<RoutineBody>>,
    /// The routines of MySQL that a script names, in lower case. What they do to the session is not known from this, but what they
    /// read of the statement before a call.
    pub named: HashMap<String, Vec<RoutineBody>>,
    /// The tables of MySQL without transactions.
    pub engines: TableEngines,
}

impl TriggerCatalog {
    /// The SQL of all triggers and routines that can be read.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let bodies = self.triggers.values().chain(self.routines.values()).flatten();
        bodies.filter_map(|body| if let RoutineBody::Sql(text) = body { Some(text.as_str()) } else { None })
    }

    /// The operators of these that a text uses, whose names and operators are given, or that one of the bodies uses.
    pub fn use_operators(&mut self, known: &[(String, String)], names: &BTreeSet<String>) {
        let is_used =
            |symbols: &str| names.iter().any(|run| run.contains(symbols)) || self.texts().any(|text| text.contains(symbols));
        self.operators = known.iter().filter(|(symbols, _)| is_used(symbols)).cloned().collect();
    }

    /// The names in the bodies that change rows, in lower case: they may be tables with triggers.
    pub fn changed_names(&self, dialect: Dialect) -> BTreeSet<String> {
        const CHANGES: [&str; 6] = ["insert", "update", "delete", "merge", "truncate", "replace"];
        let names = self.texts().map(|text| names_in(text, dialect));
        names.filter(|names| CHANGES.iter().any(|word| names.contains(*word))).flatten().collect()
    }

    /// The names that the bodies mention and no routine of this catalog has.
    pub fn missing_names(&self, dialect: Dialect) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        self.texts().for_each(|text| add_names(&mut names, text, dialect));
        names.extend(self.operators.iter().map(|(_, function)| bare(function)));
        names.retain(|name| !self.routines.contains_key(name) && !super::functions::is_harmless(name));
        names
    }
}

/// The names, in lower case, that may be tables which a script changes. A statement that only defines something has none.
pub fn changed_names(text: &str, statements: &[Statement], dialect: Dialect) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for statement in statements {
        let sql = set_statement::executed(statement.sql(text), dialect);
        let first = Tokens::new(sql, dialect).find(|token| !token.is_blank());
        let defines = ["CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "SET", "PRAGMA", "VACUUM", "ANALYZE"];
        // On MySQL, `SET @x = f()` may change a table. A query of a view may run a function, and so may what checks or rewrites the
        // rows of a table, or builds an index over them.
        let queries = has_query(sql, dialect);
        let sets = |first: &Token| dialect == Dialect::MySql && first.is_word(sql, "SET") && sql.contains('(');
        let reads = |first: &Token| queries && ["CREATE", "ANALYZE"].iter().any(|word| first.is_word(sql, word));
        let defines_only = |first: &Token| defines.iter().any(|word| first.is_word(sql, word));
        let changes = |first: &Token| sets(first) || reads(first) || !defines_only(first);
        if dialect == Dialect::Postgres {
            names.extend(computed_names(sql));
        }
        if may_rename(sql, dialect) || first.as_ref().is_some_and(changes) {
            add_names(&mut names, sql, dialect);
            if dialect == Dialect::Postgres {
                names.extend(operators_in(sql).map(str::to_owned));
            }
        }
    }
    names
}

/// Is a statement one that may rename a table, which takes its triggers with it?
fn may_rename(sql: &str, dialect: Dialect) -> bool {
    let mut tokens = Tokens::new(sql, dialect).filter(|token| !token.is_blank());
    let Some(first) = tokens.next() else { return false };
    first.is_word(sql, "RENAME") || first.is_word(sql, "ALTER") && tokens.any(|token| token.is_word(sql, "RENAME"))
}

/// The names, in lower case, of the tables from whose rows `ALTER TABLE` or `CREATE INDEX` of PostgreSQL computes something, and of
/// the domains whose values they compute. An `ALTER TABLE` that does not read the rows computes nothing of the table itself.
pub fn computed_names(sql: &str) -> BTreeSet<String> {
    let tokens = meaningful(sql, Dialect::Postgres);
    let is_word = |at: usize, word: &str| is(&tokens, sql, at, word);
    let is_index = is_word(0, "CREATE") && (is_word(1, "INDEX") || is_word(1, "UNIQUE"));
    let is_alter = is_word(0, "ALTER") && is_word(1, "TABLE");
    let reading = ["TYPE", "VALIDATE", "CHECK", "GENERATED", "EXPRESSION", "ATTACH"];
    let reads_rows = is_index || reading.iter().any(|word| has(&tokens, sql, word));
    // After the table and its schema; without a table, all names count.
    let is_prefix = |at: usize| ["IF", "EXISTS", "ONLY"].iter().any(|word| is_word(at, word));
    let table = (2..tokens.len()).find(|at| !is_prefix(*at)).unwrap_or_default();
    let is_qualified = tokens.get(table + 1).is_some_and(|dot| dot.is_symbol(sql, b'.'));
    let start = match (is_index || is_alter, reads_rows) {
        (false, _) => tokens.len(),
        (true, true) => 2,
        (true, false) => table + if is_qualified { 3 } else { 1 },
    };
    let named = tokens.iter().skip(start).filter(|token| may_be_name(token, sql, Dialect::Postgres));
    named.map(|token| bare(token.text(sql))).collect()
}

/// Does a statement contain a query? `CREATE TABLE` does not, `TABLE t` does.
fn has_query(sql: &str, dialect: Dialect) -> bool {
    let tokens = meaningful(sql, dialect);
    let is_prefix = |token: &Token| ["CREATE", "OR", "REPLACE", "TEMPORARY"].iter().any(|word| token.is_word(sql, word));
    let mut rest = tokens.iter().skip_while(|token| is_prefix(token)).skip(1);
    let is_query = |token: &Token| ["SELECT", "VALUES", "TABLE"].iter().any(|word| token.is_word(sql, word));
    rest.any(|token| is_query(token) || token.kind == Kind::Executable)
}

/// The names, in lower case and without their schemas, of the tables that a script of MySQL makes or changes. `None` if it may
/// make or change other objects, such as triggers.
pub fn defined_names(text: &str, statements: &[Statement]) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for statement in statements {
        let sql = statement.sql(text);
        let tokens = meaningful(sql, Dialect::MySql);
        let is_any = |at: usize, words: &[&str]| words.iter().any(|word| is(&tokens, sql, at, word));
        // A function cannot define anything, because that would commit.
        if is_any(0, &["INSERT", "UPDATE", "DELETE", "SELECT"]) {
            continue;
        }
        let is_index = is_any(0, &["CREATE"]) && (is_any(1, &["INDEX"]) || is_any(2, &["INDEX"]));
        if is_index {
            continue;
        }
        if !is_any(0, &["CREATE", "ALTER"]) || !is_any(1, &["TABLE"]) || has(&tokens, sql, "RENAME") {
            return None;
        }
        names.insert(table_name(sql, &tokens[2..])?);
    }
    Some(names)
}

/// The name at the start of these tokens, after `IF [NOT] EXISTS`.
fn table_name(sql: &str, tokens: &[Token]) -> Option<String> {
    let mut tokens = tokens.iter().skip_while(|token| ["IF", "NOT", "EXISTS"].iter().any(|word| token.is_word(sql, word)));
    let mut name = tokens.next()?;
    while tokens.next()?.text(sql) == "." {
        name = tokens.next()?;
    }
    matches!(name.kind, Kind::Word | Kind::QuotedName).then(|| bare(name.text(sql)))
}

/// The names in a text, in lower case, without their schemas.
pub fn names_in(sql: &str, dialect: Dialect) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    add_names(&mut names, sql, dialect);
    names
}

fn add_names(names: &mut BTreeSet<String>, sql: &str, dialect: Dialect) {
    let mut texts = vec![sql];
    while let Some(sql) = texts.pop() {
        for token in Tokens::new(sql, dialect) {
            match token.kind {
                _ if may_be_name(&token, sql, dialect) => {
                    let name = unquoted(token.text(sql));
                    names.insert(name.to_lowercase());
                    // The server may have other lower case letters, or none.
                    if dialect == Dialect::MySql && !name.is_ascii() {
                        names.insert(name.into_owned());
                    }
                }
                Kind::DollarText => texts.push(token.text(sql).trim_matches('$')),
                Kind::Executable => texts.push(super::executable_content(token.text(sql))),
                _ => {}
            }
        }
    }
}

/// The runs of characters of operators in a statement: one operator, or several.
fn operators_in(sql: &str) -> impl Iterator<Item = &str> {
    let is_part = |letter: char| "+-*/<>=~!@#%^&|`?".contains(letter);
    sql.split(move |letter| !is_part(letter)).filter(|run| !run.is_empty())
}

/// A trigger, as its definition describes it.
#[derive(Debug, Clone, Copy)]
pub(super) enum KnownTrigger<'t> {
    /// It runs this SQL.
    Sql(&'t str),
    /// It calls the routine of this name.
    Calls(&'t str),
    /// It cannot be read.
    Hidden,
}

/// Whose bodies a name refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum BodyOwner {
    /// The routines of that name.
    Routine,
    /// The triggers of the table of that name.
    Triggers,
    /// What is computed from a row of the table of that name.
    Computed,
}

/// The routines and triggers that the statements of a script may run.
#[derive(Debug, Default)]
pub(super) struct Definitions<'t> {
    /// The bodies of all routines of a name; `None` for one that cannot be read.
    pub routines: HashMap<String, Vec<Option<&'t str>>>,
    /// The triggers of a table.
    pub triggers: HashMap<String, Vec<KnownTrigger<'t>>>,
    /// What is computed from a row of a table, or a value of a domain.
    pub computed: HashMap<String, Vec<KnownTrigger<'t>>>,
    /// The function of each operator that a script defines. An operator of that name may be another one, which is not known.
    pub operators: Vec<(&'t str, &'t str)>,
    /// The effects of the bodies that were read, at each depth of calls.
    pub effects: RefCell<HashMap<(BodyOwner, u32, String), SessionEffect>>,
}

impl<'t> Definitions<'t> {
    /// Those that a script creates, and those of the database.
    pub fn of(text: &'t str, statements: &[Statement], dialect: Dialect, catalog: &'t TriggerCatalog) -> Self {
        let mut definitions = Definitions::default();
        definitions.operators.extend(catalog.operators.iter().map(|(symbols, function)| (symbols.as_str(), function.as_str())));
        for (name, bodies) in &catalog.routines {
            let bodies = bodies.iter().map(|body| if let RoutineBody::Sql(text) = body { Some(text.as_str()) } else { None });
            definitions.routines.entry(name.clone()).or_default().extend(bodies);
        }
        let known = |body: &'t RoutineBody| match body {
            RoutineBody::Sql(text) => KnownTrigger::Sql(text),
            RoutineBody::Hidden => KnownTrigger::Hidden,
        };
        for (table, bodies) in &catalog.triggers {
            definitions.triggers.entry(table.clone()).or_default().extend(bodies.iter().map(known));
        }
        for (name, bodies) in &catalog.computed {
            definitions.computed.entry(name.clone()).or_default().extend(bodies.iter().map(known));
        }
        for statement in statements.iter().filter(|_| dialect != Dialect::Sqlite) {
            definitions.add(statement.sql(text), dialect);
            if !definitions.triggers.is_empty() {
                definitions.rename(statement.sql(text), dialect);
            }
        }
        definitions
    }

    /// A table takes its triggers with it to its new name.
    fn rename(&mut self, sql: &str, dialect: Dialect) {
        let mut rename = |from: &str, to: &str| {
            if let Some(triggers) = self.triggers.get(&bare(from)).cloned() {
                self.triggers.entry(bare(to)).or_default().extend(triggers);
            }
        };
        if !may_rename(sql, dialect) {
            return;
        }
        match reader::read(sql, dialect) {
            Syntax::RenameTables(renames) => renames.iter().for_each(|(from, to)| rename(&from.name, &to.name)),
            Syntax::AlterTable(alter) => {
                for action in &alter.actions {
                    if let ActionKind::Rename(to) = &action.kind {
                        rename(&alter.table.name, &to.name);
                    }
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, sql: &'t str, dialect: Dialect) {
        let sql = set_statement::executed(sql, dialect);
        let head: Vec<Token> = Tokens::new(sql, dialect).filter(|token| !token.is_blank()).take(16).collect();
        if !is(&head, sql, 0, "CREATE") {
            return;
        }
        if dialect == Dialect::Postgres && is(&head, sql, 1, "OPERATOR") {
            self.add_operator(sql);
            return;
        }
        if dialect == Dialect::Postgres && !self.routines.is_empty() {
            self.add_user(sql, &head);
        }
        if dialect == Dialect::MySql && has(&head, sql, "VIEW") {
            self.add_view(sql);
            return;
        }
        let kind = head.iter().position(|token| ["FUNCTION", "PROCEDURE", "TRIGGER"].iter().any(|word| token.is_word(sql, word)));
        let Some(kind) = kind else { return };
        if head[kind].is_word(sql, "TRIGGER") {
            self.add_trigger(sql, dialect);
            return;
        }
        let open = head.iter().position(|token| token.is_symbol(sql, b'('));
        let Some(name) = open.filter(|open| *open > kind).and_then(|open| head.get(open - 1)) else { return };
        let body = match dialect {
            Dialect::Postgres => dollar_body(sql),
            _ => tokens_after_parentheses(sql, dialect),
        };
        self.routines.entry(bare(name.text(sql))).or_default().push(body);
    }

    /// A view, a table or a domain whose definition names a routine or an operator of the script, or another such object: what uses
    /// it may call the routine.
    fn add_user(&mut self, sql: &'t str, head: &[Token]) {
        let kinds = ["VIEW", "TABLE", "DOMAIN"];
        let Some(kind) = head.iter().take(8).position(|token| kinds.iter().any(|word| token.is_word(sql, word))) else { return };
        let skipped = ["IF", "NOT", "EXISTS"];
        let is_skipped = |at: usize| skipped.iter().any(|word| is(head, sql, at, word));
        let Some(mut name) = (kind + 1..head.len()).find(|at| !is_skipped(*at)) else { return };
        while head.get(name + 1).is_some_and(|dot| dot.is_symbol(sql, b'.')) {
            name += 2;
        }
        let Some(name) = head.get(name) else { return };
        let mut calls = Vec::new();
        for token in Tokens::new(&sql[name.end..], Dialect::Postgres) {
            let text = token.text(&sql[name.end..]);
            if matches!(token.kind, Kind::Word | Kind::QuotedName) {
                let word = bare(text);
                calls.extend(self.routines.contains_key(&word).then_some(KnownTrigger::Calls(text)));
                calls.extend(self.triggers.get(&word).into_iter().flatten().copied());
            }
        }
        let uses = self.operators.iter().filter(|(symbols, _)| sql[name.end..].contains(symbols));
        calls.extend(uses.map(|(_, function)| KnownTrigger::Calls(function)));
        if !calls.is_empty() {
            self.triggers.entry(bare(name.text(sql))).or_default().extend(calls);
        }
    }

    /// A view of MySQL, as a body that runs with each statement that names it.
    fn add_view(&mut self, sql: &'t str) {
        let tokens = meaningful(sql, Dialect::MySql);
        let Some(view) = tokens.iter().position(|token| token.is_word(sql, "VIEW")) else { return };
        let ends = |at: usize| is(&tokens, sql, at, "AS") || tokens[at].is_symbol(sql, b'(');
        let Some(end) = (view + 1..tokens.len()).find(|at| ends(*at)) else { return };
        let Some(query) = (end..tokens.len()).find(|at| is(&tokens, sql, *at, "AS")) else { return };
        if let Some(body) = sql.get(tokens[query].end..) {
            self.triggers.entry(bare(tokens[end - 1].text(sql))).or_default().push(KnownTrigger::Sql(body));
        }
    }

    /// `CREATE OPERATOR s.## (FUNCTION = f, ...)`, or `PROCEDURE = f`.
    fn add_operator(&mut self, sql: &'t str) {
        let tokens = meaningful(sql, Dialect::Postgres);
        let Some(open) = tokens.iter().position(|token| token.is_symbol(sql, b'(')) else { return };
        let before = tokens[..open].iter().rposition(|token| token.kind != Kind::Symbol || token.is_symbol(sql, b'.'));
        let Some(start) = before.and_then(|before| tokens.get(before + 1)).map(|first| first.start) else { return };
        let symbols = sql.get(start..tokens[open].start).unwrap_or_default().trim();
        let names = |at: usize| ["FUNCTION", "PROCEDURE"].iter().any(|word| is(&tokens, sql, at, word));
        let Some(at) = (open..tokens.len()).find(|at| names(*at)) else { return };
        let mut name = at + 2;
        while tokens.get(name + 1).is_some_and(|dot| dot.is_symbol(sql, b'.')) {
            name += 2;
        }
        if let Some(name) = tokens.get(name).filter(|_| !symbols.is_empty()) {
            self.operators.push((symbols, name.text(sql)));
        }
    }

    /// `CREATE TRIGGER ... ON t ... EXECUTE FUNCTION f()`, or `... ON t FOR EACH ROW` and a statement.
    fn add_trigger(&mut self, sql: &'t str, dialect: Dialect) {
        let tokens = meaningful(sql, dialect);
        let Some(mut table) = tokens.iter().position(|token| token.is_word(sql, "ON")).map(|on| on + 1) else { return };
        while tokens.get(table + 1).is_some_and(|dot| dot.is_symbol(sql, b'.')) {
            table += 2;
        }
        let Some(name) = tokens.get(table) else { return };
        let trigger = match dialect {
            Dialect::Postgres => {
                // The name is before the last parenthesis that is opened.
                let open = tokens.iter().rposition(|token| token.is_symbol(sql, b'('));
                open.and_then(|open| tokens.get(open.checked_sub(1)?)).map(|name| KnownTrigger::Calls(name.text(sql)))
            }
            _ => {
                let row = tokens.iter().position(|token| token.is_word(sql, "ROW"));
                row.and_then(|row| sql.get(tokens[row].end..)).map(KnownTrigger::Sql)
            }
        };
        self.triggers.entry(bare(name.text(sql))).or_default().push(trigger.unwrap_or(KnownTrigger::Hidden));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::split;

    #[test]
    fn a_script_defines_tables_or_anything() {
        for (text, expected) in [
            ("CREATE TABLE a (id int); CREATE INDEX i ON a (id); INSERT INTO b VALUES (1)", Some("a")),
            ("CREATE TABLE IF NOT EXISTS `app`.`A` (id int)", Some("a")),
            ("CREATE UNIQUE INDEX i ON a (id); UPDATE b SET id = 1", Some("")),
            ("ALTER TABLE a ADD COLUMN b int", Some("a")),
            ("ALTER TABLE a RENAME TO b", None),
            ("RENAME TABLE a TO b", None),
            ("CREATE TRIGGER a BEFORE INSERT ON b FOR EACH ROW SET @x = 1", None),
            ("CREATE OR REPLACE TABLE a (id int)", None),
            ("CREATE TABLE a", None),
            ("CALL p()", None),
            ("SET default_storage_engine = MyISAM", None),
            ("/*!50003 CREATE TRIGGER a BEFORE INSERT ON b FOR EACH ROW SET @x = 1 */", None),
        ] {
            let names = defined_names(text, &split(text, Dialect::MySql, "").0);
            let names = names.map(|names| names.into_iter().collect::<Vec<_>>().join(" "));
            assert_eq!(names.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_table_without_a_query_changes_no_name() {
        let names = |text: &str| changed_names(text, &split(text, Dialect::MySql, "").0, Dialect::MySql).len();
        assert_eq!(names("CREATE TABLE a (id int)"), 0);
        for text in
            ["CREATE TABLE a TABLE b", "CREATE TABLE a AS SELECT f()", "CREATE VIEW v AS TABLE b", "CREATE TABLE a /*!TABLE b*/"]
        {
            assert_ne!(names(text), 0, "{text}");
        }
    }
}
