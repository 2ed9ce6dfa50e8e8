//! `embed_migrations!` of thousands of files in a dev build, compared with `sqlx::migrate!` of the same files.
//!
//! Both also run with two files. The difference is the build time that the other files add.

use migrate_benches::{Contestant, command, in_turns, lock, print, run, workspace, write_migrations};
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The default number of files; `cargo bench --bench expansion -- 1000` sets another. Half of the files are down migrations.
const FILES: usize = 5_000;
const ROUNDS: usize = 5;

fn main() {
    let count = env::args().find_map(|argument| argument.parse().ok()).unwrap_or(FILES) / 2;
    let folder = tempfile::tempdir().expect("a folder");
    let packages =
        [("embed", OURS, count), ("sqlx-migrate", THEIRS, count), ("embed-two", OURS, 1), ("sqlx-migrate-two", THEIRS, 1)];
    let members = packages.map(|(name, ..)| format!("\"{name}\""));
    write(folder.path(), "Cargo.toml", &format!("[workspace]\nresolver = \"3\"\nmembers = [{}]\n", members.join(", ")));
    fs::copy(workspace().join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("the lock file");
    for (name, main, count) in packages {
        let package = folder.path().join(name);
        write(&package, "Cargo.toml", &manifest(name));
        write(&package, "migrate.toml", "database = \"postgres\"\n");
        write(&package, "src/main.rs", main);
        write_migrations(&package.join("migrations"), count, true);
    }
    for name in ["embed", "embed-two"] {
        lock(&command(), &folder.path().join(name).join("migrations"));
    }
    for action in ["check", "build"] {
        let contestants: Vec<Contestant<'_>> = packages
            .map(|(name, ..)| {
                build(folder.path(), action, name);
                let time: Box<dyn FnMut() -> Duration> = Box::new({
                    let folder = folder.path().to_owned();
                    move || {
                        let main = folder.join(name).join("src/main.rs");
                        let text = fs::read_to_string(&main).expect("the source");
                        fs::write(&main, format!("{text}// Changed.\n")).expect("a file");
                        build(&folder, action, name)
                    }
                });
                (name.to_owned(), time)
            })
            .into();
        let figures = in_turns(ROUNDS, contestants);
        print(&format!("cargo {action}, {} files", count * 2), &figures);
        let (many, two) = figures.split_at(2);
        for (many, two) in many.iter().zip(two) {
            println!(
                "{}: {:.0} ms more than with two files",
                many.name,
                many.median().saturating_sub(two.median()).as_secs_f64() * 1e3
            );
        }
        println!();
    }
}

const OURS: &str = "use migrate_runtime::{MigrationSet, embed_migrations};\nstatic MIGRATIONS: MigrationSet = embed_migrations!();\nfn main() {\n    println!(\"{}\", MIGRATIONS.len());\n}\n";
const THEIRS: &str = "static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();\nfn main() {\n    println!(\"{}\", MIGRATIONS.iter().count());\n}\n";

fn manifest(name: &str) -> String {
    let runtime = workspace().join("migrate-runtime");
    let dependency = match name {
        _ if name.starts_with("embed") => format!("migrate-runtime = {{ path = {runtime:?}, default-features = false, features = [\"postgres\"] }}\n"),
        _ => "sqlx = { version = \"0.9\", default-features = false, features = [\"migrate\", \"macros\", \"postgres\", \"runtime-tokio\"] }\n".to_owned(),
    };
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}")
}

fn build(folder: &Path, action: &str, name: &str) -> Duration {
    run(Command::new(env!("CARGO")).args([action, "--quiet", "-p", name]).env_remove("CARGO_TARGET_DIR").current_dir(folder))
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("a file");
}
