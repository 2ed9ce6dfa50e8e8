//! Compares our parser with another parser of PostgreSQL: both must report the same tables, columns, constraints and clauses.
//!
//! The input is the examples of the rules and, if `MIGRATE_CORPUS` is set, real folders. Statements that the other parser
//! rejects are skipped.

use crate::corpus::{corpus, sql_files};
use migrate_lint::rules;
use migrate_model::dialect::Dialect;
use migrate_model::name::Name;
use migrate_model::reader;
use migrate_model::script::Script;
use migrate_model::syntax::{ActionKind, Column, ConstraintKind, ObjectKind, Syntax};
use squawk_syntax::SourceFile;
use squawk_syntax::ast::{
    AlterTableAction, AstNode, Column as TheirColumn, ColumnClause, ColumnConstraint, Stmt, TableArg, TableConstraint,
};
use std::fs;

/// A statement in words that both parsers can provide. `?` is a part that our parser does not count.
type Summary = Vec<String>;

fn ours(sql: &str) -> Summary {
    match reader::read(sql, Dialect::Postgres) {
        Syntax::CreateTable(table) => {
            let mut summary = vec![format!("table {}", table.name.as_ref().map_or_else(String::new, written))];
            summary.extend(table.partition_of.iter().map(|_| "a partition".to_owned()));
            summary.extend(table.partitioned.then(|| "with partitions".to_owned()));
            summary.extend(table.columns.iter().map(our_column));
            summary.extend(table.like.iter().map(|_| "like another".to_owned()));
            summary.extend(table.constraints.iter().map(|constraint| our_constraint(&constraint.kind).to_owned()));
            summary
        }
        Syntax::AlterTable(alter) => {
            let actions = alter.actions.iter().map(|action| our_action(&action.kind));
            [format!("alter {}", written(&alter.table))].into_iter().chain(actions).collect()
        }
        Syntax::CreateIndex(index) => {
            let columns = if index.expressions { "?".to_owned() } else { index.columns.len().to_string() };
            let name = index.name.as_ref().map_or_else(String::new, written);
            let table = written(&index.table);
            let (unique, concurrently, partial) = (index.unique, index.concurrently, index.partial);
            vec![format!("index {name} of {table}: unique {unique}, concurrently {concurrently}, partial {partial}"), columns]
        }
        Syntax::Drop(drop) if matches!(drop.kind, ObjectKind::Table | ObjectKind::Index) => {
            let names: Vec<String> = drop.names.iter().map(written).collect();
            vec![format!("drop {} {}: concurrently {}", drop.kind.name(), names.join(","), drop.concurrently)]
        }
        Syntax::Update(change) => vec![format!("update {}", written(&change.table))],
        Syntax::Delete(change) => vec![format!("delete {}", written(&change.table))],
        Syntax::Insert(insert) => vec![format!("insert {}", written(&insert.table))],
        other => vec![format!("{other:?}")],
    }
}

