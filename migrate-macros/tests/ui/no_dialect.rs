static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/ui/no_dialect");

fn main() {
    let _ = MIGRATIONS.len();
}
