//! A new migration causes a rebuild of the binary that embeds the folder, without a `build.rs`. The test runs a real cargo.

use migrate_tests::{Binary, TestFolder};
use std::path::Path;
use std::process::Command;

fn run(folder: &TestFolder, target: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", target)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn a_new_file_rebuilds_and_an_edited_locked_file_does_not_compile() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE a (id integer);"), ("001_a.down.sql", "DROP TABLE a;")]);
    folder.write("migrate.toml", "database = \"sqlite\"\n");
    folder.write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\n\
             migrate-runtime = {{ path = {:?}, default-features = false }}\n[workspace]\n",
            root.join("migrate-runtime")
        ),
    );
    folder.write(
        "src/main.rs",
        "static MIGRATIONS: migrate_runtime::MigrationSet = migrate_runtime::embed_migrations!();\n\
         fn main() { for migration in &MIGRATIONS { println!(\"{}\", migration.title()); } }\n",
    );
    // The build uses the dependency versions of the workspace, and its own target folder that later runs reuse.
    std::fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    let target = root.join("target/tests/rebuild");
    let binary = Binary::inside(folder.path());
    binary.ok(&["init"]);
    let (built, text) = run(&folder, &target);
    assert!(built, "{text}");
    assert_eq!(text, "001_a.up.sql\n");

    binary.ok(&["new", "create", "b", "table"]);
    let (built, text) = run(&folder, &target);
    assert!(built, "{text}");
    assert_eq!(text, "001_a.up.sql\n002_create_b_table.up.sql\n");

    // A binary with an edited locked file does not compile.
    binary.ok(&["lock"]);
    folder.write("migrations/001_a.up.sql", "CREATE TABLE a (id bigint);");
    let (built, text) = run(&folder, &target);
    assert!(!built);
    assert!(text.contains("error[locked-file-changed]: `001_a.up.sql` was changed after it was locked"), "{text}");
    assert_eq!(text.matches("error: ").count(), 2, "one error, and the summary of cargo: {text}");
    folder.write("migrations/001_a.up.sql", "CREATE TABLE a (id integer);");
    let (built, text) = run(&folder, &target);
    assert!(built, "{text}");
}