/// The summary of the other parser; `None` if it rejects the statement, or if the kind of statement is not compared.
fn theirs(sql: &str) -> Option<Summary> {
    let parsed = SourceFile::parse(sql);
    if !parsed.errors().is_empty() {
        return None;
    }
    Some(match parsed.tree().stmts().next()? {
        Stmt::CreateTable(table) => {
            let mut summary = vec![format!("table {}", text(table.table_name()))];
            summary.extend(table.partition_of().map(|_| "a partition".to_owned()));
            summary.extend(table.partition_by().map(|_| "with partitions".to_owned()));
            let (mut likes, mut constraints) = (Vec::new(), Vec::new());
            let parents = table.inherits().into_iter().flat_map(|inherits| inherits.table_name_refs());
            let parents: Vec<String> = parents.map(|_| "like another".to_owned()).collect();
            for argument in table.table_arg_list().into_iter().flat_map(|list| list.args()) {
                match argument {
                    TableArg::Column(column) => summary.push(their_column(&column)),
                    TableArg::LikeClause(_) => likes.push("like another".to_owned()),
                    TableArg::TableConstraint(constraint) => constraints.push(their_constraint(&constraint).to_owned()),
                }
            }
            summary.into_iter().chain(likes).chain(parents).chain(constraints).collect()
        }
        Stmt::AlterTable(alter) => {
            let actions = alter.actions().map(|action| their_action(&action));
            [format!("alter {}", plain(alter.table_relation_name()))].into_iter().chain(actions).collect()
        }
        Stmt::CreateIndex(index) => {
            let columns = index.partition_item_list().map_or(0, |list| list.partition_items().count());
            let (name, table) = (text(index.index()), plain(index.table_relation_name()));
            let (unique, concurrently) = (index.unique_token().is_some(), index.concurrently_token().is_some());
            let partial = index.where_clause().is_some();
            vec![
                format!("index {name} of {table}: unique {unique}, concurrently {concurrently}, partial {partial}"),
                columns.to_string(),
            ]
        }
        Stmt::DropTable(drop) => {
            let names: Vec<String> = drop.table_name_refs().map(|name| text(Some(name))).collect();
            vec![format!("drop table {}: concurrently false", names.join(","))]
        }
        Stmt::DropIndex(drop) => {
            let names: Vec<String> = drop.index_refs().map(|name| text(Some(name))).collect();
            let concurrently = drop.concurrently_token().is_some();
            vec![format!("drop index {}: concurrently {concurrently}", names.join(","))]
        }
        Stmt::Update(change) => vec![format!("update {}", plain(change.relation_name()))],
        Stmt::Delete(change) => vec![format!("delete {}", plain(change.relation_name()))],
        Stmt::Insert(insert) => vec![format!("insert {}", text(insert.relation_name_ref()))],
        _ => return None,
    })
}

fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '"').collect::<String>().to_lowercase()
}

fn written(name: &Name) -> String {
    match &name.schema {
        Some(schema) => bare(&format!("{schema}.{}", name.name)),
        None => bare(&name.name),
    }
}

fn text<N: AstNode>(node: Option<N>) -> String {
    node.map_or_else(String::new, |node| bare(&node.syntax().text().to_string()))
}

/// A name without a preceding `ONLY` and a following `*`.
fn plain<N: AstNode>(node: Option<N>) -> String {
    let name = node.map_or_else(String::new, |node| node.syntax().text().to_string());
    let mut words: Vec<&str> = name.split_whitespace().collect();
    if words.len() > 1 && words[0].eq_ignore_ascii_case("only") {
        words.remove(0);
    }
    bare(words.concat().trim_end_matches('*'))
}

fn our_column(column: &Column) -> String {
    let clauses = [
        (!column.checks.is_empty(), "check"),
        (column.default.is_some(), "default"),
        (column.generated.is_some(), "generated"),
        (column.identity, "identity"),
        (column.not_null && !column.primary && !column.identity, "not null"),
        (column.says_null, "null"),
        (column.primary, "primary key"),
        (column.references.is_some(), "references"),
        (column.unique, "unique"),
    ];
    let words: Vec<&str> = clauses.into_iter().filter(|(present, _)| *present).map(|(_, word)| word).collect();
    format!("{} {}", bare(&column.name), words.join(", "))
}

fn their_column(column: &TheirColumn) -> String {
    let mut words: Vec<&str> = column.clauses().filter_map(their_column_clause).collect();
    if words.contains(&"primary key") || words.contains(&"identity") {
        words.retain(|word| *word != "not null");
    }
    words.sort_unstable();
    words.dedup();
    format!("{} {}", text(column.name()), words.join(", "))
}

