//! Tables that are rebuilt: a file creates a table, copies the rows to it, and gives it the name of the old table.

use crate::context::{ParsedStatement, StatementContext};
use crate::object_name::ObjectName;
use migrate_model::dialect::Dialect;
use migrate_model::syntax::{ActionKind, CreateView, Syntax};

/// Is a table that this statement drops replaced later in the file: by a table that is renamed to its name, or by a new table
/// of its name to which rows are copied?
pub fn is_rebuilt(context: &StatementContext<'_>, table: &ObjectName) -> bool {
    let is_created = context.is_followed_by(&["CREATE", table.name()], |syntax| creates_table(context, syntax, table));
    let is_filled = context.is_followed_by(&[table.name()], |syntax| match syntax {
        Syntax::Insert(insert) => insert.reads_table && context.schema.resolve(&insert.table) == *table,
        _ => false,
    });
    is_created && is_filled || becomes_table(context, table)
}

/// Is another table renamed to this name later in the file?
pub fn becomes_table(context: &StatementContext<'_>, name: &ObjectName) -> bool {
    context.is_followed_by(&["RENAME", name.name()], |syntax| renames_to(context, syntax, name))
}

/// Is a table or a view of this name created later in the file, or renamed to it?
pub fn is_recreated(context: &StatementContext<'_>, name: &ObjectName) -> bool {
    context.is_followed_by(&[name.name()], |syntax| match syntax {
        Syntax::CreateView(view) => context.schema.resolve(&view.name) == *name,
        other => creates_table(context, other, name) || renames_to(context, other, name),
    })
}

/// Does the old name of a renamed table remain usable: by a view of all its columns, created in the same transaction, or by
/// another table?
pub fn has_replacement(context: &StatementContext<'_>, name: &ObjectName) -> bool {
    // On MySQL, each of the two statements causes an implicit commit.
    let is_atomic = |statement: &ParsedStatement| {
        context.schema.dialect() == Dialect::MySql
            || statement.in_transaction && statement.point.transaction == context.parsed.point.transaction
    };
    let columns = || context.relation(name).into_iter().flat_map(|relation| &relation.columns);
    let mentions = |view: &CreateView, word: &str| view.mentions.iter().any(|other| other.eq_ignore_ascii_case(word));
    let shows_all =
        |view: &CreateView| view.whole && (mentions(view, "*") || columns().all(|column| mentions(view, &column.name)));
    let mut later = context.later_statements_with(&[name.name()]).filter(|statement| context.is_as_certain(statement));
    later.any(|statement| match &statement.syntax {
        Syntax::CreateView(view) => context.schema.resolve(&view.name) == *name && shows_all(view) && is_atomic(statement),
        other => creates_table(context, other, name) || renames_to(context, other, name),
    })
}

/// The name that a new table is renamed to later in the file.
pub fn replaced(context: &StatementContext<'_>, new: &ObjectName) -> Option<ObjectName> {
    context.later_statements_with(&["RENAME", new.name()]).find_map(|statement| match &statement.syntax {
        Syntax::AlterTable(alter) if context.schema.resolve(&alter.table) == *new => {
            alter.actions.iter().find_map(|action| match &action.kind {
                ActionKind::Rename(to) => Some(context.schema.in_same_schema(new, &to.name)),
                _ => None,
            })
        }
        Syntax::RenameTables(renames) => {
            renames.iter().find(|(from, _)| context.schema.resolve(from) == *new).map(|(_, to)| context.schema.resolve(to))
        }
        _ => None,
    })
}

/// Can a name be that of an object? To resolve it costs more than this, and a file may contain thousands of statements.
fn may_be(name: &str, object: &ObjectName) -> bool {
    name.eq_ignore_ascii_case(object.name())
}

fn creates_table(context: &StatementContext<'_>, syntax: &Syntax, name: &ObjectName) -> bool {
    match syntax {
        Syntax::CreateTable(table) => {
            table.name.as_ref().is_some_and(|new| may_be(&new.name, name) && context.schema.resolve(new) == *name)
        }
        _ => false,
    }
}

fn renames_to(context: &StatementContext<'_>, syntax: &Syntax, name: &ObjectName) -> bool {
    match syntax {
        Syntax::AlterTable(alter) => alter.actions.iter().any(|action| match &action.kind {
            ActionKind::Rename(to) => {
                may_be(&to.name, name) && context.schema.in_same_schema(&context.schema.resolve(&alter.table), &to.name) == *name
            }
            _ => false,
        }),
        Syntax::RenameTables(renames) => {
            renames.iter().any(|(_, to)| may_be(&to.name, name) && context.schema.resolve(to) == *name)
        }
        _ => false,
    }
}
