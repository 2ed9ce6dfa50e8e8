static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/ui/unknown_file");

fn main() {
    let _ = MIGRATIONS.len();
}
