static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/ui/released_deleted");

fn main() {
    let _ = MIGRATIONS.len();
}
