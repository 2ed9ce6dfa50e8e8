static MIGRATIONS: migrate_runtime::MigrationSet = migrate_runtime::embed_migrations!(include_str!("folder.txt"));

fn main() {
    let _ = MIGRATIONS.len();
}
