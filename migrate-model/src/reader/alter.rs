//! `ALTER`.

use super::column::{column, constraint, index, ty, value};
use super::condition;
use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::name::Name;
use crate::syntax::{Action, ActionKind, AlterTable, IndexAction, ObjectAction, ObjectKind, Syntax, TypeAction};

/// `ALTER` was read.
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
        let name = cursor.name()?;
        // A domain has its name among the types.
        if cursor.peek_any(&["RENAME", "SET"]) {
            let mark = cursor.position();
            if let Some(action @ (TypeAction::Rename(_) | TypeAction::SetSchema(_))) = type_action(cursor) {
                return Some(Syntax::AlterType { name, action });
            }
            cursor.rewind(mark);
        }
        let sets = cursor.words(&["SET", "NOT", "NULL"]) || cursor.peek("VALIDATE");
        let adds = cursor.peek("ADD") && !(cursor.has("VALID") && cursor.has("NOT"));
        return Some(Syntax::AlterDomain { name, checks: sets || adds });
    }
    if cursor.word("INDEX") {
        cursor.if_exists();
        if cursor.word("ALL") {
            return Some(Syntax::Opaque);
        }
        let name = cursor.name()?;
        let action = match () {
            () if cursor.words(&["RENAME", "TO"]) => IndexAction::Rename(cursor.part()?),
            () if cursor.words(&["ATTACH", "PARTITION"]) => IndexAction::Attach(cursor.name()?),
            () if cursor.words(&["SET", "TABLESPACE"]) => IndexAction::SetTablespace,
            () => IndexAction::Other,
        };
        return Some(Syntax::AlterIndex { name, action });
    }
    if cursor.peek("TRIGGER") {
        let mark = cursor.position();
        if let Some(renamed) = rename_trigger(cursor) {
            return Some(renamed);
        }
        cursor.rewind(mark);
    }
    if cursor.any(&["POLICY", "RULE", "TRIGGER"]) {
        while !cursor.is_at_end() && !cursor.word("ON") {
            cursor.skip();
        }
        return Some(Syntax::Policy { table: cursor.name() });
    }
    if cursor.word("SYSTEM") {
        return Some(Syntax::Server { what: "ALTER SYSTEM" });
    }
    let kind = match () {
        () if cursor.word("VIEW") => ObjectKind::View,
        () if cursor.words(&["MATERIALIZED", "VIEW"]) => ObjectKind::MaterializedView,
        () if cursor.word("SEQUENCE") => ObjectKind::Sequence,
        () if cursor.word("SCHEMA") => ObjectKind::Schema,
        () if cursor.any(&["FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"]) => ObjectKind::Routine,
        () if cursor.word("EXTENSION") => ObjectKind::Extension,
        () => return Some(Syntax::Other),
    };
    // MySQL defines anew so.
    if cursor.dialect == Dialect::MySql {
        return Some(Syntax::Other);
    }
    cursor.if_exists();
    let name = cursor.name()?;
    cursor.parenthesis();
    let action = match () {
        () if cursor.words(&["RENAME", "TO"]) => ObjectAction::Rename(cursor.part()?),
        () if cursor.word("RENAME") => ObjectAction::RenameColumn,
        () if cursor.words(&["SET", "SCHEMA"]) => ObjectAction::SetSchema(cursor.part()?),
        () if cursor.has("VOLATILE") => ObjectAction::Steady(false),
        () if cursor.has("STABLE") || cursor.has("IMMUTABLE") => ObjectAction::Steady(true),
        () => ObjectAction::Other,
    };
    Some(Syntax::Alter { kind, name, action })
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
    cursor.word("ONLY");
    let table = cursor.name()?;
    cursor.symbol(b'*');
    let mut alter =
        AlterTable { table, if_exists, actions: Vec::new(), algorithm: None, lock: None, ignore: false, foreign: false };
    // MariaDB's `WAIT n`, `NOWAIT`.
    if cursor.word("WAIT") {
        cursor.skip();
    }
    cursor.word("NOWAIT");
    while !cursor.is_at_end() {
        let start = cursor.offset();
        if let Some(how) = equals(cursor, "ALGORITHM") {
            alter.algorithm = Some(how);
        } else if let Some(how) = equals(cursor, "LOCK") {
            alter.lock = Some(how);
        } else {
            let first = alter.actions.len();
            let mark = cursor.position();
            match action(cursor, &alter.table) {
                Some(kinds) => alter.actions.extend(kinds.into_iter().map(|kind| Action { kind, range: start..start })),
                None => {
                    cursor.rewind(mark);
                    alter.actions.push(Action { kind: ActionKind::Opaque, range: start..start });
                }
            }
            cursor.skip_clause();
            let range = cursor.since(start);
            alter.actions[first..].iter_mut().for_each(|action| action.range = range.clone());
        }
        cursor.skip_clause();
        if !cursor.symbol(b',') {
            // A bracket too many, or nothing.
            if cursor.is_at_end() {
                break;
            }
            cursor.skip();
        }
    }
    Some(alter)
}

