static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/ui/missing_pair");

fn main() {
    let _ = MIGRATIONS.len();
}
