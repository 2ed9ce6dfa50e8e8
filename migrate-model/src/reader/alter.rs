//! Parses `ALTER`.

use super::column::{column, constraint, index, ty, value};
use super::create::owner;
use super::{condition, skip_past};
use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::name::Name;
use crate::syntax::{Action, ActionKind, AlterTable, IndexAction, ObjectAction, ObjectKind, Syntax, TypeAction};

/// Parses the statement after `ALTER`.
pub fn alter(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    cursor.any(&["ONLINE", "OFFLINE"]);
    let ignore = cursor.word("IGNORE");
    let foreign = cursor.words(&["FOREIGN", "TABLE"]);
    if foreign || cursor.word("TABLE") {
        // `ALTER TABLE ALL IN TABLESPACE ...`
        if cursor.words(&["ALL", "IN"]) {
            return Some(Syntax::Opaque);
        }
        return alter_table(cursor).map(|alter| Syntax::AlterTable(AlterTable { ignore, foreign, ..alter }));
    }
    if cursor.word("TYPE") {
        let name = cursor.name()?;
        return Some(Syntax::AlterType { name, action: type_action(cursor)? });
    }
    if cursor.word("DOMAIN") {
        return alter_domain(cursor);
    }
    if cursor.word("INDEX") {
        return alter_index(cursor);
    }
    if cursor.peek("TRIGGER") {
        let before = cursor.position();
        if let Some(rename) = rename_trigger(cursor) {
            return Some(rename);
        }
        cursor.rewind(before);
    }
    if cursor.any(&["POLICY", "RULE", "TRIGGER"]) {
        skip_past(cursor, "ON");
        return Some(Syntax::Policy { table: cursor.name() });
    }
    if cursor.word("SYSTEM") {
        return Some(Syntax::Server { what: "ALTER SYSTEM" });
    }
    alter_object(cursor)
}

fn alter_domain(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    let name = cursor.name()?;
    // A domain is renamed and moved like a type.
    if cursor.peek_any(&["RENAME", "SET"]) {
        let before = cursor.position();
        if let Some(action @ (TypeAction::Rename(_) | TypeAction::SetSchema(_))) = type_action(cursor) {
            return Some(Syntax::AlterType { name, action });
        }
        cursor.rewind(before);
    }
    let sets = cursor.words(&["SET", "NOT", "NULL"]) || cursor.peek("VALIDATE");
    let adds = cursor.peek("ADD") && !(cursor.has("VALID") && cursor.has("NOT"));
    Some(Syntax::AlterDomain { name, checks: sets || adds })
}

fn alter_index(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    cursor.if_exists();
    if cursor.word("ALL") {
        return Some(Syntax::Opaque);
    }
    Some(Syntax::AlterIndex { name: cursor.name()?, action: index_action(cursor)? })
}

fn alter_object(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    let Some(kind) = object_kind(cursor) else { return Some(Syntax::Other) };
    // In MySQL, these statements redefine the object.
    if cursor.dialect == Dialect::MySql {
        return Some(Syntax::Other);
    }
    cursor.if_exists();
    let name = cursor.name()?;
    cursor.parenthesis();
    Some(Syntax::Alter { kind, name, action: object_action(cursor)? })
}

fn object_kind(cursor: &mut Cursor<'_>) -> Option<ObjectKind> {
    if cursor.word("VIEW") {
        Some(ObjectKind::View)
    } else if cursor.words(&["MATERIALIZED", "VIEW"]) {
        Some(ObjectKind::MaterializedView)
    } else if cursor.word("SEQUENCE") {
        Some(ObjectKind::Sequence)
    } else if cursor.word("SCHEMA") {
        Some(ObjectKind::Schema)
    } else if cursor.any(&["FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"]) {
        Some(ObjectKind::Routine)
    } else if cursor.word("EXTENSION") {
        Some(ObjectKind::Extension)
    } else {
        None
    }
}

fn object_action(cursor: &mut Cursor<'_>) -> Option<ObjectAction> {
    Some(if cursor.words(&["RENAME", "TO"]) {
        ObjectAction::Rename(cursor.part()?)
    } else if cursor.word("RENAME") {
        ObjectAction::RenameColumn
    } else if cursor.words(&["SET", "SCHEMA"]) {
        ObjectAction::SetSchema(cursor.part()?)
    } else if has_owner(cursor) {
        skip_past(cursor, "OWNED");
        cursor.word("BY");
        ObjectAction::OwnedBy(owner(cursor))
    } else if cursor.has("VOLATILE") {
        ObjectAction::Steady(false)
    } else if cursor.has("STABLE") || cursor.has("IMMUTABLE") {
        ObjectAction::Steady(true)
    } else {
        ObjectAction::Other
    })
}

