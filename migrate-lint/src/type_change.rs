//! The cost of changing the type of a column.
//!
//! Source: measured on PostgreSQL 15.20; PostgreSQL manual, ALTER TABLE, Notes.

use migrate_model::syntax::Type;

/// The cost of a type change on PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Changes only the system catalogs.
    Free,
    /// Like `Indexes` if the time zone of the session is UTC; otherwise rewrites the table.
    IndexesInUtc,
    /// Rebuilds the indexes that contain the column, without a rewrite of the table.
    Indexes,
    /// Rewrites the table.
    Rewrite,
    /// Depends on the current type, which is unknown.
    Unknown,
}

/// The cost of a change from one type to another. `plain`: there is no `USING`, or one that only casts to the new type.
pub fn cost(from: Option<&Type>, to: &Type, plain: bool) -> Cost {
    if !plain {
        return Cost::Rewrite;
    }
    let Some(from) = from else { return Cost::Unknown };
    // Every element of an array is converted.
    let converts_elements = to.array && (from.name != to.name || from.arguments != to.arguments);
    if from.array != to.array || from.schema != to.schema || converts_elements {
        return Cost::Rewrite;
    }
    let changes_collation = to.collation.is_some() && to.collation != from.collation;
    let (from, to) = (&without_full_precision(from), &without_full_precision(to));
    let wider = is_same_or_wider(&from.arguments, &to.arguments);
    let free = match (from.name.as_str(), to.name.as_str()) {
        ("varchar" | "text", "varchar") => to.arguments.is_empty() || (from.name == "varchar" && wider),
        ("varchar", "text") | ("xml", "text" | "varchar") => to.arguments.is_empty(),
        ("varchar" | "text", "bpchar") => to.arguments.is_empty(),
        ("bit", "varbit") => to.arguments.is_empty(),
        ("interval", "interval") => finest(to) <= finest(from) && wider,
        ("citext", "text" | "varchar" | "bpchar") | ("text" | "varchar", "citext") => to.arguments.is_empty(),
        ("numeric" | "varbit", other) if other == from.name => wider,
        ("timestamp" | "timestamptz" | "time" | "timetz", other) if other == from.name => wider,
        ("timestamp", "timestamptz") | ("timestamptz", "timestamp") => {
            return if wider { Cost::IndexesInUtc } else { Cost::Rewrite };
        }
        ("cidr", "inet") => true,
        ("oid" | "int", after) if is_object_identifier(after) => true,
        (before, "oid" | "int") if is_object_identifier(before) => true,
        ("regproc", "regprocedure") | ("regprocedure", "regproc") | ("regoper", "regoperator") | ("regoperator", "regoper") => {
            true
        }
        (before, after) => before == after && from.arguments == to.arguments,
    };
    if !free {
        Cost::Rewrite
    } else if changes_collation || operator_class(from) != operator_class(to) {
        Cost::Indexes
    } else {
        Cost::Free
    }
}

/// The default operator class of a type. An index is kept only if the new type has the same one.
fn operator_class(ty: &Type) -> &str {
    match ty.name.as_str() {
        "varchar" => "text",
        "char" => "bpchar",
        "cidr" => "inet",
        name if is_object_identifier(name) => "oid",
        name => name,
    }
}

/// `oid`, or one of the types that are stored like it. (PostgreSQL manual, 8.19)
fn is_object_identifier(name: &str) -> bool {
    const REGISTERED: [&str; 11] = [
        "regclass",
        "regcollation",
        "regconfig",
        "regdictionary",
        "regnamespace",
        "regoper",
        "regoperator",
        "regproc",
        "regprocedure",
        "regrole",
        "regtype",
    ];
    name == "oid" || REGISTERED.contains(&name)
}

/// Do the new arguments of a type allow every value that the old ones allow?
fn is_same_or_wider(from: &[u32], to: &[u32]) -> bool {
    match (from, to) {
        (_, []) => true,
        ([], _) => false,
        ([from], [to]) => to >= from,
        ([precision, scale], [to_precision, to_scale]) => scale == to_scale && to_precision >= precision,
        ([precision], [to_precision, 0]) => to_precision >= precision,
        _ => false,
    }
}

/// A type without a precision of 6 digits, which is the default of types for time.
fn without_full_precision(ty: &Type) -> Type {
    let arguments = match (&*ty.arguments, ty.name.as_str()) {
        ([6], "timestamp" | "timestamptz" | "time" | "timetz" | "interval") => Vec::new(),
        (arguments, _) => arguments.to_vec(),
    };
    Type { arguments, ..ty.clone() }
}

/// The smallest field that an `interval` stores, as an index that begins with seconds.
fn finest(interval: &Type) -> usize {
    let fields = ["second", "minute", "hour", "day", "month", "year"];
    let last = interval.members.last();
    last.and_then(|last| fields.iter().position(|field| field == last)).unwrap_or_default()
}

