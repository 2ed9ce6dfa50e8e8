//! Finds the actions of an `ALTER TABLE` by the names in them: a statement may have thousands.

use migrate_model::syntax::{Action, ActionKind, AlterTable, ConstraintKind, Syntax};
use std::cell::OnceCell;
use std::collections::HashMap;

/// The actions of one statement, by the names in them. Built when it is first used.
#[derive(Debug)]
pub struct ActionIndex<'a> {
    actions: &'a [Action],
    /// The numbers of the actions, by the name in lower case.
    by_name: OnceCell<HashMap<String, Vec<usize>>>,
}

impl<'a> ActionIndex<'a> {
    /// The actions of a statement; none if it is not `ALTER TABLE`.
    pub fn new(syntax: &'a Syntax) -> Self {
        match syntax {
            Syntax::AlterTable(alter) => ActionIndex::of(alter),
            _ => ActionIndex { actions: &[], by_name: OnceCell::new() },
        }
    }

    /// The actions of `ALTER TABLE`.
    pub fn of(alter: &'a AlterTable) -> Self {
        ActionIndex { actions: &alter.actions, by_name: OnceCell::new() }
    }

    /// The actions that name a column, a constraint or an index, in order. Names that differ only in case count as the same. An
    /// action names what it adds, changes or drops, and the columns of a constraint or an index that it adds.
    pub fn naming(&self, name: &str) -> impl Iterator<Item = &'a Action> + use<'_, 'a> {
        let by_name = self.by_name.get_or_init(|| by_name(self.actions));
        let numbers = by_name.get(&name.to_ascii_lowercase()).map_or(&[][..], Vec::as_slice);
        numbers.iter().filter_map(|number| self.actions.get(*number))
    }
}

fn by_name(actions: &[Action]) -> HashMap<String, Vec<usize>> {
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    for (number, action) in actions.iter().enumerate() {
        for name in names(&action.kind) {
            let numbers = by_name.entry(name.to_ascii_lowercase()).or_default();
            if numbers.last() != Some(&number) {
                numbers.push(number);
            }
        }
    }
    by_name
}

fn names(action: &ActionKind) -> Vec<&String> {
    match action {
        ActionKind::AddColumn { column, .. } | ActionKind::ModifyColumn(column) => vec![&column.name],
        ActionKind::ChangeColumn { from, column } => vec![from, &column.name],
        ActionKind::AddConstraint(constraint) => {
            let columns = match &constraint.kind {
                ConstraintKind::Check(check) => check.not_null.as_slice(),
                ConstraintKind::Unique { columns, .. }
                | ConstraintKind::Primary { columns, .. }
                | ConstraintKind::Foreign { columns, .. } => columns,
                ConstraintKind::NotNull { column } => std::slice::from_ref(column),
                ConstraintKind::Exclude => &[],
            };
            constraint.name.iter().chain(columns).collect()
        }
        ActionKind::AddIndex(index) => index.name.iter().map(|name| &name.name).chain(&index.columns).collect(),
        ActionKind::DropColumn { name, .. } | ActionKind::DropConstraint { name, .. } => vec![name],
        ActionKind::SetType { column: name, .. } | ActionKind::SetDefault { column: name, .. } => vec![name],
        ActionKind::DropForeignKey(name)
        | ActionKind::DropIndex(name)
        | ActionKind::DropDefault(name)
        | ActionKind::SetNotNull(name)
        | ActionKind::DropNotNull(name)
        | ActionKind::AddIdentity(name)
        | ActionKind::Generation(name)
        | ActionKind::SetExpression(name)
        | ActionKind::Validate(name) => vec![name],
        ActionKind::RenameColumn { from, to }
        | ActionKind::RenameConstraint { from, to }
        | ActionKind::RenameIndex { from, to } => vec![from, to],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use migrate_model::dialect::Dialect;
    use migrate_model::reader;

    #[test]
    fn actions_are_found_by_each_of_their_names() {
        let sql = "ALTER TABLE t ADD a int, DROP A, ADD CONSTRAINT k UNIQUE (a, B, a), RENAME c TO b, VALIDATE CONSTRAINT k";
        let syntax = reader::read(sql, Dialect::Postgres);
        let index = ActionIndex::new(&syntax);
        let starts = |name: &str| {
            let actions = index.naming(name);
            actions.map(|action| sql[action.range.clone()].split(' ').next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(starts("A"), "ADD DROP ADD");
        assert_eq!(starts("b"), "ADD RENAME");
        assert_eq!((starts("c"), starts("k"), starts("x")), ("RENAME".into(), "ADD VALIDATE".into(), String::new()));
    }
}
