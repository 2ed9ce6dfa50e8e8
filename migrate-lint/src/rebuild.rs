//! Tables that are made anew: another one is made beside them, filled, and given their name.

use crate::context::{ParsedStatement, StatementContext};
use crate::object_name::ObjectName;
use migrate_model::dialect::Dialect;
use migrate_model::syntax::{ActionKind, CreateView, Syntax};

/// Is a table, which this statement drops, replaced by one that is renamed to it later in the file?
pub fn is_rebuilt(context: &StatementContext<'_>, table: &ObjectName) -> bool {
    // Its rows may also be kept aside, and put back into a new one of its name.
    let made = context.is_followed_by(|syntax| match syntax {
        Syntax::CreateTable(made) => made.name.as_ref().is_some_and(|own| context.schema.resolve(own) == *table),
        _ => false,
    });
    let filled = context.is_followed_by(|syntax| match syntax {
        Syntax::Insert(insert) => insert.reads_table && context.schema.resolve(&insert.table) == *table,
        _ => false,
    });
    made && filled || becomes_table(context, table)
}

/// Is another table given this name later in the file?
pub fn becomes_table(context: &StatementContext<'_>, name: &ObjectName) -> bool {
    context.is_followed_by(|syntax| renames_to(context, syntax, name))
}

/// Does a name come again later in the file: as a table, a view, or by renaming?
pub fn is_recreated(context: &StatementContext<'_>, name: &ObjectName) -> bool {
    context.is_followed_by(|syntax| match syntax {
        Syntax::CreateTable(table) => table.name.as_ref().is_some_and(|own| context.schema.resolve(own) == *name),
        Syntax::CreateView(view) => context.schema.resolve(&view.name) == *name,
        other => renames_to(context, other, name),
    })
}

/// Does the name of a table that is renamed go on to show all of it, without a moment in which it is not there?
pub fn has_replacement(context: &StatementContext<'_>, name: &ObjectName) -> bool {
    // MySQL has no transactions that hold both.
    let at_once = |read: &ParsedStatement| {
        context.schema.dialect() == Dialect::MySql
            || read.in_transaction && read.point.transaction == context.parsed.point.transaction
    };
    let columns = context.relation(name).map(|relation| &*relation.columns).unwrap_or_default();
    let shows = |view: &CreateView, word: &str| view.mentions.iter().any(|own| own.eq_ignore_ascii_case(word));
    let all = |view: &CreateView| view.whole && (shows(view, "*") || columns.iter().all(|column| shows(view, &column.name)));
    context.later_statements().iter().any(|read| match &read.syntax {
        Syntax::CreateView(view) => context.schema.resolve(&view.name) == *name && all(view) && at_once(read),
        Syntax::CreateTable(table) => table.name.as_ref().is_some_and(|own| context.schema.resolve(own) == *name),
        other => renames_to(context, other, name),
    })
}

/// The table that a new one takes the name of, later in the file.
pub fn replaced(context: &StatementContext<'_>, new: &ObjectName) -> Option<ObjectName> {
    context.later_statements().iter().find_map(|read| match &read.syntax {
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

fn renames_to(context: &StatementContext<'_>, syntax: &Syntax, name: &ObjectName) -> bool {
    match syntax {
        Syntax::AlterTable(alter) => {
            let own = context.schema.resolve(&alter.table);
            alter.actions.iter().any(
                |action| matches!(&action.kind, ActionKind::Rename(to) if context.schema.in_same_schema(&own, &to.name) == *name),
            )
        }
        Syntax::RenameTables(renames) => renames.iter().any(|(_, to)| context.schema.resolve(to) == *name),
        _ => false,
    }
}
