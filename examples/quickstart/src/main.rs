//! One binary with embedded migrations: updates a SQLite database, prints the state of each migration, and reverts one.
//!
//! `cargo run -p quickstart` uses an in-memory database; `cargo run -p quickstart -- app.db` uses a file.

use migrate_runtime::{Error, MigrationSet, Migrator, Target, embed_migrations};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

static MIGRATIONS: MigrationSet = embed_migrations!();

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| ":memory:".to_owned());
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    // An in-memory database exists only as long as its connection, so the pool has exactly one.
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let migrator = Migrator::new(&MIGRATIONS);

    println!("before:");
    show(&migrator, &pool).await?;

    let report = migrator.run(&pool).await?;
    println!("\napplied {} of {} migrations:", report.done.len(), MIGRATIONS.len());
    show(&migrator, &pool).await?;

    sqlx::query("INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.org') ON CONFLICT DO NOTHING")
        .execute(&pool)
        .await?;
    println!("\nanother start has {} to do", migrator.run(&pool).await?.done.len());

    let report = migrator.run_to(&pool, &Target::Down(1)).await?;
    println!("\nreverted {}:", report.done.len());
    show(&migrator, &pool).await?;
    Ok(())
}

async fn show(migrator: &Migrator, pool: &SqlitePool) -> Result<(), Error> {
    for row in migrator.status(pool).await?.migrations() {
        println!("  {:<32} {}", row.title(), row.state.name());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use migrate_runtime::LockStrategy;

    /// A test with a database of its own. Without `migrations = false`, sqlx would apply the folder itself, and keep a history of
    /// its own.
    #[sqlx::test(migrations = false)]
    async fn users_have_an_email(pool: SqlitePool) -> Result<(), Box<dyn std::error::Error>> {
        Migrator::new(&MIGRATIONS).lock(LockStrategy::None).run(&pool).await?;
        sqlx::query("INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.org')").execute(&pool).await?;
        let emails: Vec<String> = sqlx::query_scalar("SELECT email FROM users").fetch_all(&pool).await?;
        assert_eq!(emails, ["ada@example.org"]);
        Ok(())
    }
}