/// `ALTER SEQUENCE ... OWNED BY ...`, also after other options.
fn has_owner(cursor: &Cursor<'_>) -> bool {
    cursor.rest().windows(2).any(|pair| pair[0].is_word(cursor.sql, "OWNED") && pair[1].is_word(cursor.sql, "BY"))
}

fn index_action(cursor: &mut Cursor<'_>) -> Option<IndexAction> {
    Some(if cursor.words(&["RENAME", "TO"]) {
        IndexAction::Rename(cursor.part()?)
    } else if cursor.words(&["ATTACH", "PARTITION"]) {
        IndexAction::Attach(cursor.name()?)
    } else if cursor.words(&["SET", "TABLESPACE"]) {
        IndexAction::SetTablespace
    } else {
        IndexAction::Other
    })
}

fn rename_trigger(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    cursor.word("TRIGGER");
    let from = cursor.part()?;
    if !cursor.word("ON") {
        return None;
    }
    let table = cursor.name()?;
    let renames = cursor.words(&["RENAME", "TO"]);
    cursor.part().filter(|_| renames).map(|to| Syntax::RenameTrigger { table, from, to })
}

fn type_action(cursor: &mut Cursor<'_>) -> Option<TypeAction> {
    if cursor.words(&["ADD", "VALUE"]) {
        let if_not_exists = cursor.if_not_exists();
        let label = cursor.string()?;
        return Some(TypeAction::AddValue { label, if_not_exists, placed: cursor.peek_any(&["BEFORE", "AFTER"]) });
    }
    if cursor.words(&["RENAME", "VALUE"]) {
        let from = cursor.string()?;
        cursor.word("TO");
        return Some(TypeAction::RenameValue { from, to: cursor.string()? });
    }
    if cursor.words(&["RENAME", "TO"]) {
        return Some(TypeAction::Rename(cursor.part()?));
    }
    if cursor.words(&["SET", "SCHEMA"]) {
        return Some(TypeAction::SetSchema(cursor.part()?));
    }
    Some(if cursor.peek_any(&["ADD", "DROP", "ALTER", "RENAME"]) { TypeAction::Attributes } else { TypeAction::Other })
}

fn alter_table(cursor: &mut Cursor<'_>) -> Option<AlterTable> {
    let if_exists = cursor.if_exists();
    let table = cursor.table()?;
    let mut alter =
        AlterTable { table, if_exists, actions: Vec::new(), algorithm: None, lock: None, ignore: false, foreign: false };
    // `WAIT n` and `NOWAIT` of MariaDB.
    if cursor.word("WAIT") {
        cursor.skip();
    }
    cursor.word("NOWAIT");
    while !cursor.is_at_end() {
        let start = cursor.offset();
        if let Some(algorithm) = equals(cursor, "ALGORITHM") {
            alter.algorithm = Some(algorithm);
        } else if let Some(lock) = equals(cursor, "LOCK") {
            alter.lock = Some(lock);
        } else {
            let first = alter.actions.len();
            let before = cursor.position();
            match action(cursor, &alter.table) {
                Some(kinds) => alter.actions.extend(kinds.into_iter().map(|kind| Action { kind, range: start..start })),
                None => {
                    cursor.rewind(before);
                    alter.actions.push(Action { kind: ActionKind::Opaque, range: start..start });
                }
            }
            cursor.skip_clause();
            let range = cursor.since(start);
            alter.actions[first..].iter_mut().for_each(|action| action.range = range.clone());
        }
        cursor.skip_clause();
        if !cursor.symbol(b',') {
            // The end, or an unmatched closing parenthesis.
            if cursor.is_at_end() {
                break;
            }
            cursor.skip();
        }
    }
    Some(alter)
}

/// The value of a clause such as `ALGORITHM = INPLACE` (MySQL), in upper case.
pub fn equals(cursor: &mut Cursor<'_>, word: &str) -> Option<String> {
    if cursor.dialect != Dialect::MySql || !cursor.word(word) {
        return None;
    }
    cursor.symbol(b'=');
    let value = cursor.text().to_ascii_uppercase();
    cursor.skip();
    Some(value)
}

