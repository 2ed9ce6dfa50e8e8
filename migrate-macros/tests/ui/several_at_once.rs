static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/ui/several_at_once");

fn main() {
    let _ = MIGRATIONS.len();
}
