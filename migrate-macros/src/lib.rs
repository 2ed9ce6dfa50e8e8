//! `embed_migrations!`: checks a folder of SQL migrations and embeds it in the application.
//!
//! `migrate-runtime` re-exports the macro for applications.

mod arguments;
mod expansion;

use proc_macro::TokenStream;

/// Embeds the migrations of this package, their checksums and their split statements in the binary.
///
/// ```
/// use migrate_runtime::{MigrationSet, embed_migrations};
///
/// // `embed_migrations!()` reads the folder `migrations` of the package.
/// static MIGRATIONS: MigrationSet = embed_migrations!("tests/pass/good");
///
/// assert_eq!(MIGRATIONS.len(), 1);
/// ```
///
/// The first argument is a folder relative to the folder of `Cargo.toml`: a string, or `concat!` of strings and `env!`. Without it,
/// the macro uses the folders that `dir` in `migrate.toml` specifies [default: `migrations`]. The value is a constant; no code runs
/// at startup.
///
/// The result names the crate `::migrate_runtime`. If the dependency is renamed, or another crate re-exports it, pass its path:
///
/// ```
/// // In a framework, and in the macro that it offers:
/// pub use migrate_runtime as migrate;
/// macro_rules! migrations {
///     ($folder:literal) => { $crate::migrate::embed_migrations!($folder, crate = $crate::migrate) };
/// }
///
/// static MIGRATIONS: migrate::MigrationSet = migrations!("tests/pass/good");
/// # fn main() { assert_eq!(MIGRATIONS.service(), "shop"); }
/// ```
///
/// Invalid migrations do not compile: a missing up or down script, a duplicate version, an invalid name or directive, an empty
/// file, a locked file that was edited or deleted, a draft below the newest locked migration, a file that is not listed in
/// `migrate.lock`. Errors of safety rules in drafts are compile errors, too, and their warnings are compiler warnings. `lint`
/// in `migrate.toml` changes this: `"off"`, `"warn"` or `"deny"`. Each error shows the file, the line and the fix.
#[proc_macro]
pub fn embed_migrations(input: TokenStream) -> TokenStream {
    expansion::expand(&syn::parse_macro_input!(input as arguments::Arguments)).into()
}
