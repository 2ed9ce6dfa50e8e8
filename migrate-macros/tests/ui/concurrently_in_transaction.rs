static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/ui/concurrently_in_transaction");

fn main() {
    let _ = MIGRATIONS.len();
}
