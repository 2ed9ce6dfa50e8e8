//! `owners`: which service each table belongs to.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::output::Cell;
use crate::shared_database;
use clap::Args;
use migrate_lint::owners::{self, TableOwnership, TableStatus};
use serde_json::json;

/// Show which service each table belongs to
#[derive(Debug, Args)]
pub struct Arguments {
    /// As a table in Markdown, for a document
    #[arg(long)]
    markdown: bool,
}

/// Runs it.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut all = Vec::new();
    for sharing in shared_database::of(context)? {
        all.extend(owners::matrix(&sharing.services(), sharing.dialect));
    }
    let defined = |own: &TableOwnership| {
        own.defined_in.iter().map(|definition| format!("{}: {}", definition.service, definition.file)).collect::<Vec<_>>()
    };
    let owner = |own: &TableOwnership| own.owner.clone().unwrap_or_else(|| "in dispute".to_owned());
    if context.output.is_json() {
        let tables = all.iter().map(|own| {
            let defined: Vec<_> = own
                .defined_in
                .iter()
                .map(|definition| json!({ "service": definition.service, "file": definition.file }))
                .collect();
            json!({ "table": own.table, "owner": own.owner, "defined_in": defined, "status": own.status.name() })
        });
        context.output.json(&json!({ "tables": tables.collect::<Vec<_>>() }));
    } else if arguments.markdown {
        context.output.data("| Table | Owner | Defined in | Status |");
        context.output.data("|---|---|---|---|");
        for own in &all {
            let escaped = |text: String| text.replace('|', "\\|");
            context.output.data(format!(
                "| `{}` | {} | {} | {} |",
                escaped(own.table.clone()),
                escaped(owner(own)),
                escaped(defined(own).join("<br>")),
                own.status.name()
            ));
        }
    } else {
        let rows = all.iter().map(|own| {
            let status = match own.status {
                TableStatus::Active => Cell::good(own.status.name()),
                TableStatus::Deprecated => Cell::pending(own.status.name()),
                TableStatus::Dropped => Cell::plain(own.status.name()),
            };
            let owner = match own.owner {
                Some(_) => Cell::plain(owner(own)),
                None => Cell::bad(owner(own)),
            };
            vec![Cell::plain(own.table.clone()), owner, Cell::plain(defined(own).join("\n")), status]
        });
        context.output.table(&["table", "owner", "defined in", "status"], rows.collect());
    }
    Ok(Exit::Done)
}
