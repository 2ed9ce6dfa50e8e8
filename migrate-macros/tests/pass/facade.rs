//! A framework that re-exports the crate, and passes its path to the macro.

mod framework {
    pub use migrate_runtime as migrate;
}

macro_rules! migrations {
    ($folder:literal) => {
        $crate::framework::migrate::embed_migrations!($folder, crate = $crate::framework::migrate)
    };
}

// No `::migrate_runtime` is in scope here under this name.
extern crate migrate_runtime as renamed;

static OF_FRAMEWORK: renamed::MigrationSet = migrations!("../../../../migrate-macros/tests/pass/good");
static OF_RENAMED: renamed::MigrationSet =
    renamed::embed_migrations!(concat!("../../../../migrate-macros/tests", "/pass/", "good"), crate = renamed,);

fn main() {
    assert_eq!(OF_FRAMEWORK.digest(), OF_RENAMED.digest());
    assert_eq!(OF_RENAMED.len(), 1);
}