fn equals(cursor: &mut Cursor<'_>, word: &str) -> Option<String> {
    if cursor.dialect != Dialect::MySql || !cursor.word(word) {
        return None;
    }
    cursor.symbol(b'=');
    let how = cursor.text().to_ascii_uppercase();
    cursor.skip();
    Some(how)
}

fn action(cursor: &mut Cursor<'_>, table: &Name) -> Option<Vec<ActionKind>> {
    let one = |kind| Some(vec![kind]);
    if cursor.word("ADD") {
        return add(cursor, table);
    }
    if cursor.word("DROP") {
        return one(drop(cursor)?);
    }
    if cursor.word("ALTER") {
        return one(alter_column(cursor)?);
    }
    if cursor.word("MODIFY") {
        cursor.word("COLUMN");
        cursor.if_exists();
        return one(ActionKind::ModifyColumn(Box::new(column(cursor)?)));
    }
    if cursor.word("CHANGE") {
        cursor.word("COLUMN");
        cursor.if_exists();
        let from = cursor.part()?;
        return one(ActionKind::ChangeColumn { from, column: Box::new(column(cursor)?) });
    }
    if cursor.word("RENAME") {
        return one(rename(cursor)?);
    }
    if cursor.words(&["VALIDATE", "CONSTRAINT"]) {
        return one(ActionKind::Validate(cursor.part()?));
    }
    if cursor.words(&["ATTACH", "PARTITION"]) {
        let partition = cursor.name()?;
        let default = cursor.peek("DEFAULT");
        return one(ActionKind::Attach { partition, default, bounds: condition::literals(cursor) });
    }
    if cursor.words(&["DETACH", "PARTITION"]) {
        let partition = cursor.name()?;
        let (concurrently, finalize) = (cursor.word("CONCURRENTLY"), cursor.word("FINALIZE"));
        return one(ActionKind::Detach { partition, concurrently, finalize });
    }
    if cursor.word("INHERIT") || cursor.words(&["NO", "INHERIT"]) {
        return one(ActionKind::Inherit(cursor.name()?));
    }
    if cursor.any(&["ENABLE", "DISABLE"])
        || cursor.dialect == Dialect::Postgres && cursor.word("FORCE")
        || cursor.words(&["NO", "FORCE"])
    {
        let _ = cursor.any(&["ALWAYS", "REPLICA"]);
        return one(match () {
            () if cursor.peek("TRIGGER") => ActionKind::Trigger,
            () if cursor.peek("ROW") => ActionKind::RowSecurity,
            () if cursor.peek("RULE") => ActionKind::Catalogue,
            // `ENABLE KEYS`, MySQL.
            () => ActionKind::Description,
        });
    }
    if cursor.words(&["OWNER", "TO"]) {
        return one(ActionKind::Owner);
    }
    if cursor.words(&["REPLICA", "IDENTITY"]) || cursor.words(&["CLUSTER", "ON"]) || cursor.peek("RESET") {
        return one(ActionKind::Weak);
    }
    if cursor.dialect == Dialect::Postgres {
        if cursor.word("SET") {
            return one(match () {
                () if cursor.word("TABLESPACE") => ActionKind::SetTablespace,
                () if cursor.any(&["LOGGED", "UNLOGGED"]) => ActionKind::SetLogged,
                () if cursor.words(&["ACCESS", "METHOD"]) => ActionKind::SetAccessMethod,
                () if cursor.word("SCHEMA") => ActionKind::SetSchema(cursor.part()?),
                () => ActionKind::Weak,
            });
        }
        let rare = cursor.peek_any(&["OF", "NOT", "OPTIONS"]);
        return rare.then(|| vec![ActionKind::Catalogue]);
    }
    mysql(cursor).map(|kind| vec![kind])
}

fn mysql(cursor: &mut Cursor<'_>) -> Option<ActionKind> {
    if cursor.words(&["CONVERT", "TO"]) {
        let _ = cursor.words(&["CHARACTER", "SET"]) || cursor.word("CHARSET");
        let said = |cursor: &mut Cursor<'_>| {
            cursor.symbol(b'=');
            let text = cursor.text().trim_matches(['\'', '"']).to_ascii_lowercase();
            cursor.skip();
            Some(text).filter(|text| text != "default")
        };
        let charset = said(cursor);
        let collation = if cursor.word("COLLATE") { said(cursor) } else { None };
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
    if cursor.any(&[
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
    ]) {
        return Some(ActionKind::Partitioning);
    }
    if cursor.words(&["ORDER", "BY"]) {
        return Some(ActionKind::Rebuild);
    }
    let described = [
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
    cursor.any(&described).then_some(ActionKind::Description)
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

/// MySQL's `RENAME` was read.
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
