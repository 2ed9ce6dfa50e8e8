//! Migrations that compile, and what the program then contains. The folders are in `pass`.

// Nothing of the macro may depend on the name `migrate_runtime`, apart from the default path.
extern crate migrate_runtime as renamed;

use renamed::MigrationSet;

/// A framework that re-exports the crate, and passes its path to the macro.
mod framework {
    pub use migrate_runtime as migrate;
}

macro_rules! migrations {
    ($folder:literal) => {
        $crate::framework::migrate::embed_migrations!($folder, crate = $crate::framework::migrate)
    };
}

static GOOD: MigrationSet = migrate_runtime::embed_migrations!("tests/pass/good");
static OF_FRAMEWORK: MigrationSet = migrations!("tests/pass/good");
static OF_RENAMED: MigrationSet = renamed::embed_migrations!(concat!("tests", "/pass/", "good"), crate = renamed,);
static ALLOWED: MigrationSet = migrate_runtime::embed_migrations!("tests/pass/allowed_sql");

/// The rules are warnings here, which the compiler prints as uses of a deprecated name.
#[expect(deprecated, reason = "the warning is what this folder is for")]
mod warned {
    pub static WARNED: renamed::MigrationSet = migrate_runtime::embed_migrations!("tests/pass/lint_warn");
}

#[test]
fn a_set_is_embedded() {
    let latest = GOOD.latest().expect("one migration");
    assert_eq!(latest.title(), "001_create_a.up.sql");
    assert_eq!(latest.up.statements.len(), 1);
    assert_eq!(GOOD.service(), "shop");
}

#[test]
fn the_crate_may_have_another_path() {
    assert_eq!(OF_FRAMEWORK.digest(), GOOD.digest());
    assert_eq!(OF_RENAMED.digest(), GOOD.digest());
}

#[test]
fn what_is_allowed_or_only_warned_of_compiles() {
    assert_eq!(ALLOWED.len(), 2);
    assert_eq!(warned::WARNED.len(), 2);
}