/// Parses a clause of `ALTER TABLE`, which can add several columns.
fn action(cursor: &mut Cursor<'_>, table: &Name) -> Option<Vec<ActionKind>> {
    if cursor.word("ADD") { add(cursor, table) } else { single_action(cursor).map(|kind| vec![kind]) }
}

fn single_action(cursor: &mut Cursor<'_>) -> Option<ActionKind> {
    if cursor.word("DROP") {
        return drop(cursor);
    }
    if cursor.word("ALTER") {
        return alter_column(cursor);
    }
    if cursor.word("MODIFY") {
        cursor.word("COLUMN");
        cursor.if_exists();
        return Some(ActionKind::ModifyColumn(Box::new(column(cursor)?)));
    }
    if cursor.word("CHANGE") {
        cursor.word("COLUMN");
        cursor.if_exists();
        let from = cursor.part()?;
        return Some(ActionKind::ChangeColumn { from, column: Box::new(column(cursor)?) });
    }
    if cursor.word("RENAME") {
        return rename(cursor);
    }
    if cursor.words(&["VALIDATE", "CONSTRAINT"]) {
        return Some(ActionKind::Validate(cursor.part()?));
    }
    if cursor.words(&["ATTACH", "PARTITION"]) {
        let partition = cursor.name()?;
        let default = cursor.peek("DEFAULT");
        return Some(ActionKind::Attach { partition, default, bounds: condition::literals(cursor) });
    }
    if cursor.words(&["DETACH", "PARTITION"]) {
        let partition = cursor.name()?;
        let (concurrently, finalize) = (cursor.word("CONCURRENTLY"), cursor.word("FINALIZE"));
        return Some(ActionKind::Detach { partition, concurrently, finalize });
    }
    if cursor.word("INHERIT") || cursor.words(&["NO", "INHERIT"]) {
        return Some(ActionKind::Inherit(cursor.name()?));
    }
    if cursor.any(&["ENABLE", "DISABLE"])
        || cursor.dialect == Dialect::Postgres && cursor.word("FORCE")
        || cursor.words(&["NO", "FORCE"])
    {
        return Some(enable(cursor));
    }
    if cursor.words(&["OWNER", "TO"]) {
        return Some(ActionKind::Owner);
    }
    if cursor.words(&["REPLICA", "IDENTITY"]) || cursor.words(&["CLUSTER", "ON"]) || cursor.peek("RESET") {
        return Some(ActionKind::Weak);
    }
    if cursor.dialect == Dialect::Postgres { postgres(cursor) } else { mysql(cursor) }
}

/// Parses the clause after `ENABLE`, `DISABLE` or `FORCE`.
fn enable(cursor: &mut Cursor<'_>) -> ActionKind {
    let _ = cursor.any(&["ALWAYS", "REPLICA"]);
    if cursor.peek("TRIGGER") {
        ActionKind::Trigger
    } else if cursor.peek("ROW") {
        ActionKind::RowSecurity
    } else if cursor.peek("RULE") {
        ActionKind::Catalogue
    } else {
        // `ENABLE KEYS` in MySQL.
        ActionKind::Description
    }
}

/// Parses a clause that only PostgreSQL has.
fn postgres(cursor: &mut Cursor<'_>) -> Option<ActionKind> {
    if cursor.word("SET") {
        return Some(if cursor.word("TABLESPACE") {
            ActionKind::SetTablespace
        } else if cursor.any(&["LOGGED", "UNLOGGED"]) {
            ActionKind::SetLogged
        } else if cursor.words(&["ACCESS", "METHOD"]) {
            ActionKind::SetAccessMethod
        } else if cursor.word("SCHEMA") {
            ActionKind::SetSchema(cursor.part()?)
        } else {
            ActionKind::Weak
        });
    }
    cursor.peek_any(&["OF", "NOT", "OPTIONS"]).then_some(ActionKind::Catalogue)
}

/// The name of a character set or collation, in lower case; `None` for `DEFAULT`.
fn value_unless_default(cursor: &mut Cursor<'_>) -> Option<String> {
    cursor.symbol(b'=');
    let text = cursor.text().trim_matches(['\'', '"']).to_ascii_lowercase();
    cursor.skip();
    Some(text).filter(|text| text != "default")
}

/// Words that begin a clause about partitions in MySQL.
const PARTITIONING_WORDS: [&str; 13] = [
    "PARTITION",
    "COALESCE",
    "REORGANIZE",
    "EXCHANGE",
    "TRUNCATE",
    "ANALYZE",
    "CHECK",
    "OPTIMIZE",
    "REBUILD",
    "REPAIR",
    "REMOVE",
    "DISCARD",
    "IMPORT",
];

