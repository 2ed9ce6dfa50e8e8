//! The discovery service: applies its own migrations in the shared database and prints the result.

use migrate_runtime::{DatabaseUrl, MigrationSet, Migrator, embed_migrations};
use std::time::Duration;

static MIGRATIONS: MigrationSet = embed_migrations!();

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL").map_err(|_| "set DATABASE_URL to a PostgreSQL database")?;
    let url: DatabaseUrl = url.parse()?;
    Migrator::wait_for_database(&url, Duration::from_secs(60)).await?;
    let report = Migrator::new(&MIGRATIONS).run(&url).await?;
    println!("{}: {} applied, {} in all", MIGRATIONS.service(), report.done.len(), MIGRATIONS.len());
    Ok(())
}
