//! Which statements may write a table whose engine has no transactions, such as MyISAM: a rollback does not undo them, and they
//! do not share a transaction with their checkpoint.

use crate::assignment::set_statement;
use crate::dialect::Dialect;
use crate::session_effect::catalog::{RoutineBody, names_in};
use crate::token::{Kind, Token, Tokens};
use std::collections::BTreeSet;

/// Can a database have tables without transactions?
pub fn exist_in(dialect: Dialect) -> bool {
    dialect == Dialect::MySql
}

/// An object of the system catalog through which a statement may write a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedObject {
    /// A table without transactions.
    Table,
    /// A view, with its query.
    View(RoutineBody),
    /// A trigger, by the name of its table.
    Trigger(RoutineBody),
    /// A function or a procedure.
    Routine(RoutineBody),
}

impl NamedObject {
    /// The body; `None` for a table.
    pub fn body(&self) -> Option<&RoutineBody> {
        match self {
            NamedObject::Table => None,
            NamedObject::View(body) | NamedObject::Trigger(body) | NamedObject::Routine(body) => Some(body),
        }
    }
}

/// The names, in lower case, through which a statement may write a table without transactions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableEngines {
    /// Tables and views, and tables with triggers.
    tables: BTreeSet<String>,
    /// Functions and procedures.
    routines: BTreeSet<String>,
}

impl TableEngines {
    /// Follows views, triggers and routines to the tables that they name. A body that cannot be read counts as one that writes
    /// such a table.
    pub fn of(objects: &[(String, NamedObject)]) -> Self {
        let mut engines = TableEngines::default();
        let names = |object: &NamedObject| match object.body() {
            Some(RoutineBody::Sql(text)) => Some(names_in(text, Dialect::MySql)),
            Some(RoutineBody::Hidden) | None => None,
        };
        let mut rest: Vec<_> = objects.iter().map(|(name, object)| (name, object, names(object))).collect();
        loop {
            let reaches = |names: &Option<BTreeSet<String>>| {
                let is_found = |name: &String| engines.tables.contains(name) || engines.routines.contains(name);
                names.as_ref().is_none_or(|names| names.iter().any(is_found))
            };
            let (reached, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(_, _, names)| reaches(names));
            if reached.is_empty() {
                return engines;
            }
            for (name, object, _) in reached {
                let is_routine = matches!(object, NamedObject::Routine(_));
                let names = if is_routine { &mut engines.routines } else { &mut engines.tables };
                names.insert(name.clone());
            }
            rest = others;
        }
    }

    /// Is nothing known through which such a table could be written?
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.routines.is_empty()
    }

    /// May a statement of MySQL write a table without transactions? True if in doubt.
    pub fn may_be_written_by(&self, sql: &str) -> bool {
        if self.is_empty() {
            return false;
        }
        let sql = set_statement::executed(sql, Dialect::MySql);
        let names = names_in(sql, Dialect::MySql);
        let calls = names.iter().any(|name| self.routines.contains(name));
        let first = Tokens::new(sql, Dialect::MySql).find(|token| !token.is_blank() && token.kind != Kind::Hint);
        let is_first = |words: &[&str]| first.as_ref().is_some_and(|first| words.iter().any(|word| first.is_word(sql, word)));
        let written = if is_first(&["SELECT", "DO", "SET", "VALUES", "SHOW"]) {
            BTreeSet::new()
        } else if is_first(&["INSERT", "REPLACE"]) {
            target(sql).unwrap_or(names)
        } else {
            names
        };
        calls || written.iter().any(|name| self.tables.contains(name))
    }
}

/// The names of the table into which `INSERT` or `REPLACE` writes; `None` if it is not clear.
fn target(sql: &str) -> Option<BTreeSet<String>> {
    let tokens: Vec<Token> =
        Tokens::new(sql, Dialect::MySql).filter(|token| !token.is_blank() && token.kind != Kind::Hint).take(12).collect();
    let modifiers = ["INSERT", "REPLACE", "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"];
    let is_modifier = |token: &&Token| modifiers.iter().any(|word| token.is_word(sql, word));
    let mut at = tokens.iter().take_while(is_modifier).count();
    if tokens.get(at + 1)?.is_symbol(sql, b'.') {
        at += 2;
    }
    let name = tokens.get(at).filter(|name| matches!(name.kind, Kind::Word | Kind::QuotedName))?;
    Some(names_in(name.text(sql), Dialect::MySql))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engines() -> TableEngines {
        let sql = |text: &str| RoutineBody::Sql(text.to_owned());
        let objects = [
            ("m", NamedObject::Table),
            ("v", NamedObject::View(sql("select `db`.`m`.`a` from `db`.`m`"))),
            ("w", NamedObject::View(sql("select a from t"))),
            ("audited", NamedObject::Trigger(sql("CALL note(NEW.id)"))),
            ("note", NamedObject::Routine(sql("INSERT INTO V VALUES (1)"))),
            ("pure", NamedObject::Routine(sql("RETURN 1"))),
            ("secret", NamedObject::Routine(RoutineBody::Hidden)),
        ];
        TableEngines::of(&objects.map(|(name, object)| (name.to_owned(), object)))
    }

    #[test]
    fn what_may_write_a_table_without_transactions() {
        let engines = engines();
        for (sql, expected) in [
            ("INSERT INTO m VALUES (1)", true),
            ("INSERT IGNORE INTO db.`M` (t) VALUES (1)", true),
            ("REPLACE m VALUES (1)", true),
            ("INSERT INTO m.t VALUES (1)", false),
            ("INSERT INTO t SELECT a FROM m", false),
            ("INSERT INTO t VALUES (secret(1))", true),
            ("INSERT INTO t VALUES (pure())", false),
            ("SELECT secret(1)", true),
            ("SELECT a FROM m", false),
            ("SET @x = note()", true),
            ("UPDATE t, m SET m.a = 1", true),
            ("UPDATE t SET a = 1", false),
            ("DELETE v FROM t JOIN v", true),
            ("UPDATE w SET a = 1", false),
            ("INSERT INTO audited VALUES (1)", true),
            ("WITH x AS (SELECT 1) DELETE FROM m", true),
            ("SET STATEMENT max_statement_time = 1 FOR INSERT INTO m VALUES (1)", true),
        ] {
            assert_eq!(engines.may_be_written_by(sql), expected, "{sql}");
        }
    }

    #[test]
    fn nothing_is_known() {
        assert!(!TableEngines::default().may_be_written_by("INSERT INTO m VALUES (1)"));
    }
}