/// Words that begin a table option of MySQL that changes only metadata.
const DESCRIPTION_WORDS: [&str; 20] = [
    "COMMENT",
    "AUTO_INCREMENT",
    "DEFAULT",
    "CHARACTER",
    "CHARSET",
    "COLLATE",
    "STATS_PERSISTENT",
    "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
    "MAX_ROWS",
    "MIN_ROWS",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "PACK_KEYS",
    "DELAY_KEY_WRITE",
    "WITH",
    "WITHOUT",
    "TABLESPACE",
    "UNION",
    "INSERT_METHOD",
];

/// Parses a clause that only MySQL has.
fn mysql(cursor: &mut Cursor<'_>) -> Option<ActionKind> {
    if cursor.words(&["CONVERT", "TO"]) {
        let _ = cursor.words(&["CHARACTER", "SET"]) || cursor.word("CHARSET");
        let charset = value_unless_default(cursor);
        let collation = if cursor.word("COLLATE") { value_unless_default(cursor) } else { None };
        return Some(ActionKind::ConvertCharset { charset, collation });
    }
    if cursor.words(&["CONVERT", "PARTITION"]) || cursor.words(&["CONVERT", "TABLE"]) {
        return Some(ActionKind::Partitioning);
    }
    if cursor.word("ENGINE") {
        cursor.symbol(b'=');
        return Some(ActionKind::Engine(cursor.text().trim_matches(['\'', '"']).to_ascii_lowercase()));
    }
    if cursor.any(&["FORCE", "ROW_FORMAT", "KEY_BLOCK_SIZE", "PAGE_COMPRESSED", "ENCRYPTED", "ENCRYPTION", "COMPRESSION", "TYPE"])
    {
        return Some(ActionKind::Rebuild);
    }
    if cursor.any(&PARTITIONING_WORDS) {
        return Some(ActionKind::Partitioning);
    }
    if cursor.words(&["ORDER", "BY"]) {
        return Some(ActionKind::Rebuild);
    }
    cursor.any(&DESCRIPTION_WORDS).then_some(ActionKind::Description)
}

fn add(cursor: &mut Cursor<'_>, table: &Name) -> Option<Vec<ActionKind>> {
    if cursor.words(&["SYSTEM", "VERSIONING"]) {
        return Some(vec![ActionKind::SystemVersioning]);
    }
    if cursor.peek("PARTITION") && cursor.dialect == Dialect::MySql || cursor.peek("PERIOD") && cursor.peek_at(1, "FOR") {
        return Some(vec![ActionKind::Partitioning]);
    }
    if let Some(index) = index(cursor, table) {
        return Some(vec![ActionKind::AddIndex(index)]);
    }
    if !cursor.peek("COLUMN")
        && let Some(constraint) = constraint(cursor)
    {
        return Some(vec![ActionKind::AddConstraint(constraint)]);
    }
    cursor.word("COLUMN");
    let if_not_exists = cursor.if_not_exists();
    // MySQL: `ADD COLUMN (a int, b int)`.
    if cursor.symbol(b'(') {
        let mut columns = Vec::new();
        loop {
            columns.push(ActionKind::AddColumn { column: Box::new(column(cursor)?), if_not_exists });
            if !cursor.symbol(b',') {
                cursor.symbol(b')');
                return Some(columns);
            }
        }
    }
    Some(vec![ActionKind::AddColumn { column: Box::new(column(cursor)?), if_not_exists }])
}

fn drop(cursor: &mut Cursor<'_>) -> Option<ActionKind> {
    let cascade = |cursor: &mut Cursor<'_>| cursor.word("CASCADE");
    if cursor.words(&["FOREIGN", "KEY"]) {
        cursor.if_exists();
        return Some(ActionKind::DropForeignKey(cursor.part()?));
    }
    if cursor.words(&["PRIMARY", "KEY"]) {
        return Some(ActionKind::DropPrimaryKey);
    }
    if cursor.word("CONSTRAINT") || cursor.dialect == Dialect::MySql && cursor.word("CHECK") {
        let if_exists = cursor.if_exists();
        let name = cursor.part()?;
        return Some(ActionKind::DropConstraint { name, if_exists, cascade: cascade(cursor) });
    }
    if cursor.dialect == Dialect::MySql && cursor.any(&["INDEX", "KEY"]) {
        cursor.if_exists();
        return Some(ActionKind::DropIndex(cursor.part()?));
    }
    if cursor.dialect == Dialect::MySql && cursor.peek("PARTITION") {
        return Some(ActionKind::Partitioning);
    }
    if cursor.words(&["SYSTEM", "VERSIONING"]) {
        return Some(ActionKind::SystemVersioning);
    }
    if cursor.dialect == Dialect::MySql && cursor.peek("PERIOD") && cursor.peek_at(1, "FOR") {
        return Some(ActionKind::Partitioning);
    }
    cursor.word("COLUMN");
    let if_exists = cursor.if_exists();
    let name = cursor.part()?;
    Some(ActionKind::DropColumn { name, if_exists, cascade: cascade(cursor) })
}

