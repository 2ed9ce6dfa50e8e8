//! May a statement run behind all others? Only if what comes between has nothing to do with what it touches.

use crate::schema::Schema;
use migrate_model::dialect::Dialect;
use migrate_model::migration::Migration;
use migrate_model::reader;
use migrate_model::syntax::{ActionKind, AlterTable, ConstraintKind, Syntax};
use migrate_model::token::Tokens;

/// What is to run later.
#[derive(Debug, Clone, Copy)]
pub enum MovedStatement<'a> {
    /// An index is built.
    Index {
        /// Its name.
        name: &'a str,
        /// No two rows alike?
        unique: bool,
    },
    /// A constraint is validated.
    Validation {
        /// Its name.
        name: &'a str,
    },
    /// Rows change.
    Rows,
}

/// Can it be told that nothing that runs behind a statement of a way up, there and in the files that follow, depends on it or
/// decides about it?
pub fn can_move(
    moved: MovedStatement<'_>,
    tables: &[&str],
    migration: &Migration,
    statement: usize,
    later: &[Migration],
    dialect: Dialect,
) -> bool {
    let before = migration.up.statements[..statement].iter().map(|one| one.sql(&migration.up.text));
    if !before.into_iter().all(|sql| is_plain(&reader::read(sql, dialect))) {
        return false;
    }
    let own = migration.up.statements[statement + 1..].iter().map(|one| one.sql(&migration.up.text));
    let others = later.iter().flat_map(|other| other.up.statements.iter().map(|one| one.sql(&other.up.text)));
    own.chain(others).all(|sql| is_apart(moved, tables, sql, dialect))
}

/// Does a statement mean the same in another file than behind this one? Not what is between `BEGIN` and `COMMIT`, and not behind
/// a `search_path` or a role.
fn is_plain(syntax: &Syntax) -> bool {
    match syntax {
        Syntax::Set(settings) => settings.iter().all(|setting| setting.name.ends_with("_timeout")),
        Syntax::Transaction(_) => false,
        _ => true,
    }
}

/// The tables whose rows a statement reads or changes, as far as they are known or stand where a table does.
pub fn tables_in<'a>(sql: &'a str, schema: &Schema, dialect: Dialect) -> Vec<&'a str> {
    let words: Vec<&str> = Tokens::new(sql, dialect).filter(|token| !token.is_blank()).map(|token| token.text(sql)).collect();
    let behind = |at: usize| {
        at.checked_sub(1).is_some_and(|at| {
            ["from", "join", "using", "update", "into", "only"].iter().any(|word| words[at].eq_ignore_ascii_case(word))
        })
    };
    let known: Vec<&str> = schema.relations().map(|(key, _)| key.name()).collect();
    let is_table = |(at, word): (usize, &&'a str)| {
        let plain = plain(word);
        (behind(at) || known.iter().any(|name| name.eq_ignore_ascii_case(plain))).then_some(plain)
    };
    words.iter().enumerate().filter_map(is_table).collect()
}

fn plain(word: &str) -> &str {
    word.trim_matches('"')
}

fn is_apart(moved: MovedStatement<'_>, tables: &[&str], sql: &str, dialect: Dialect) -> bool {
    let names = |name: &str| Tokens::new(sql, dialect).any(|token| plain(token.text(sql)).eq_ignore_ascii_case(name));
    let itself = match moved {
        MovedStatement::Index { name, .. } | MovedStatement::Validation { name } => names(name),
        MovedStatement::Rows => false,
    };
    let syntax = reader::read(sql, dialect);
    let hides = matches!(syntax, Syntax::Do { .. } | Syntax::Call { .. } | Syntax::Opaque);
    if itself || hides {
        return !itself && !matches!(moved, MovedStatement::Rows) && !tables.iter().any(|table| sql.contains(table));
    }
    if !tables.iter().any(|table| names(table)) {
        return true;
    }
    match (&syntax, moved) {
        (Syntax::Comment { .. } | Syntax::Privilege { .. }, _) => true,
        (Syntax::AlterTable(alter), _) => alter.actions.iter().all(|action| match &action.kind {
            ActionKind::AddColumn { .. } | ActionKind::SetDefault { .. } => true,
            ActionKind::AddConstraint(constraint) => match moved {
                MovedStatement::Rows => false,
                // A foreign key of another table needs it.
                MovedStatement::Index { unique: true, .. } => {
                    is_about(alter, tables) && matches!(constraint.kind, ConstraintKind::Check(_))
                }
                MovedStatement::Index { .. } | MovedStatement::Validation { .. } => true,
            },
            ActionKind::Validate(_) => !matches!(moved, MovedStatement::Rows),
            _ => false,
        }),
        (Syntax::CreateIndex(index), MovedStatement::Rows) => !index.unique,
        (Syntax::CreateIndex(_), _) => true,
        // What the constraint demands is demanded of new rows all the while, and the index is only slower.
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

fn is_about(alter: &AlterTable, tables: &[&str]) -> bool {
    tables.iter().any(|table| table.eq_ignore_ascii_case(&alter.table.name))
}
