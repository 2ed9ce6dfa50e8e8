//! What a statement makes or removes: tables, columns, indexes and the like, by name.
//!
//! A tolerant reading of the first words of DDL. What it cannot read is opaque, never an error. From it a database can be
//! asked whether a statement whose fate nobody knows took effect.

use crate::dialect::Dialect;
use crate::token::{Kind, Token, Tokens};
use std::fmt;

/// One thing that a statement does to the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// What it does.
    pub verb: Verb,
    /// To what.
    pub object: Object,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Afterwards it is there.
    Makes,
    /// Afterwards it is not there.
    Removes,
    /// Afterwards it holds for all rows.
    Validates,
}

/// A kind of thing, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A table.
    Table(Name),
    /// A view, or a materialized view.
    View(Name),
    /// A sequence.
    Sequence(Name),
    /// A column of a table.
    Column(Name, String),
    /// An index; on MySQL it belongs to its table, and only there is the table known for a `DROP`.
    Index(Option<Name>, Name),
    /// A constraint of a table.
    Constraint(Name, String),
    /// A trigger; the table is not always named.
    Trigger(Option<Name>, Name),
    /// A type or a domain.
    Type(Name),
    /// A value of an enumerated type.
    Value(Name, String),
    /// A function or a procedure.
    Routine(Name),
    /// A schema; on MySQL a database.
    Schema(String),
    /// An extension.
    Extension(String),
}

/// A name as the database keeps it: without quotes, and folded where the database folds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The schema, if it is written.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.pad(&self.name),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Table(name) => write!(f, "table `{name}`"),
            Object::View(name) => write!(f, "view `{name}`"),
            Object::Sequence(name) => write!(f, "sequence `{name}`"),
            Object::Column(table, name) => write!(f, "column `{table}.{name}`"),
            Object::Index(_, name) => write!(f, "index `{name}`"),
            Object::Constraint(table, name) => write!(f, "constraint `{name}` of `{table}`"),
            Object::Trigger(_, name) => write!(f, "trigger `{name}`"),
            Object::Type(name) => write!(f, "type `{name}`"),
            Object::Value(name, value) => write!(f, "value '{value}' of `{name}`"),
            Object::Routine(name) => write!(f, "routine `{name}`"),
            Object::Schema(name) => write!(f, "schema `{name}`"),
            Object::Extension(name) => write!(f, "extension `{name}`"),
        }
    }
}

/// What a statement does to the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Exactly this; a second run would fail or do nothing more. Empty when every part of it sets something to a value that
    /// it would set again.
    Known(Vec<Effect>),
    /// Nobody can tell.
    Opaque,
}

/// Reads a statement.
pub fn read(sql: &str, dialect: Dialect) -> Reading {
    let tokens = Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint);
    let mut reader = Reader { sql, dialect, tokens: tokens.collect(), at: 0 };
    match reader.statement() {
        Some(effects) => Reading::Known(effects),
        None => Reading::Opaque,
    }
}

/// The tables that a statement of DDL names and must lock, as far as that shows: the one it alters, indexes or drops, and
/// those it refers to.
pub fn tables(sql: &str, dialect: Dialect) -> Vec<Name> {
    let tokens = Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint);
    let mut reader = Reader { sql, dialect, tokens: tokens.collect(), at: 0 };
    let mut tables = Vec::new();
    let creates = reader.peek("CREATE");
    while reader.at < reader.tokens.len() {
        let refers = reader.word("REFERENCES") || reader.words(&["PARTITION", "OF"]);
        let names = reader.word("TABLE") && !creates || reader.word("TRUNCATE") || reader.word("LOCK");
        let indexed = creates && reader.word("ON");
        if refers || names || indexed {
            reader.word("TABLE");
            reader.condition();
            reader.word("ONLY");
            tables.extend(reader.name());
            while names && reader.symbol(b',') {
                tables.extend(reader.name());
            }
        } else {
            reader.at += 1;
        }
    }
    tables
}

struct Reader<'a> {
    sql: &'a str,
    dialect: Dialect,
    tokens: Vec<Token>,
    at: usize,
}

type Kinds = fn(Name) -> Object;

