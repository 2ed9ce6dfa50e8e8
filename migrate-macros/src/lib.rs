//! `embed_migrations!`: checks a folder of SQL migrations and embeds it in the application.
//!
//! `migrate-runtime` re-exports the macro for applications.

mod expansion;

use proc_macro::TokenStream;

/// Embeds the migrations of this package, their checksums and their split statements in the binary.
///
/// ```ignore
/// use migrate_runtime::{MigrationSet, embed_migrations};
///
/// static MIGRATIONS: MigrationSet = embed_migrations!();
/// static OTHERS: MigrationSet = embed_migrations!("migrations/archive");
/// ```
///
/// The argument is a folder relative to the folder of `Cargo.toml`. Without an argument, the macro uses the folders that `dir`
/// in `migrate.toml` specifies [default: `migrations`]. The value is a constant; no code runs at startup.
///
/// Invalid migrations do not compile: a missing up or down script, a duplicate version, an invalid name or directive, an empty
/// file, a locked file that was edited or deleted, a draft below the newest locked migration, a file that is not listed in
/// `migrate.lock`. Errors of safety rules in drafts are compile errors, too, and their warnings are compiler warnings. `lint`
/// in `migrate.toml` changes this: `"off"`, `"warn"` or `"deny"`. Each error shows the file, the line and the fix.
#[proc_macro]
pub fn embed_migrations(input: TokenStream) -> TokenStream {
    let folder = syn::parse_macro_input!(input as Option<syn::LitStr>);
    expansion::expand(folder.map(|folder| folder.value()).as_deref()).into()
}