fn alter_column(cursor: &mut Cursor<'_>) -> Option<ActionKind> {
    // MySQL: `ALTER INDEX i INVISIBLE`, `ALTER CHECK c NOT ENFORCED`.
    if cursor.dialect == Dialect::MySql && cursor.any(&["INDEX", "KEY", "CHECK", "CONSTRAINT"]) {
        return Some(ActionKind::Description);
    }
    if cursor.word("CONSTRAINT") {
        return Some(ActionKind::Catalogue);
    }
    cursor.word("COLUMN");
    let column = cursor.part()?;
    if cursor.words(&["SET", "DATA", "TYPE"]) || cursor.word("TYPE") {
        let mut ty = ty(cursor)?;
        if cursor.word("COLLATE") {
            ty.collation = cursor.name().map(|name| name.name);
        }
        let using = cursor.word("USING").then(|| value(cursor));
        return Some(ActionKind::SetType { column, ty, using });
    }
    if cursor.words(&["SET", "DEFAULT"]) {
        return Some(ActionKind::SetDefault { column, value: value(cursor) });
    }
    if cursor.words(&["DROP", "DEFAULT"]) {
        return Some(ActionKind::DropDefault(column));
    }
    if cursor.words(&["SET", "NOT", "NULL"]) {
        return Some(ActionKind::SetNotNull(column));
    }
    if cursor.words(&["DROP", "NOT", "NULL"]) {
        return Some(ActionKind::DropNotNull(column));
    }
    if cursor.words(&["SET", "STATISTICS"]) || cursor.peek("RESET") {
        return Some(ActionKind::Weak);
    }
    if cursor.peek("SET") && cursor.peek_at(1, "(") {
        return Some(ActionKind::Weak);
    }
    if cursor.words(&["SET", "STORAGE"]) || cursor.words(&["SET", "COMPRESSION"]) {
        return Some(ActionKind::Catalogue);
    }
    if cursor.words(&["ADD", "GENERATED"]) {
        return Some(ActionKind::AddIdentity(column));
    }
    if cursor.words(&["SET", "EXPRESSION"]) {
        return Some(ActionKind::SetExpression(column));
    }
    if cursor.peek_any(&["ADD", "SET", "DROP", "RESTART"]) {
        return Some(ActionKind::Generation(column));
    }
    None
}

fn rename(cursor: &mut Cursor<'_>) -> Option<ActionKind> {
    if cursor.any(&["TO", "AS"]) {
        return Some(ActionKind::Rename(cursor.name()?));
    }
    let pair = |cursor: &mut Cursor<'_>| {
        let from = cursor.part()?;
        cursor.word("TO").then_some(())?;
        Some((from, cursor.part()?))
    };
    if cursor.any(&["INDEX", "KEY"]) {
        let (from, to) = pair(cursor)?;
        return Some(ActionKind::RenameIndex { from, to });
    }
    if cursor.word("CONSTRAINT") {
        let (from, to) = pair(cursor)?;
        return Some(ActionKind::RenameConstraint { from, to });
    }
    if cursor.word("COLUMN") {
        cursor.if_exists();
    } else if cursor.dialect == Dialect::MySql {
        // `RENAME new_name`
        return Some(ActionKind::Rename(cursor.name()?));
    }
    let (from, to) = pair(cursor)?;
    Some(ActionKind::RenameColumn { from, to })
}

/// Parses the statement after `RENAME` (MySQL).
pub fn rename_tables(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    if !cursor.any(&["TABLE", "TABLES"]) {
        return None;
    }
    let mut renames = Vec::new();
    loop {
        cursor.if_exists();
        let from = cursor.name()?;
        if !cursor.word("TO") {
            return None;
        }
        renames.push((from, cursor.name()?));
        if !cursor.symbol(b',') {
            return Some(Syntax::RenameTables(renames));
        }
    }
}
