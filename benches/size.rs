//! The size that the runtime adds to a stripped release binary that already uses sqlx.

use migrate_benches::{command, lock, run, workspace, write_migrations};
use std::fs;
use std::path::Path;
use std::process::Command;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let packages = [("with", OURS), ("without", THEIRS)];
    write(folder.path(), "Cargo.toml", &WORKSPACE.replace("{members}", "\"with\", \"without\""));
    fs::copy(workspace().join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("the lock file");
    for (name, main) in packages {
        let package = folder.path().join(name);
        let runtime = workspace().join("migrate-runtime");
        let ours = format!("migrate-runtime = {{ path = {runtime:?}, default-features = false, features = [\"postgres\"] }}\n");
        let manifest = MANIFEST.replace("{name}", name) + if name == "with" { &ours } else { "" };
        write(&package, "Cargo.toml", &manifest);
        write(&package, "migrate.toml", "database = \"postgres\"\n");
        write(&package, "src/main.rs", main);
        write_migrations(&package.join("migrations"), 10, true);
    }
    lock(&command(), &folder.path().join("with/migrations"));
    let sizes = packages.map(|(name, _)| {
        run(Command::new(env!("CARGO"))
            .args(["build", "--release", "--quiet", "-p", name])
            .env_remove("CARGO_TARGET_DIR")
            .current_dir(&folder));
        fs::metadata(folder.path().join("target/release").join(name)).expect("the binary").len()
    });
    println!("with sqlx alone: {} bytes; with the runtime and ten migrations: {} bytes", sizes[1], sizes[0]);
    println!("added: {} KiB", sizes[0].saturating_sub(sizes[1]) / 1024);
}

const WORKSPACE: &str = "[workspace]\nresolver = \"3\"\nmembers = [{members}]\n\n[profile.release]\nstrip = \"symbols\"\n";

const MANIFEST: &str = "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
    sqlx = { version = \"0.9\", default-features = false, features = [\"postgres\", \"runtime-tokio\"] }\n\
    tokio = { version = \"1\", features = [\"rt\", \"macros\", \"time\"] }\n";

const THEIRS: &str = r#"
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), sqlx::Error> {
    let pool = sqlx::PgPool::connect(&std::env::args().nth(1).unwrap_or_default()).await?;
    sqlx::query("SELECT $1").bind(1).execute(&pool).await?;
    sqlx::raw_sql("SELECT 1").execute(&pool).await?;
    Ok(())
}
"#;

const OURS: &str = r#"
use migrate_runtime::{MigrationSet, Migrator, embed_migrations};

static MIGRATIONS: MigrationSet = embed_migrations!();

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = sqlx::PgPool::connect(&std::env::args().nth(1).unwrap_or_default()).await?;
    Migrator::new(&MIGRATIONS).run(&pool).await?;
    sqlx::query("SELECT $1").bind(1).execute(&pool).await?;
    sqlx::raw_sql("SELECT 1").execute(&pool).await?;
    Ok(())
}
"#;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("a file");
}
