static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/ui/unsafe_sql");

fn main() {
    let _ = MIGRATIONS.len();
}
