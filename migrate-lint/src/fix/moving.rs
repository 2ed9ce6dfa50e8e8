//! Whether a statement can be moved to a migration after all others: only if no statement that would then run before it depends
//! on it or affects it.

use crate::schema::Schema;
use migrate_model::dialect::Dialect;
use migrate_model::migration::Migration;
use migrate_model::reader;
use migrate_model::syntax::{ActionKind, AlterTable, ConstraintKind, Syntax};
use migrate_model::token::Tokens;

/// The statement that is moved.
#[derive(Debug, Clone, Copy)]
pub enum MovedStatement<'a> {
    /// `CREATE INDEX`.
    Index { name: &'a str, unique: bool },
    /// `VALIDATE CONSTRAINT`.
    Validation {
        /// Name of the constraint.
        name: &'a str,
    },
    /// `UPDATE` or `DELETE`.
    Rows,
}

/// Can a statement of an up migration be moved after the last migration? `tables` are the tables that it reads or changes,
/// `later` the migrations after its own. Returns `false` if that is not certain.
pub fn can_move(
    moved: MovedStatement<'_>,
    tables: &[&str],
    migration: &Migration,
    statement: usize,
    later: &[Migration],
    dialect: Dialect,
) -> bool {
    let mut earlier = statements(migration).take(statement);
    if !earlier.all(|sql| has_no_session_effect(&reader::read(sql, dialect))) {
        return false;
    }
    let mut following = statements(migration).skip(statement + 1).chain(later.iter().flat_map(statements));
    following.all(|sql| is_independent(moved, tables, sql, dialect))
}

/// The statements of an up migration.
fn statements(migration: &Migration) -> impl Iterator<Item = &str> {
    migration.up.statements.iter().map(|statement| statement.sql(&migration.up.text))
}

/// Does a statement leave the session and the transaction as they are? After `BEGIN`, `SET search_path` or `SET ROLE`, the moved
/// statement could have another effect in another file.
fn has_no_session_effect(syntax: &Syntax) -> bool {
    match syntax {
        Syntax::Set(settings) => settings.iter().all(|setting| setting.name.ends_with("_timeout")),
        Syntax::Transaction(_) => false,
        _ => true,
    }
}

/// The tables that a statement reads or changes: known tables, and any word after a keyword that is followed by a table.
pub fn tables_in<'a>(sql: &'a str, schema: &Schema, dialect: Dialect) -> Vec<&'a str> {
    let words: Vec<&str> = Tokens::new(sql, dialect).filter(|token| !token.is_blank()).map(|token| token.text(sql)).collect();
    let keywords = ["from", "join", "using", "update", "into", "only"];
    let follows_keyword =
        |index: usize| index > 0 && keywords.iter().any(|keyword| words[index - 1].eq_ignore_ascii_case(keyword));
    let known: Vec<&str> = schema.relations().map(|(table, _)| table.name()).collect();
    let table = |(index, word): (usize, &&'a str)| {
        let name = unquoted(word);
        let is_known = known.iter().any(|table| table.eq_ignore_ascii_case(name));
        (is_known || follows_keyword(index)).then_some(name)
    };
    words.iter().enumerate().filter_map(table).collect()
}

fn unquoted(word: &str) -> &str {
    word.trim_matches('"')
}

/// Can a statement run before the moved statement instead of after it?
fn is_independent(moved: MovedStatement<'_>, tables: &[&str], sql: &str, dialect: Dialect) -> bool {
    let mentions = |name: &str| Tokens::new(sql, dialect).any(|token| unquoted(token.text(sql)).eq_ignore_ascii_case(name));
    match moved {
        MovedStatement::Index { name, .. } | MovedStatement::Validation { name } if mentions(name) => return false,
        _ => {}
    }
    let syntax = reader::read(sql, dialect);
    if matches!(syntax, Syntax::Do { .. } | Syntax::Call { .. } | Syntax::Opaque) {
        return !matches!(moved, MovedStatement::Rows) && !tables.iter().any(|table| sql.contains(table));
    }
    if !tables.iter().any(|table| mentions(table)) {
        return true;
    }
    match (&syntax, moved) {
        (Syntax::Comment { .. } | Syntax::Privilege { .. }, _) => true,
        (Syntax::AlterTable(alter), _) => {
            alter.actions.iter().all(|action| is_independent_action(moved, tables, alter, &action.kind))
        }
        (Syntax::CreateIndex(index), MovedStatement::Rows) => !index.unique,
        (Syntax::CreateIndex(_), _) => true,
        // New rows are checked by a constraint that is not validated yet, and a missing index is only slower.
        (
            Syntax::CreateTable(_)
            | Syntax::CreateView(_)
            | Syntax::CreateTrigger { .. }
            | Syntax::Insert(_)
            | Syntax::Update(_)
            | Syntax::Delete(_),
            MovedStatement::Validation { .. } | MovedStatement::Index { unique: false, .. },
        ) => true,
        _ => false,
    }
}

fn is_independent_action(moved: MovedStatement<'_>, tables: &[&str], alter: &AlterTable, action: &ActionKind) -> bool {
    match (action, moved) {
        (ActionKind::AddColumn { .. } | ActionKind::SetDefault { .. }, _) => true,
        (ActionKind::AddConstraint(_) | ActionKind::Validate(_), MovedStatement::Rows) => false,
        // A foreign key of another table may require the unique index.
        (ActionKind::AddConstraint(constraint), MovedStatement::Index { unique: true, .. }) => {
            let alters_same_table = tables.iter().any(|table| table.eq_ignore_ascii_case(&alter.table.name));
            alters_same_table && matches!(constraint.kind, ConstraintKind::Check(_))
        }
        (ActionKind::AddConstraint(_) | ActionKind::Validate(_), _) => true,
        _ => false,
    }
}
