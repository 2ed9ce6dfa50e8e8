//! Migrations that must not compile, with the expected compiler messages. Each case is a file and a folder of the same name.

#[test]
fn invalid_migrations_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
