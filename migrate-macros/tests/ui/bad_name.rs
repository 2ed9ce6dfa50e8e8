static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/ui/bad_name");

fn main() {
    let _ = MIGRATIONS.len();
}