/// Does the new type reject or shorten values of the old type?
pub fn narrows(from: &Type, to: &Type) -> bool {
    let order = ["tinyint", "smallint", "mediumint", "int", "bigint"];
    let rank = |ty: &Type| order.iter().position(|name| *name == ty.name);
    if let (Some(before), Some(after)) = (rank(from), rank(to)) {
        return after < before || from.unsigned != to.unsigned && after <= before;
    }
    let length = |ty: &Type| match ty.name.as_str() {
        "varchar" | "char" | "varbinary" | "binary" => ty.arguments.first().copied().unwrap_or(u32::MAX),
        "tinytext" | "tinyblob" => 255,
        "text" | "blob" if from.name.contains("text") || from.name.contains("blob") => 65_535,
        _ => u32::MAX,
    };
    let texts = ["varchar", "char", "text", "tinytext", "mediumtext", "longtext"];
    if texts.contains(&from.name.as_str()) && texts.contains(&to.name.as_str()) {
        return length(to) < length(from);
    }
    match (from.name.as_str(), to.name.as_str()) {
        ("numeric" | "decimal", "numeric" | "decimal") => match (&*from.arguments, &*to.arguments) {
            (_, []) => false,
            ([], _) => true,
            (before, after) => {
                let scale = |arguments: &[u32]| arguments.get(1).copied().unwrap_or(0);
                scale(after) < scale(before) || after[0] - scale(after).min(after[0]) < before[0] - scale(before).min(before[0])
            }
        },
        ("numeric" | "decimal" | "float8" | "float4" | "double" | "float", "int" | "bigint" | "smallint") => true,
        ("float8" | "double", "float4" | "float") => true,
        ("timestamptz" | "timestamp" | "datetime", "date") => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use migrate_model::dialect::Dialect;
    use migrate_model::reader;
    use migrate_model::syntax::Syntax;

    fn ty(text: &str) -> Type {
        let sql = format!("CREATE TABLE t (a {text})");
        match reader::read(&sql, Dialect::Postgres) {
            Syntax::CreateTable(mut table) => table.columns.remove(0).ty.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn costs() {
        for (from, to, expected) in [
            ("varchar(20)", "varchar(50)", Cost::Free),
            ("varchar(50)", "varchar(20)", Cost::Rewrite),
            ("varchar(20)", "text", Cost::Free),
            ("varchar(20)", "varchar", Cost::Free),
            ("text", "varchar", Cost::Free),
            ("text", "varchar(100)", Cost::Rewrite),
            ("text", "text COLLATE \"C\"", Cost::Indexes),
            ("int", "bigint", Cost::Rewrite),
            ("int", "numeric", Cost::Rewrite),
            ("numeric(10,2)", "numeric(12,2)", Cost::Free),
            ("numeric(10,2)", "numeric", Cost::Free),
            ("numeric(10,2)", "numeric(12,3)", Cost::Rewrite),
            ("timestamp", "timestamptz", Cost::IndexesInUtc),
            ("int", "oid", Cost::Indexes),
            ("regclass", "int", Cost::Indexes),
            ("oid", "regclass", Cost::Free),
            ("citext", "text", Cost::Indexes),
            ("text", "bpchar(5)", Cost::Rewrite),
            ("timestamp(3)", "timestamp(6)", Cost::Free),
            ("timestamp(6)", "timestamp(3)", Cost::Rewrite),
            ("timestamptz(3)", "timestamptz", Cost::Free),
            ("cidr", "inet", Cost::Free),
            ("varchar(10)[]", "varchar(20)[]", Cost::Rewrite),
            ("text[]", "varchar[]", Cost::Rewrite),
            ("text[]", "text[]", Cost::Free),
            ("interval", "interval year", Cost::Rewrite),
            ("interval", "interval second(3)", Cost::Rewrite),
            ("interval", "interval day to second", Cost::Free),
            ("interval year", "interval", Cost::Free),
            ("real", "float(10)", Cost::Free),
            ("float(30)", "double precision", Cost::Free),
            ("numeric(10,2)", "dec(10,2)", Cost::Free),
            ("bit(4)", "bit varying", Cost::Indexes),
            ("xml", "text", Cost::Indexes),
            ("text", "bpchar", Cost::Indexes),
            ("bpchar", "char", Cost::Rewrite),
            ("char", "\"char\"", Cost::Rewrite),
            ("char(5)", "char(10)", Cost::Rewrite),
            ("int[]", "int", Cost::Rewrite),
            ("json", "jsonb", Cost::Rewrite),
        ] {
            assert_eq!(cost(Some(&ty(from)), &ty(to), true), expected, "{from} to {to}");
        }
        assert_eq!(cost(None, &ty("text"), true), Cost::Unknown);
        assert_eq!(cost(Some(&ty("text")), &ty("text"), false), Cost::Rewrite);
    }

    #[test]
    fn narrowing_changes() {
        for (from, to, expected) in [
            ("bigint", "int", true),
            ("int", "bigint", false),
            ("varchar(50)", "varchar(20)", true),
            ("text", "varchar(20)", true),
            ("varchar(20)", "text", false),
            ("numeric(10,2)", "numeric(8,2)", true),
            ("numeric(10,2)", "numeric(12,2)", false),
            ("numeric(10,2)", "int", true),
            ("timestamptz", "date", true),
            ("int", "text", false),
        ] {
            assert_eq!(narrows(&ty(from), &ty(to)), expected, "{from} to {to}");
        }
    }
}
