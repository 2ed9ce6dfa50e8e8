static MIGRATIONS: migrate_runtime::MigrationSet =
    migrate_runtime::embed_migrations!("../../../../migrate-macros/tests/pass/good");


fn main() {
    let latest = MIGRATIONS.latest().expect("one migration");
    assert_eq!(latest.title(), "001_create_a.up.sql");
    assert_eq!(latest.up.statements.len(), 1);
    assert_eq!(MIGRATIONS.service(), "shop");
}
