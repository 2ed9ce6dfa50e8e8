static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/ui/below_released");

fn main() {
    let _ = MIGRATIONS.len();
}
