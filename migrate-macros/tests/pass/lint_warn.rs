static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/pass/lint_warn");

fn main() {
    assert_eq!(MIGRATIONS.len(), 2);
}
