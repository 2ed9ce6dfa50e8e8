//! What does not compile, and what the compiler then says. Each case is a file beside a folder of migrations of its name.

#[test]
fn invalid_migrations_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
    cases.pass("tests/pass/*.rs");
}