fn their_column_clause(clause: ColumnClause) -> Option<&'static str> {
    let ColumnClause::ColumnConstraint(constraint) = clause else { return None };
    Some(match constraint {
        ColumnConstraint::CheckConstraint(_) => "check",
        ColumnConstraint::DefaultConstraint(default) if text(Some(default.clone())).starts_with("defaultnull") => "null",
        ColumnConstraint::DefaultConstraint(_) => "default",
        ColumnConstraint::ExcludeConstraint(_) => "exclude",
        ColumnConstraint::GeneratedConstraint(generated) if text(Some(generated.clone())).contains("asidentity") => "identity",
        ColumnConstraint::GeneratedConstraint(_) => "generated",
        ColumnConstraint::NotNullConstraint(_) => "not null",
        ColumnConstraint::NullConstraint(_) => "null",
        ColumnConstraint::PrimaryKeyConstraint(_) => "primary key",
        ColumnConstraint::ReferencesConstraint(_) => "references",
        ColumnConstraint::UniqueConstraint(_) => "unique",
    })
}

fn our_constraint(kind: &ConstraintKind) -> &'static str {
    match kind {
        ConstraintKind::Check(_) => "check",
        ConstraintKind::Exclude => "exclude",
        ConstraintKind::Foreign { .. } => "foreign key",
        ConstraintKind::NotNull { .. } => "not null",
        ConstraintKind::Primary { .. } => "primary key",
        ConstraintKind::Unique { .. } => "unique",
    }
}

fn their_constraint(constraint: &TableConstraint) -> &'static str {
    match constraint {
        TableConstraint::CheckConstraint(_) => "check",
        TableConstraint::ExcludeConstraint(_) => "exclude",
        TableConstraint::ForeignKeyConstraint(_) => "foreign key",
        TableConstraint::NotNullConstraint(_) => "not null",
        TableConstraint::PrimaryKeyConstraint(_) => "primary key",
        TableConstraint::UniqueConstraint(_) => "unique",
    }
}

fn our_action(kind: &ActionKind) -> String {
    match kind {
        ActionKind::AddColumn { column, .. } => format!("add {}", bare(&column.name)),
        ActionKind::AddConstraint(constraint) => {
            format!("add {}, not valid {}", our_constraint(&constraint.kind), constraint.not_valid)
        }
        ActionKind::SetType { column, .. } => format!("alter {}: type", bare(column)),
        ActionKind::SetDefault { column, .. } => format!("alter {}: set default", bare(column)),
        ActionKind::DropDefault(column) => format!("alter {}: drop default", bare(column)),
        ActionKind::SetNotNull(column) => format!("alter {}: set not null", bare(column)),
        ActionKind::DropNotNull(column) => format!("alter {}: drop not null", bare(column)),
        ActionKind::DropColumn { name, .. } => format!("drop {}", bare(name)),
        ActionKind::DropConstraint { name, .. } => format!("drop constraint {}", bare(name)),
        ActionKind::RenameColumn { from, to } => format!("rename {} to {}", bare(from), bare(to)),
        ActionKind::RenameConstraint { .. } => "rename constraint".to_owned(),
        ActionKind::Rename(to) => format!("rename to {}", written(to)),
        ActionKind::Validate(name) => format!("validate {}", bare(name)),
        ActionKind::SetSchema(name) => format!("set schema {}", bare(name)),
        ActionKind::Attach { partition, .. } => format!("attach {}", written(partition)),
        ActionKind::Detach { partition, .. } => format!("detach {}", written(partition)),
        ActionKind::Opaque => "opaque".to_owned(),
        _ => "other".to_owned(),
    }
}

