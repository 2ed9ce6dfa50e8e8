//! A service on PostgreSQL: waits for the database, starts to listen, applies its migrations, and reports readiness only
//! when the database is up to date.
//!
//! ```console
//! DATABASE_URL=postgres://user:password@localhost/notes cargo run -p web-service
//! curl localhost:8080/live      # 200 while the process runs: a liveness probe must not end a long migration
//! curl localhost:8080/ready     # 200 when every migration is applied, otherwise 503
//! curl localhost:8080/notes
//! ```

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use migrate_runtime::{MigrationSet, Migrator, embed_migrations};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::time::Duration;

static MIGRATIONS: MigrationSet = embed_migrations!();

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let url = std::env::var("DATABASE_URL").map_err(|_| "set DATABASE_URL to a PostgreSQL database")?;
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());

    // In a container environment, the database may start after this service.
    Migrator::wait_for_database(&url.parse()?, Duration::from_secs(60)).await?;
    let pool = PgPool::connect(&url).await?;

    let listener = tokio::net::TcpListener::bind(&address).await?;
    tracing::info!("listening on {}", listener.local_addr()?);
    let router = Router::new()
        .route("/live", get(|| async { "ok" }))
        .route("/ready", get(ready))
        .route("/notes", get(notes))
        .with_state(pool.clone());
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        let _ = tokio::signal::ctrl_c().await;
    });
    let server = tokio::spawn(server.into_future());

    // When several instances start at the same time, one applies the migrations and the others wait for it.
    let report = Migrator::new(&MIGRATIONS).run(&pool).await?;
    tracing::info!("{} migrations applied", report.done.len());
    server.await??;
    Ok(())
}

/// Sends one query when every migration is applied.
async fn ready(State(pool): State<PgPool>) -> (StatusCode, Json<Value>) {
    match Migrator::new(&MIGRATIONS).is_up_to_date(&pool).await {
        Ok(true) => (StatusCode::OK, Json(json!({ "ready": true, "schema": MIGRATIONS.latest().map(|latest| latest.title()) }))),
        Ok(false) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "reason": "migrations are pending" }))),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "reason": error.message() }))),
    }
}

async fn notes(State(pool): State<PgPool>) -> Result<Json<Vec<String>>, StatusCode> {
    let notes = sqlx::query_scalar("SELECT text FROM notes ORDER BY created_at").fetch_all(&pool).await;
    notes.map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
