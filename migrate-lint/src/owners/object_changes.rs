//! What a statement does to the tables, views, sequences, types and functions of a database, as far as it matters to whom they belong.

use crate::dependents::{self, Part};
use crate::object_name::ObjectName;
use crate::relation::RelationKind;
use crate::schema::Schema;
use crate::simulation;
use migrate_model::dialect::Dialect;
use migrate_model::name::Name;
use migrate_model::syntax::{
    self, Action, ActionKind, AlterTable, Column, CreateTable, DropStatement, IndexAction, ObjectAction, ObjectKind, Syntax,
    TypeAction,
};
use migrate_model::token::{Kind, Token, Tokens};
use std::hash::{DefaultHasher, Hash, Hasher};

/// An object that belongs to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OwnedKind {
    Table,
    View,
    Sequence,
    Type,
    Routine,
}

impl OwnedKind {
    /// The name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            OwnedKind::Table => "table",
            OwnedKind::View => "view",
            OwnedKind::Sequence => "sequence",
            OwnedKind::Type => "type",
            OwnedKind::Routine => "function",
        }
    }

    fn of(kind: ObjectKind) -> Option<Self> {
        match kind {
            ObjectKind::Table => Some(OwnedKind::Table),
            ObjectKind::View | ObjectKind::MaterializedView => Some(OwnedKind::View),
            ObjectKind::Sequence => Some(OwnedKind::Sequence),
            ObjectKind::Type | ObjectKind::Domain => Some(OwnedKind::Type),
            ObjectKind::Routine => Some(OwnedKind::Routine),
            ObjectKind::Index | ObjectKind::Trigger | ObjectKind::Schema | ObjectKind::Database | ObjectKind::Extension => None,
        }
    }
}

/// How an object is created.
#[derive(Debug, Clone)]
pub struct ObjectDefinition {
    /// The columns of a table; empty if they are not known.
    pub columns: Vec<Column>,
    /// A hash of the words of the statement.
    pub words: u64,
    /// A hash of the parameters of a function of PostgreSQL, which may have the name of another one.
    pub parameters: Option<u64>,
    pub form: CreationForm,
    /// The object as it is, if it exists.
    pub compared: Comparison,
}

/// A definition of an object that exists, and the object as the migrations before have left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// There is none, or it is not known well enough.
    Unknown,
    Same,
    /// These columns differ.
    Columns(Vec<String>),
    Different,
}

/// What a `CREATE` does if the object exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreationForm {
    /// It fails or does nothing.
    Create,
    CreateOrReplace,
}

impl CreationForm {
    fn of(or_replace: bool) -> Self {
        if or_replace { CreationForm::CreateOrReplace } else { CreationForm::Create }
    }
}

/// What happens to an object.
#[derive(Debug, Clone)]
pub enum ObjectChange {
    Creates(ObjectDefinition),
    /// Any other change, as a verb phrase that continues with the kind and the name of the object.
    Changes(&'static str),
    Drops,
    /// Its comment contains "deprecated", or its triggers are disabled.
    Deprecates,
    /// Its comment no longer contains "deprecated", or its triggers are enabled.
    Restores,
    Renames(ObjectName),
    /// Something is dropped or changed on which it depends, as a verb phrase with an object.
    LosesBase(String),
    /// The same, and it is dropped, too.
    GoesWithBase(String),
}

/// An object and what happens to it.
#[derive(Debug)]
pub struct ChangedObject {
    pub kind: OwnedKind,
    pub name: ObjectName,
    pub change: ObjectChange,
}

/// Reads a statement against the schema before it.
pub fn of_statement(schema: &Schema, syntax: &Syntax, sql: &str) -> Vec<ChangedObject> {
    let mut reader = StatementReader { schema, sql, changes: Vec::new() };
    reader.read(syntax);
    reader.bases(syntax);
    reader.changes
}

struct StatementReader<'a> {
    schema: &'a Schema,
    sql: &'a str,
    changes: Vec<ChangedObject>,
}

