//! `owners`: shows which service owns each table.

use crate::command::Context;
use crate::shared_database;
use clap::Args;
use migrate_cli::CommandError;
use migrate_cli::Exit;
use migrate_cli::output::Cell;
use migrate_lint::owners::{self, TableOwnership, TableStatus};
use migrate_model::visible;
use serde_json::json;

/// Show which service owns each table: the service that lists the table under `owns` in `migrate.toml`, else the service whose migrations create the table
#[derive(Debug, Args)]
pub struct Arguments {
    /// Print the output as a Markdown table
    #[arg(long)]
    markdown: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut tables = Vec::new();
    for database in shared_database::of(context)? {
        tables.extend(owners::matrix(&database.services(), database.dialect));
    }
    let defined = |table: &TableOwnership| {
        table.defined_in.iter().map(|definition| format!("{}: {}", definition.service, definition.file)).collect::<Vec<_>>()
    };
    let owner = |table: &TableOwnership| table.owner.clone().unwrap_or_else(|| "in dispute".to_owned());
    if context.output.is_json() {
        let rows = tables.iter().map(|table| {
            let defined: Vec<_> = table
                .defined_in
                .iter()
                .map(|definition| json!({ "service": definition.service, "file": definition.file }))
                .collect();
            json!({ "table": table.table, "owner": table.owner, "defined_in": defined, "status": table.status.name() })
        });
        context.output.json(&json!({ "tables": rows.collect::<Vec<_>>() }));
    } else if arguments.markdown {
        context.output.data("| Table | Owner | Defined in | Status |");
        context.output.data("|---|---|---|---|");
        for table in &tables {
            let places: Vec<String> = defined(table).iter().map(|place| markdown(place)).collect();
            context.output.data(format!(
                "| {} | {} | {} | {} |",
                markdown_name(&table.table),
                markdown(&owner(table)),
                places.join("<br>"),
                table.status.name()
            ));
        }
    } else {
        let rows = tables.iter().map(|table| {
            let status = match table.status {
                TableStatus::Active => Cell::good(table.status.name()),
                TableStatus::Deprecated => Cell::pending(table.status.name()),
                TableStatus::Dropped => Cell::plain(table.status.name()),
            };
            let owner = match table.owner {
                Some(_) => Cell::plain(owner(table)),
                None => Cell::bad(owner(table)),
            };
            vec![Cell::plain(table.table.clone()), owner, Cell::lines(&defined(table)), status]
        });
        context.output.table(&["table", "owner", "defined in", "status"], rows.collect());
    }
    Ok(Exit::Done)
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
