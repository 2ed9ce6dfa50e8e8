//! `owners`: shows which service owns each table.

use crate::command::Context;
use crate::shared_database::{self, Member};
use clap::Args;
use migrate_cli::CommandError;
use migrate_cli::Exit;
use migrate_cli::output::Cell;
use migrate_lint::owners::{self, TableDefinition, TableOwnership, TableStatus};
use migrate_model::visible;
use serde_json::json;
use std::collections::BTreeSet;

/// Show which service owns each table: the service that lists the table under `owns` in `migrate.toml` or to which it was handed over, else the service whose migrations create the table
///
/// The migrations of all services of the workspace that share the database are read in the order in which they run. A table that is
/// created again after it was dropped has a row of its own.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Print the output as a Markdown table
    #[arg(long)]
    markdown: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut tables = Vec::new();
    let mut databases = Vec::new();
    for database in shared_database::of(context)? {
        let names = |is_wanted: fn(&Member) -> bool| -> Vec<String> {
            let members = database.members.iter().filter(|member| is_wanted(member));
            members.map(|member| member.project.service.clone()).collect()
        };
        let selected = names(Member::is_selected);
        let is_of_selected = |table: &TableOwnership| {
            let services = table.defined_in.iter().map(|definition| &definition.service).chain(&table.owner);
            services.into_iter().any(|service| selected.contains(service))
        };
        let mut all = owners::matrix(&database.services(), database.dialect);
        // Also the tables that had the name before.
        let wanted: BTreeSet<String> =
            all.iter().filter(|table| is_of_selected(table)).map(|table| table.table.clone()).collect();
        all.retain(|table| wanted.contains(&table.table));
        tables.append(&mut all);
        databases.push(names(|_| true));
    }
    if context.output.is_json() {
        let rows: Vec<_> = tables.iter().map(table_json).collect();
        context.output.json(&json!({ "databases": databases, "tables": rows }));
        return Ok(Exit::Done);
    }
    if arguments.markdown {
        context.output.data("| Table | Owner | Defined in | Status |");
        context.output.data("|---|---|---|---|");
        for table in &tables {
            let lines = |lines: &[String]| lines.iter().map(|line| markdown(line)).collect::<Vec<_>>().join("<br>");
            context.output.data(format!(
                "| {} | {} | {} | {} |",
                markdown_name(&table.table),
                markdown(owner(table)),
                lines(&defined(table)),
                lines(&status(table))
            ));
        }
    } else {
        let rows = tables.iter().map(|table| {
            let lines = status(table);
            let (first, rest) = lines.split_first().map_or(("", [].as_slice()), |(first, rest)| (first.as_str(), rest));
            let cell = match table.status {
                TableStatus::Active => Cell::good(first),
                TableStatus::Deprecated => Cell::pending(first),
                TableStatus::Dropped => Cell::plain(first),
            };
            let status = cell.with_lines(rest);
            let owner = if table.owner.is_some() { Cell::plain(owner(table)) } else { Cell::bad(owner(table)) };
            vec![Cell::plain(table.table.clone()), owner, Cell::lines(&defined(table)), status]
        });
        context.output.table(&["table", "owner", "defined in", "status"], rows.collect());
    }
    for services in databases.iter().filter(|services| services.len() > 1) {
        context.output.message(format!("these services share a database: {}", services.join(", ")));
    }
    Ok(Exit::Done)
}

fn owner(table: &TableOwnership) -> &str {
    table.owner.as_deref().unwrap_or("in dispute")
}

fn place(definition: &TableDefinition) -> String {
    format!("{}: {}", definition.service, definition.file)
}

fn defined(table: &TableOwnership) -> Vec<String> {
    table.defined_in.iter().map(place).collect()
}

/// The status, with the migrations that have led to it.
fn status(table: &TableOwnership) -> Vec<String> {
    let by = |at: &TableDefinition| format!("by {}", place(at));
    let dropped = table.dropped_in.as_ref().map(|at| format!("dropped {}", by(at)));
    let deprecated = table.deprecated_in.as_ref().map(|at| format!("deprecated {}", by(at)));
    let active = (table.status == TableStatus::Active).then(|| table.status.name().to_owned());
    [active, dropped, deprecated, table.reason.clone()].into_iter().flatten().collect()
}

fn table_json(table: &TableOwnership) -> serde_json::Value {
    let place = |definition: &TableDefinition| json!({ "service": definition.service, "file": definition.file });
    json!({
        "table": table.table,
        "owner": table.owner,
        "defined_in": table.defined_in.iter().map(place).collect::<Vec<_>>(),
        "status": table.status.name(),
        "deprecated_in": table.deprecated_in.as_ref().map(place),
        "reason": table.reason,
        "dropped_in": table.dropped_in.as_ref().map(place),
    })
}

/// A cell of a Markdown table: what Markdown or HTML would obey is written as its code.
fn markdown(text: &str) -> String {
    let mut cell = String::new();
    for letter in visible::one_line(text).chars() {
        match letter {
            '&' | '<' | '>' | '|' | '`' | '*' | '[' | ']' | '\\' | '~' | '@' | '!' => {
                cell.push_str(&format!("&#{};", u32::from(letter)))
            }
            letter => cell.push(letter),
        }
    }
    cell
}

/// A name in a cell of a Markdown table, as code.
fn markdown_name(name: &str) -> String {
    let cell = markdown(name);
    if cell == name { format!("`{name}`") } else { format!("<code>{cell}</code>") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_markdown_are_escaped() {
        assert_eq!(markdown_name("shop.orders"), "`shop.orders`");
        assert_eq!(markdown_name("a|b`<img src=x>"), "<code>a&#124;b&#96;&#60;img src=x&#62;</code>");
        assert_eq!(markdown("x\n| y | [z](u)\u{202e} &amp;"), "x&#92;n&#124; y &#124; &#91;z&#93;(u)&#92;u{202e} &#38;amp;");
    }
}