impl StatementReader<'_> {
    fn add(&mut self, kind: OwnedKind, name: ObjectName, change: ObjectChange) {
        self.changes.push(ChangedObject { kind, name, change });
    }

    fn change_table(&mut self, table: &Name, verb: &'static str) {
        self.add(OwnedKind::Table, self.schema.resolve(table), ObjectChange::Changes(verb));
    }

    fn create(&mut self, kind: OwnedKind, name: &Name, columns: Vec<Column>, form: CreationForm) {
        let words = hash_of_words(self.sql, self.schema.dialect());
        let has_parameters = kind == OwnedKind::Routine && self.schema.overloads_routines();
        let parameters = has_parameters.then(|| hash_of_parameters(self.sql, self.schema.dialect()));
        let definition = ObjectDefinition { columns, words, parameters, form, compared: Comparison::Unknown };
        self.add(kind, self.schema.resolve_new(name), ObjectChange::Creates(definition));
    }

    fn read(&mut self, syntax: &Syntax) {
        match syntax {
            Syntax::CreateTable(table) if !table.temporary => self.create_table(table),
            Syntax::CreateView(view) if !view.temporary => {
                self.create(OwnedKind::View, &view.name, Vec::new(), CreationForm::of(view.or_replace))
            }
            Syntax::CreateType { name, .. } | Syntax::CreateDomain { name, .. } => {
                self.create(OwnedKind::Type, name, Vec::new(), CreationForm::Create);
            }
            Syntax::CreateRoutine { name, or_replace, .. } => {
                self.create(OwnedKind::Routine, name, Vec::new(), CreationForm::of(*or_replace))
            }
            Syntax::Create { kind: ObjectKind::Sequence, name, or_replace, .. } => {
                self.create(OwnedKind::Sequence, name, Vec::new(), CreationForm::of(*or_replace));
            }
            Syntax::AlterTable(alter) => self.alter_table(alter),
            Syntax::RenameTables(renames) => {
                for (from, to) in renames {
                    self.add(OwnedKind::Table, self.schema.resolve(from), ObjectChange::Renames(self.schema.resolve_new(to)));
                }
            }
            Syntax::Drop(drop) if !drop.temporary => self.drop_objects(drop),
            Syntax::Truncate { .. } => {
                for table in simulation::truncated_tables(self.schema, syntax) {
                    self.add(OwnedKind::Table, table, ObjectChange::Changes("truncates"));
                }
            }
            Syntax::Comment { table: Some(table) } if is_about_table(self.sql, self.schema.dialect()) => {
                let is_deprecated = mentions_deprecation(self.sql, self.schema.dialect());
                let change = if is_deprecated { ObjectChange::Deprecates } else { ObjectChange::Restores };
                self.add(OwnedKind::Table, self.schema.resolve(table), change);
            }
            other => self.read_part(other),
        }
    }

    /// A statement about a part of a table, or about an object that has no parts.
    fn read_part(&mut self, syntax: &Syntax) {
        match syntax {
            Syntax::CreateIndex(index) => self.change_table(&index.table, "indexes"),
            Syntax::CreateTrigger { table: Some(table), temporary: false, .. } => self.change_table(table, "adds a trigger to"),
            Syntax::RenameTrigger { table, .. } => self.change_table(table, "renames a trigger of"),
            Syntax::Policy { table: Some(table) } => self.change_table(table, "changes a policy of"),
            Syntax::AlterIndex { name, action: IndexAction::Rename(_) } => self.change_index(name, None, "renames an index of"),
            Syntax::AlterType { name, action } => {
                let name = self.schema.resolve(name);
                let change = match action {
                    TypeAction::Rename(to) => ObjectChange::Renames(self.schema.in_same_schema(&name, to)),
                    TypeAction::SetSchema(schema) => ObjectChange::Renames(self.schema.in_schema(&name, schema)),
                    _ => ObjectChange::Changes("alters"),
                };
                self.add(OwnedKind::Type, name, change);
            }
            Syntax::AlterDomain { name, .. } => {
                self.add(OwnedKind::Type, self.schema.resolve(name), ObjectChange::Changes("alters"));
            }
            Syntax::Alter { kind, name, action } => {
                if let Some(kind) = OwnedKind::of(*kind) {
                    let name = self.schema.resolve(name);
                    let change = match action {
                        ObjectAction::Rename(to) => ObjectChange::Renames(self.schema.in_same_schema(&name, to)),
                        ObjectAction::SetSchema(schema) => ObjectChange::Renames(self.schema.in_schema(&name, schema)),
                        _ => ObjectChange::Changes("alters"),
                    };
                    self.add(kind, name, change);
                }
            }
            _ => {}
        }
    }

    fn create_table(&mut self, table: &CreateTable) {
        let Some(name) = &table.name else { return };
        let mut columns = table.columns.clone();
        for constraint in &table.constraints {
            if let syntax::ConstraintKind::Primary { columns: names, .. } = &constraint.kind {
                let is_key = |column: &&mut Column| names.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
                columns.iter_mut().filter(is_key).for_each(|column| column.not_null = true);
            }
        }
        self.create(OwnedKind::Table, name, columns, CreationForm::of(table.or_replace));
        if let Some(parent) = &table.partition_of {
            self.change_table(parent, "adds a partition to");
        }
    }

    fn change_index(&mut self, index: &Name, table: Option<&Name>, verb: &'static str) {
        let table = table.map(|table| self.schema.resolve(table));
        let index = self.schema.resolve(index);
        if let Some(table) = table.or_else(|| self.schema.table_of_index(None, &index).cloned()) {
            self.add(OwnedKind::Table, table, ObjectChange::Changes(verb));
        }
    }

    fn drop_objects(&mut self, drop: &DropStatement) {
        match drop.kind {
            ObjectKind::Index => {
                drop.names.iter().for_each(|name| self.change_index(name, drop.table.as_ref(), "drops an index of"))
            }
            ObjectKind::Trigger => {
                for name in &drop.names {
                    let tables: Vec<ObjectName> = match &drop.table {
                        Some(table) => vec![self.schema.resolve(table)],
                        None => self.tables_with_trigger(name),
                    };
                    for table in tables {
                        self.add(OwnedKind::Table, table, ObjectChange::Changes("drops a trigger of"));
                    }
                }
            }
            _ => {
                for part in dependents::named(self.schema, drop) {
                    let kind = OwnedKind::of(drop.kind);
                    if let Some((kind_of_part, name)) = self.object_of(&part) {
                        self.add(kind.unwrap_or(kind_of_part), name, ObjectChange::Drops);
                    }
                }
            }
        }
    }

    fn tables_with_trigger(&self, trigger: &Name) -> Vec<ObjectName> {
        let trigger = self.schema.resolve(trigger);
        let has = |table: &ObjectName| self.schema.triggers(table).any(|(name, _)| *name == trigger);
        self.schema.relations().map(|(table, _)| table).filter(|table| has(table)).cloned().collect()
    }

    fn alter_table(&mut self, alter: &AlterTable) {
        let table = self.schema.resolve(&alter.table);
        let moved = alter.actions.iter().find_map(|action| match &action.kind {
            ActionKind::Rename(to) => Some(self.schema.in_same_schema(&table, &to.name)),
            ActionKind::SetSchema(schema) => Some(self.schema.in_schema(&table, schema)),
            _ => None,
        });
        let has_only = |kind: ActionKind| alter.actions.iter().all(|action: &Action| action.kind == kind);
        let is_about_triggers = has_only(ActionKind::Trigger);
        let is_description = has_only(ActionKind::Description);
        let disables = has_word(self.sql, self.schema.dialect(), "DISABLE");
        let change = match moved {
            Some(new_name) => ObjectChange::Renames(new_name),
            None if is_about_triggers && disables => ObjectChange::Deprecates,
            None if is_about_triggers => ObjectChange::Restores,
            None if is_description && mentions_deprecation(self.sql, self.schema.dialect()) => ObjectChange::Deprecates,
            None if is_description && has_word(self.sql, self.schema.dialect(), "COMMENT") => ObjectChange::Restores,
            None => ObjectChange::Changes("alters"),
        };
        self.add(OwnedKind::Table, table, change);
        let partitions = alter.actions.iter().filter_map(|action| match &action.kind {
            ActionKind::Attach { partition, .. } => Some((partition, "attaches")),
            ActionKind::Detach { partition, .. } => Some((partition, "detaches")),
            _ => None,
        });
        for (partition, verb) in partitions {
            self.change_table(partition, verb);
        }
    }

    /// The objects that depend on what a statement drops, or on a column whose type it changes.
    fn bases(&mut self, syntax: &Syntax) {
        let schema = self.schema;
        match syntax {
            Syntax::Drop(drop) if !drop.temporary => {
                for part in dependents::named(schema, drop) {
                    self.drop_base(part, drop.cascade);
                }
            }
            Syntax::AlterTable(alter) => {
                let table = schema.resolve(&alter.table);
                for action in &alter.actions {
                    if let Some((part, cascade)) = dependents::named_in_clause(&table, &action.kind) {
                        self.drop_base(part, cascade);
                    }
                    self.changed_base(&table, &action.kind);
                }
            }
            _ => {}
        }
    }

    /// The views that read a column whose type changes, or outside PostgreSQL, a name that changes.
    fn changed_base(&mut self, table: &ObjectName, action: &ActionKind) {
        let follows = self.schema.can_cascade();
        let (column, phrase) = match action {
            ActionKind::SetType { column, .. } => (column, format!("changes the type of column `{table}.{column}`")),
            ActionKind::RenameColumn { from, .. } if !follows => (from, format!("renames column `{table}.{from}`")),
            ActionKind::ChangeColumn { from, column } if !follows && !from.eq_ignore_ascii_case(&column.name) => {
                (from, format!("renames column `{table}.{from}`"))
            }
            _ => return,
        };
        for view in self.schema.views_of_column(table, column) {
            self.add(OwnedKind::View, view.clone(), ObjectChange::LosesBase(phrase.clone()));
        }
    }

    fn drop_base(&mut self, part: Part, cascade: bool) {
        let phrase = match &part {
            Part::Relation(name) if self.schema.relation(name).is_some_and(|relation| relation.kind != RelationKind::Table) => {
                format!("drops view `{name}`")
            }
            Part::Relation(name) => format!("drops table `{name}`"),
            other => format!("drops {other}"),
        };
        let dropped = dependents::dropped_with(self.schema, vec![part.clone()], cascade);
        for dependent in dependents::dropped_with(self.schema, vec![part], true) {
            let Some((kind, name)) = self.object_of(&dependent) else { continue };
            let is_whole = matches!(dependent, Part::Relation(_) | Part::Sequence(_) | Part::Type(_) | Part::Routine(_));
            let is_dropped = is_whole && dropped.contains(&dependent);
            let change = if is_dropped { ObjectChange::GoesWithBase } else { ObjectChange::LosesBase };
            self.add(kind, name, change(phrase.clone()));
        }
    }

    /// The object that a part belongs to.
    fn object_of(&self, part: &Part) -> Option<(OwnedKind, ObjectName)> {
        Some(match part {
            Part::Relation(name) => {
                let is_view = self.schema.relation(name).is_some_and(|relation| relation.kind != RelationKind::Table);
                (if is_view { OwnedKind::View } else { OwnedKind::Table }, name.clone())
            }
            Part::Column { table, .. } | Part::Constraint { table, .. } | Part::Trigger { table, .. } => {
                (OwnedKind::Table, table.clone())
            }
            Part::Sequence(name) => (OwnedKind::Sequence, name.clone()),
            Part::Type(name) => (OwnedKind::Type, name.clone()),
            Part::Routine(name) => (OwnedKind::Routine, name.clone()),
        })
    }
}