impl Reader<'_> {
    fn peek(&self, word: &str) -> bool {
        self.tokens.get(self.at).is_some_and(|token| token.is_word(self.sql, word))
    }

    fn symbol(&mut self, symbol: u8) -> bool {
        let found = self.tokens.get(self.at).is_some_and(|token| token.is_symbol(self.sql, symbol));
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.peek(word);
        self.at += usize::from(found);
        found
    }

    fn words(&mut self, words: &[&str]) -> bool {
        let mut all = words.iter().enumerate();
        let found = all.all(|(n, word)| self.tokens.get(self.at + n).is_some_and(|token| token.is_word(self.sql, word)));
        self.at += if found { words.len() } else { 0 };
        found
    }

    fn any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.word(word))
    }

    /// `IF EXISTS`, `IF NOT EXISTS`.
    fn condition(&mut self) {
        let _ = self.words(&["IF", "NOT", "EXISTS"]) || self.words(&["IF", "EXISTS"]);
    }

    fn part(&mut self) -> Option<String> {
        let token = self.tokens.get(self.at)?;
        let text = token.text(self.sql);
        let unquoted = |open: char, close: char| {
            let inner = text.strip_prefix(open)?.strip_suffix(close)?;
            Some(inner.replace(&format!("{close}{close}"), &close.to_string()))
        };
        let name = match (unquoted('"', '"'), unquoted('`', '`'), unquoted('[', ']')) {
            (Some(name), ..) | (_, Some(name), _) | (_, _, Some(name)) => name,
            _ if token.kind != Kind::Word => return None,
            _ if self.dialect == Dialect::Postgres => text.to_lowercase(),
            _ => text.to_owned(),
        };
        self.at += 1;
        Some(name)
    }

    fn name(&mut self) -> Option<Name> {
        let first = self.part()?;
        if !self.symbol(b'.') {
            return Some(Name { schema: None, name: first });
        }
        let second = self.part()?;
        // `database.schema.name`, which PostgreSQL takes when the database is the current one.
        if self.symbol(b'.') {
            return Some(Name { schema: Some(second), name: self.part()? });
        }
        Some(Name { schema: Some(first), name: second })
    }

    /// To the end of the clause: a comma outside parentheses, or the end.
    fn skip_clause(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                token if token.is_symbol(self.sql, b'(') => depth += 1,
                token if token.is_symbol(self.sql, b')') => depth = depth.saturating_sub(1),
                token if depth == 0 && token.is_symbol(self.sql, b',') => return,
                _ => {}
            }
            self.at += 1;
        }
    }

    fn statement(&mut self) -> Option<Vec<Effect>> {
        if self.word("CREATE") {
            return self.create().map(|object| vec![Effect { verb: Verb::Makes, object }]);
        }
        if self.word("DROP") {
            return self.drop();
        }
        if self.words(&["ALTER", "TABLE"]) || self.words(&["ALTER", "IGNORE", "TABLE"]) {
            return self.alter_table();
        }
        if self.words(&["ALTER", "TYPE"]) {
            return self.alter_type();
        }
        if self.words(&["RENAME", "TABLE"]) {
            return self.rename_tables();
        }
        None
    }

    fn create(&mut self) -> Option<Object> {
        // What it replaces was there before; so that something is there tells nothing.
        if self.words(&["OR", "REPLACE"]) {
            return None;
        }
        if self.dialect == Dialect::MySql {
            self.create_options();
        }
        // A session's own table is gone with the session.
        if self.any(&["TEMP", "TEMPORARY"]) || self.words(&["LOCAL", "TEMPORARY"]) || self.words(&["GLOBAL", "TEMPORARY"]) {
            return None;
        }
        self.any(&["UNLOGGED", "VIRTUAL", "CONSTRAINT", "RECURSIVE"]);
        if self.any(&["UNIQUE", "FULLTEXT", "SPATIAL"]) || self.peek("INDEX") {
            return self.create_index();
        }
        if self.word("TRIGGER") {
            self.condition();
            let name = self.name()?;
            while self.at < self.tokens.len() && !self.word("ON") {
                self.at += 1;
            }
            return Some(Object::Trigger(self.name(), name));
        }
        // MySQL fills a table from a query in a step of its own.
        let filled = self.dialect == Dialect::MySql && self.tokens.iter().any(|token| token.is_word(self.sql, "SELECT"));
        if filled && self.peek("TABLE") {
            return None;
        }
        let kind = self.kind()?;
        self.condition();
        let object = kind(self.name()?);
        // Two functions can have one name and different arguments.
        let overloaded = matches!(object, Object::Routine(_)) && self.dialect == Dialect::Postgres;
        (!overloaded).then_some(object)
    }

    /// `ALGORITHM = x DEFINER = user@host SQL SECURITY y AGGREGATE`.
    fn create_options(&mut self) {
        let options = ["ALGORITHM", "DEFINER", "SQL", "AGGREGATE"];
        if !options.iter().any(|word| self.peek(word)) {
            return;
        }
        let heads = ["TABLE", "VIEW", "TRIGGER", "FUNCTION", "PROCEDURE", "UNIQUE", "FULLTEXT", "SPATIAL", "INDEX", "TEMPORARY"];
        let others = ["SEQUENCE", "DATABASE", "SCHEMA", "EVENT"];
        let head = |token: &Token| heads.iter().chain(&others).any(|word| token.is_word(self.sql, word));
        let rest = &self.tokens[self.at..];
        if let Some(found) = rest.iter().take(16).position(head) {
            self.at += found;
        }
    }

    fn create_index(&mut self) -> Option<Object> {
        if !self.word("INDEX") {
            return None;
        }
        self.word("CONCURRENTLY");
        self.condition();
        // Without a name the database makes one up.
        let name = if self.peek("ON") { return None } else { self.name()? };
        self.words(&["USING", "BTREE"]);
        self.words(&["USING", "HASH"]);
        if !self.word("ON") {
            return None;
        }
        self.word("ONLY");
        Some(Object::Index(Some(self.name()?), name))
    }

    fn kind(&mut self) -> Option<Kinds> {
        if self.word("TABLE") || self.words(&["FOREIGN", "TABLE"]) {
            Some(Object::Table)
        } else if self.word("VIEW") || self.words(&["MATERIALIZED", "VIEW"]) {
            Some(Object::View)
        } else if self.word("SEQUENCE") {
            Some(Object::Sequence)
        } else if self.any(&["TYPE", "DOMAIN"]) {
            Some(Object::Type)
        } else if self.any(&["FUNCTION", "PROCEDURE"]) {
            Some(Object::Routine)
        } else if self.any(&["SCHEMA", "DATABASE"]) {
            Some(|name| Object::Schema(name.name))
        } else if self.word("EXTENSION") {
            Some(|name| Object::Extension(name.name))
        } else {
            None
        }
    }

    fn drop(&mut self) -> Option<Vec<Effect>> {
        let removes = |object: Object| Effect { verb: Verb::Removes, object };
        if self.any(&["TEMPORARY"]) {
            return None;
        }
        if self.word("INDEX") {
            self.word("CONCURRENTLY");
            self.condition();
            let mut names = vec![self.name()?];
            while self.symbol(b',') {
                names.push(self.name()?);
            }
            let table = if self.word("ON") { Some(self.name()?) } else { None };
            return Some(names.into_iter().map(|name| removes(Object::Index(table.clone(), name))).collect());
        }
        if self.word("TRIGGER") {
            self.condition();
            let name = self.name()?;
            let table = if self.word("ON") { Some(self.name()?) } else { None };
            return Some(vec![removes(Object::Trigger(table, name))]);
        }
        let kind = self.kind()?;
        self.condition();
        let mut effects = vec![removes(kind(self.name()?))];
        if matches!(effects[0].object, Object::Routine(_)) && self.dialect == Dialect::Postgres {
            return None;
        }
        while self.symbol(b',') {
            effects.push(removes(kind(self.name()?)));
        }
        Some(effects)
    }

    fn alter_table(&mut self) -> Option<Vec<Effect>> {
        self.condition();
        self.word("ONLY");
        let table = self.name()?;
        self.symbol(b'*');
        let mut effects = Vec::new();
        loop {
            self.action(&table, &mut effects)?;
            self.skip_clause();
            if !self.symbol(b',') {
                return Some(effects);
            }
        }
    }

    fn action(&mut self, table: &Name, effects: &mut Vec<Effect>) -> Option<()> {
        let mut push = |verb, object| effects.push(Effect { verb, object });
        let column = |name| Object::Column(table.clone(), name);
        let own = |name| Name { schema: table.schema.clone(), name };
        if self.word("ADD") {
            if self.word("CONSTRAINT") {
                self.condition();
                push(Verb::Makes, Object::Constraint(table.clone(), self.part()?));
            } else if self.any(&["UNIQUE", "FULLTEXT", "SPATIAL"]) || self.peek("INDEX") || self.peek("KEY") {
                self.any(&["INDEX", "KEY"]);
                self.condition();
                push(Verb::Makes, Object::Index(Some(table.clone()), own(self.part()?)));
            } else if ["PRIMARY", "FOREIGN", "CHECK", "EXCLUDE", "PARTITION", "PERIOD", "SYSTEM"]
                .iter()
                .any(|word| self.peek(word))
                || self.tokens.get(self.at).is_some_and(|token| token.is_symbol(self.sql, b'('))
            {
                return None;
            } else {
                self.word("COLUMN");
                self.condition();
                push(Verb::Makes, column(self.part()?));
            }
        } else if self.word("DROP") {
            if self.any(&["CONSTRAINT"]) || self.words(&["FOREIGN", "KEY"]) || self.word("CHECK") {
                self.condition();
                push(Verb::Removes, Object::Constraint(table.clone(), self.part()?));
            } else if self.any(&["INDEX", "KEY"]) {
                self.condition();
                push(Verb::Removes, Object::Index(Some(table.clone()), own(self.part()?)));
            } else if self.peek("PRIMARY") || self.peek("PARTITION") || self.peek("SYSTEM") {
                return None;
            } else {
                self.word("COLUMN");
                self.condition();
                push(Verb::Removes, column(self.part()?));
            }
        } else if self.words(&["VALIDATE", "CONSTRAINT"]) {
            push(Verb::Validates, Object::Constraint(table.clone(), self.part()?));
        } else if self.word("RENAME") {
            let before = effects.len();
            self.rename(table, effects)?;
            debug_assert!(effects.len() > before);
        } else if self.word("CHANGE") {
            self.word("COLUMN");
            self.condition();
            let (old, new) = (self.part()?, self.part()?);
            if !old.eq_ignore_ascii_case(&new) {
                push(Verb::Removes, column(old));
                push(Verb::Makes, column(new));
            }
        } else if self.any(&["MODIFY", "ENGINE", "COMMENT", "DEFAULT", "CONVERT", "ALGORITHM", "LOCK", "FORCE"]) {
            // Said a second time, it changes nothing more.
        } else if self.word("ALTER") {
            // `ALTER COLUMN ... TYPE ... USING a || b` said twice is not the same.
            if self.tokens[self.at..].iter().any(|token| token.is_word(self.sql, "USING")) {
                return None;
            }
        } else {
            return None;
        }
        Some(())
    }

    fn rename(&mut self, table: &Name, effects: &mut Vec<Effect>) -> Option<()> {
        let mut push = |verb, object| effects.push(Effect { verb, object });
        let own = |name| Name { schema: table.schema.clone(), name };
        if self.any(&["TO", "AS"]) {
            let new = self.name()?;
            push(Verb::Removes, Object::Table(table.clone()));
            push(Verb::Makes, Object::Table(Name { schema: new.schema.or_else(|| table.schema.clone()), name: new.name }));
        } else if self.any(&["INDEX", "KEY"]) {
            let (old, _, new) = (self.part()?, self.word("TO"), self.part()?);
            push(Verb::Removes, Object::Index(Some(table.clone()), own(old)));
            push(Verb::Makes, Object::Index(Some(table.clone()), own(new)));
        } else if self.word("CONSTRAINT") {
            let (old, _, new) = (self.part()?, self.word("TO"), self.part()?);
            push(Verb::Removes, Object::Constraint(table.clone(), old));
            push(Verb::Makes, Object::Constraint(table.clone(), new));
        } else {
            self.word("COLUMN");
            let (old, _, new) = (self.part()?, self.word("TO"), self.part()?);
            push(Verb::Removes, Object::Column(table.clone(), old));
            push(Verb::Makes, Object::Column(table.clone(), new));
        }
        Some(())
    }

    fn alter_type(&mut self) -> Option<Vec<Effect>> {
        let name = self.name()?;
        if !self.words(&["ADD", "VALUE"]) {
            return None;
        }
        self.condition();
        let token = self.tokens.get(self.at).filter(|token| token.kind == Kind::Text)?;
        let value = token.text(self.sql).strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'");
        Some(vec![Effect { verb: Verb::Makes, object: Object::Value(name, value) }])
    }

    fn rename_tables(&mut self) -> Option<Vec<Effect>> {
        let mut effects = Vec::new();
        loop {
            self.condition();
            let old = self.name()?;
            if !self.word("TO") {
                return None;
            }
            effects.push(Effect { verb: Verb::Removes, object: Object::Table(old) });
            effects.push(Effect { verb: Verb::Makes, object: Object::Table(self.name()?) });
            if !self.symbol(b',') {
                break;
            }
        }
        // `a TO tmp, b TO a, tmp TO b`: what is there afterwards was there before.
        let tables = |verb| effects.iter().filter(move |one| one.verb == verb).map(|one| &one.object);
        let swaps = tables(Verb::Makes).any(|made| tables(Verb::Removes).any(|removed| removed == made));
        (!swaps).then_some(effects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(dialect: Dialect, sql: &str) -> String {
        match read(sql, dialect) {
            Reading::Opaque => "opaque".to_owned(),
            Reading::Known(effects) => {
                let sign = |verb| match verb {
                    Verb::Makes => '+',
                    Verb::Removes => '-',
                    Verb::Validates => '!',
                };
                let effects: Vec<String> = effects.iter().map(|one| format!("{}{}", sign(one.verb), one.object)).collect();
                effects.join(", ")
            }
        }
    }

    #[test]
    fn postgres() {
        for (sql, effects) in [
            ("CREATE TABLE IF NOT EXISTS App.\"Users\" (id int)", "+table `app.Users`"),
            ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.t (a)", "+index `i`"),
            ("CREATE INDEX CONCURRENTLY ON t (a)", "opaque"),
            ("DROP INDEX CONCURRENTLY IF EXISTS s.i, j CASCADE", "-index `s.i`, -index `j`"),
            ("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'it''s' AFTER 'ok'", "+value 'it's' of `mood`"),
            ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", "opaque"),
            ("ALTER TABLE t ADD a int DEFAULT f(1, 2), DROP COLUMN IF EXISTS b", "+column `t.a`, -column `t.b`"),
            ("ALTER TABLE ONLY t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", "+constraint `c` of `t`"),
            ("ALTER TABLE t VALIDATE CONSTRAINT c", "!constraint `c` of `t`"),
            ("ALTER TABLE s.t RENAME TO u", "-table `s.t`, +table `s.u`"),
            ("ALTER TABLE t RENAME a TO b", "-column `t.a`, +column `t.b`"),
            ("ALTER TABLE t ALTER a SET NOT NULL", ""),
            ("ALTER TABLE t ALTER a TYPE text USING a || 'x'", "opaque"),
            ("ALTER TABLE t ADD CHECK (a > 0)", "opaque"),
            ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", "opaque"),
            ("CREATE MATERIALIZED VIEW v AS SELECT 1", "+view `v`"),
            ("CREATE OR REPLACE VIEW v AS SELECT 1", "opaque"),
            ("CREATE FUNCTION f(a int) RETURNS int AS 'x' LANGUAGE sql", "opaque"),
            ("CREATE TRIGGER g BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION f()", "+trigger `g`"),
            ("CREATE TEMP TABLE t (a int)", "opaque"),
            ("CREATE TYPE e AS ENUM ('a')", "+type `e`"),
            ("CREATE SCHEMA IF NOT EXISTS app", "+schema `app`"),
            ("CREATE EXTENSION \"uuid-ossp\"", "+extension `uuid-ossp`"),
            ("INSERT INTO t VALUES (1)", "opaque"),
            ("", "opaque"),
            ("ALTER TABLE", "opaque"),
            ("CREATE", "opaque"),
        ] {
            assert_eq!(shown(Dialect::Postgres, sql), effects, "{sql}");
        }
    }

    #[test]
    fn mysql() {
        for (sql, effects) in [
            ("CREATE TABLE `My``Table` (a int)", "+table `My`Table`"),
            ("CREATE TABLE t AS SELECT 1", "opaque"),
            ("CREATE DEFINER=`root`@`%` TRIGGER g AFTER INSERT ON t FOR EACH ROW SET @a = 1", "+trigger `g`"),
            ("CREATE PROCEDURE p() SELECT 1", "+routine `p`"),
            ("CREATE ALGORITHM = MERGE SQL SECURITY INVOKER VIEW v AS SELECT 1", "+view `v`"),
            ("ALTER TABLE t ADD COLUMN (a int, b int)", "opaque"),
            ("ALTER TABLE t ADD UNIQUE KEY k (a), ADD INDEX (b)", "opaque"),
            ("ALTER TABLE t ADD UNIQUE KEY k (a), ALGORITHM=INPLACE, LOCK=NONE", "+index `k`"),
            ("ALTER TABLE t ADD FULLTEXT INDEX IF NOT EXISTS k (a)", "+index `k`"),
            ("ALTER TABLE t MODIFY a bigint NOT NULL, ENGINE = InnoDB", ""),
            ("ALTER TABLE t CHANGE a b int", "-column `t.a`, +column `t.b`"),
            ("ALTER TABLE t CHANGE COLUMN a A bigint", ""),
            ("ALTER TABLE t DROP FOREIGN KEY f, DROP KEY k", "-constraint `f` of `t`, -index `k`"),
            ("ALTER TABLE t DROP PRIMARY KEY", "opaque"),
            ("DROP INDEX i ON t", "-index `i`"),
            ("DROP TABLE IF EXISTS a, b", "-table `a`, -table `b`"),
            ("RENAME TABLE a TO b, c TO d", "-table `a`, +table `b`, -table `c`, +table `d`"),
            ("RENAME TABLE a TO x, b TO a, x TO b", "opaque"),
            ("CREATE USER u", "opaque"),
            ("CALL p()", "opaque"),
        ] {
            assert_eq!(shown(Dialect::MySql, sql), effects, "{sql}");
        }
    }

    #[test]
    fn tables_that_are_locked() {
        for (sql, expected) in [
            ("ALTER TABLE IF EXISTS ONLY s.t ADD a int REFERENCES u (id)", &["s.t", "u"][..]),
            ("CREATE INDEX i ON t (a)", &["t"]),
            ("CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES s.\"U\" (id))", &["s.U"]),
            ("CREATE TABLE t (a int)", &[]),
            ("TRUNCATE TABLE a, b", &["a", "b"]),
            ("DROP TABLE a, b", &["a", "b"]),
            ("UPDATE t SET a = 1", &[]),
        ] {
            let found: Vec<String> = tables(sql, Dialect::Postgres).iter().map(Name::to_string).collect();
            assert_eq!(found, expected, "{sql}");
        }
    }

    proptest::proptest! {
        /// Anything may come; nothing panics.
        #[test]
        fn nothing_panics(words in proptest::collection::vec(
            proptest::sample::select(vec![
                "CREATE", "ALTER", "DROP", "TABLE", "INDEX", "ADD", "COLUMN", "a", "\"b\"", "`c`", "'d'", ",", "(", ")", ".", "IF", "NOT",
                "EXISTS", "TO", "RENAME", "ON", "TYPE", "VALUE", "CHANGE", "OR", "REPLACE", "TRIGGER", "DEFINER", ";", "--x\n", "é",
            ]),
            0..12,
        )) {
            for dialect in Dialect::ALL {
                let _ = (read(&words.join(" "), dialect), tables(&words.join(" "), dialect));
            }
        }
    }
}