fn their_action(action: &AlterTableAction) -> String {
    let sql = action.syntax().text().to_string();
    let words: Vec<&str> = sql.split_whitespace().collect();
    // The first word that is not one of these keywords, such as `IF EXISTS`.
    let name_after = |keywords: &[&str]| {
        let is_keyword = |word: &&&str| keywords.iter().any(|keyword| word.eq_ignore_ascii_case(keyword));
        words.iter().find(|word| !is_keyword(word)).map_or_else(String::new, |word| bare(word))
    };
    let last = |count: usize| bare(words[words.len().saturating_sub(count)]);
    match action {
        AlterTableAction::AddColumn(column) => format!("add {}", text(column.column_name())),
        AlterTableAction::AddConstraint(constraint) => {
            let kind = constraint.constraint().map_or("", |constraint| match constraint {
                squawk_syntax::ast::Constraint::CheckConstraint(_) => "check",
                squawk_syntax::ast::Constraint::ExcludeConstraint(_) => "exclude",
                squawk_syntax::ast::Constraint::ForeignKeyConstraint(_) => "foreign key",
                squawk_syntax::ast::Constraint::NotNullConstraint(_) => "not null",
                squawk_syntax::ast::Constraint::PrimaryKeyConstraint(_) => "primary key",
                squawk_syntax::ast::Constraint::UniqueConstraint(_) => "unique",
                _ => "",
            });
            format!("add {kind}, not valid {}", bare(&sql).ends_with("notvalid"))
        }
        AlterTableAction::AlterColumn(_) => {
            let column = name_after(&["ALTER", "COLUMN"]);
            let clause = words.iter().position(|word| bare(word) == column).map_or(&words[..], |at| &words[at + 1..]);
            let clause = clause.join(" ").to_lowercase();
            let kinds = ["set default", "drop default", "set not null", "drop not null", "type", "set data type"];
            match kinds.into_iter().find(|kind| clause.starts_with(kind)) {
                Some("set data type") => format!("alter {column}: type"),
                Some(kind) => format!("alter {column}: {kind}"),
                None => "other".to_owned(),
            }
        }
        AlterTableAction::DropColumn(_) => format!("drop {}", name_after(&["DROP", "COLUMN", "IF", "EXISTS"])),
        AlterTableAction::DropConstraint(_) => {
            format!("drop constraint {}", name_after(&["DROP", "CONSTRAINT", "IF", "EXISTS"]))
        }
        AlterTableAction::RenameColumn(_) => format!("rename {} to {}", last(3), last(1)),
        AlterTableAction::RenameConstraint(_) => "rename constraint".to_owned(),
        AlterTableAction::TableRenameTo(_) => format!("rename to {}", last(1)),
        AlterTableAction::ValidateConstraint(_) => format!("validate {}", last(1)),
        AlterTableAction::SetSchema(_) => format!("set schema {}", last(1)),
        AlterTableAction::AttachPartition(_) => format!("attach {}", name_after(&["ATTACH", "PARTITION"])),
        AlterTableAction::DetachPartition(_) => format!("detach {}", name_after(&["DETACH", "PARTITION"])),
        _ => "other".to_owned(),
    }
}

/// Compares the statements of a text and adds the differences to the problems. Returns the number of compared statements.
fn compare(text: String, name: &str, problems: &mut Vec<String>) -> usize {
    let (script, _) = Script::read(text, name, Dialect::Postgres);
    let mut compared = 0;
    for statement in script.statements.iter() {
        let sql = statement.sql(&script.text);
        let Some(theirs) = theirs(sql) else { continue };
        let ours = ours(sql);
        let same = |(ours, theirs): (&String, &String)| ours == theirs || ours == "?";
        compared += 1;
        if ours.len() != theirs.len() || !ours.iter().zip(&theirs).all(same) {
            problems.push(format!("{name}:{}\n  ours:   {ours:?}\n  theirs: {theirs:?}\n  {sql}", statement.line));
        }
    }
    compared
}

#[test]
fn both_parsers_read_the_same() {
    let mut problems = Vec::new();
    let mut compared = 0;
    for rule in rules::ALL {
        let examples = rule.flagged.iter().chain(rule.not_flagged).filter(|example| example.dialect == Dialect::Postgres);
        for text in examples.flat_map(|example| example.files) {
            compared += compare(text.replace("--- down", ""), rule.code.name, &mut problems);
        }
    }
    assert!(compared > 500, "{compared} statements of examples");
    if let Some(corpus) = corpus() {
        let mut files = Vec::new();
        sql_files(&corpus, &mut files);
        for file in files {
            let Ok(text) = String::from_utf8(fs::read(&file).unwrap()) else { continue };
            compared += compare(text, &file.display().to_string(), &mut problems);
        }
        assert!(compared > 5_000, "{compared} statements");
    }
    assert!(problems.is_empty(), "{} of {compared} differ:\n{}", problems.len(), problems.join("\n"));
}
