//! What does not compile, and what the compiler then says. Each case is a file beside a folder of migrations of its name.

#[test]
fn what_would_fail_in_production_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
    cases.pass("tests/pass/*.rs");
}