/// Is a `COMMENT ON` about a table, and not about one of its columns or constraints?
fn is_about_table(sql: &str, dialect: Dialect) -> bool {
    Tokens::new(sql, dialect).filter(|token| !token.is_blank()).nth(2).is_some_and(|token| token.is_word(sql, "TABLE"))
}

/// Does a comment in the statement say so? A name does not count.
fn mentions_deprecation(sql: &str, dialect: Dialect) -> bool {
    let mut texts = Tokens::new(sql, dialect).filter(|token| matches!(token.kind, Kind::Text | Kind::DollarText));
    texts.any(|token| token.text(sql).to_ascii_lowercase().contains("deprecated"))
}

fn has_word(sql: &str, dialect: Dialect, word: &str) -> bool {
    Tokens::new(sql, dialect).any(|token| token.is_word(sql, word))
}

/// In so many tokens, `CREATE OR REPLACE VIEW IF NOT EXISTS schema.name` ends.
const HEAD: usize = 10;

/// Equal for statements that differ only in blanks, comments, the case of words, the quotes of a body, and in what the `CREATE` says of
/// an object that exists or of its schema.
fn hash_of_words(sql: &str, dialect: Dialect) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash_tokens(sql, dialect, HEAD, &mut hasher);
    hasher.finish()
}

