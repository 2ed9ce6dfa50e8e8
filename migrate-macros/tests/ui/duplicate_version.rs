static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/ui/duplicate_version");

fn main() {
    let _ = MIGRATIONS.len();
}
