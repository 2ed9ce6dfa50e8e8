//! `embed_migrations!`: a folder of SQL migrations, checked and compiled into the application.
//!
//! Applications use it through `migrate-runtime`, which re-exports it.

mod expansion;

use proc_macro::TokenStream;

/// Puts the migrations of this package, their checksums and their split statements into the binary.
///
/// ```ignore
/// use migrate_runtime::{MigrationSet, embed_migrations};
///
/// static MIGRATIONS: MigrationSet = embed_migrations!();
/// static OTHERS: MigrationSet = embed_migrations!("migrations/archive");
/// ```
///
/// Without an argument the folder is `migrations`, or what `dir` in `migrate.toml` says; with one it is that folder,
/// relative to `Cargo.toml`. The value is a constant; nothing runs at start-up.
///
/// What would fail in production does not compile: a missing pair, a version twice, a name or a directive that cannot be
/// read, an empty file, a released file that was edited or deleted, a new one below the newest released, a file that
/// `migrate.lock` does not know. So does what a safety rule of level error finds in a draft; warnings become warnings of the
/// compiler (`lint = "off"`, `"warn"` or `"deny"` in `migrate.toml`). Each error shows the file, the line and what to run.
#[proc_macro]
pub fn embed_migrations(input: TokenStream) -> TokenStream {
    let folder = syn::parse_macro_input!(input as Option<syn::LitStr>);
    expansion::expand(folder.map(|folder| folder.value()).as_deref()).into()
}