fn hash_tokens(sql: &str, dialect: Dialect, head: usize, hasher: &mut DefaultHasher) {
    let tokens: Vec<Token> = Tokens::new(sql, dialect).filter(|token| !token.is_blank()).collect();
    let is_dot = |at: usize| tokens.get(at).is_some_and(|token| token.is_symbol(sql, b'.'));
    for (at, token) in tokens.iter().enumerate() {
        let text = token.text(sql);
        let is_left_out = ["OR", "REPLACE", "IF", "NOT", "EXISTS"].iter().any(|word| token.is_word(sql, word));
        if at < head && (is_left_out || is_dot(at) || is_dot(at + 1)) {
            continue;
        }
        if token.kind == Kind::DollarText {
            hash_tokens(token.dollar_content(sql), dialect, 0, hasher);
        } else {
            text.to_ascii_lowercase().hash(hasher);
        }
    }
}

/// The words in the first parentheses.
fn hash_of_parameters(sql: &str, dialect: Dialect) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut depth = 0_usize;
    for token in Tokens::new(sql, dialect).filter(|token| !token.is_blank()) {
        if token.is_symbol(sql, b'(') {
            depth += 1;
        } else if token.is_symbol(sql, b')') {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                break;
            }
        } else if depth > 0 {
            token.text(sql).to_ascii_lowercase().hash(&mut hasher);
        }
    }
    hasher.finish()
}
