static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/pass/allowed_sql");

fn main() {
    assert_eq!(MIGRATIONS.len(), 2);
}
