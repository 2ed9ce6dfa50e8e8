//! Tables that are made anew: another one is made beside them, filled, and given their name.

use crate::scene::{Read, Scene};
use crate::schema::Key;
use migrate_core::dialect::Dialect;
use migrate_core::syntax::{ActionKind, CreateView, Syntax};

/// Is a table, which this statement drops, replaced by one that is renamed to it later in the file?
pub fn is_rebuilt(scene: &Scene<'_>, table: &Key) -> bool {
    // Its rows may also be kept aside, and put back into a new one of its name.
    let made = scene.follows(|syntax| match syntax {
        Syntax::CreateTable(made) => made.name.as_ref().is_some_and(|own| scene.schema.key(own) == *table),
        _ => false,
    });
    let filled = scene.follows(|syntax| match syntax {
        Syntax::Insert(insert) => insert.reads_table && scene.schema.key(&insert.table) == *table,
        _ => false,
    });
    made && filled || takes_name(scene, table)
}

/// Is another table given this name later in the file?
pub fn takes_name(scene: &Scene<'_>, name: &Key) -> bool {
    scene.follows(|syntax| renames_to(scene, syntax, name))
}

/// Does a name come again later in the file: as a table, a view, or by renaming?
pub fn comes_again(scene: &Scene<'_>, name: &Key) -> bool {
    scene.follows(|syntax| match syntax {
        Syntax::CreateTable(table) => table.name.as_ref().is_some_and(|own| scene.schema.key(own) == *name),
        Syntax::CreateView(view) => scene.schema.key(&view.name) == *name,
        other => renames_to(scene, other, name),
    })
}

/// Does the name of a table that is renamed go on to show all of it, without a moment in which it is not there?
pub fn stands_in(scene: &Scene<'_>, name: &Key) -> bool {
    // MySQL has no transactions that hold both.
    let at_once = |read: &Read| {
        scene.schema.dialect() == Dialect::MySql || read.in_transaction && read.at.transaction == scene.read.at.transaction
    };
    let columns = scene.relation(name).map(|relation| &*relation.columns).unwrap_or_default();
    let shows = |view: &CreateView, word: &str| view.mentions.iter().any(|own| own.eq_ignore_ascii_case(word));
    let all = |view: &CreateView| view.whole && (shows(view, "*") || columns.iter().all(|column| shows(view, &column.name)));
    scene.later().iter().any(|read| match &read.syntax {
        Syntax::CreateView(view) => scene.schema.key(&view.name) == *name && all(view) && at_once(read),
        Syntax::CreateTable(table) => table.name.as_ref().is_some_and(|own| scene.schema.key(own) == *name),
        other => renames_to(scene, other, name),
    })
}

/// The table that a new one takes the name of, later in the file.
pub fn replaced(scene: &Scene<'_>, new: &Key) -> Option<Key> {
    scene.later().iter().find_map(|read| match &read.syntax {
        Syntax::AlterTable(alter) if scene.schema.key(&alter.table) == *new => {
            alter.actions.iter().find_map(|action| match &action.kind {
                ActionKind::Rename(to) => Some(scene.schema.beside(new, &to.name)),
                _ => None,
            })
        }
        Syntax::RenameTables(renames) => {
            renames.iter().find(|(from, _)| scene.schema.key(from) == *new).map(|(_, to)| scene.schema.key(to))
        }
        _ => None,
    })
}

fn renames_to(scene: &Scene<'_>, syntax: &Syntax, name: &Key) -> bool {
    match syntax {
        Syntax::AlterTable(alter) => {
            let own = scene.schema.key(&alter.table);
            alter
                .actions
                .iter()
                .any(|action| matches!(&action.kind, ActionKind::Rename(to) if scene.schema.beside(&own, &to.name) == *name))
        }
        Syntax::RenameTables(renames) => renames.iter().any(|(_, to)| scene.schema.key(to) == *name),
        _ => false,
    }
}
