//! The codes of this crate, for `cargo migrate explain`.

use migrate_model::code::Code;

/// Two packages have the same service name.
pub static DUPLICATE_SERVICE: Code = Code::new(
    "duplicate-service",
    "Two packages of the workspace have the same service name, under which the database records their applied migrations. Each package would treat the migrations of the other as its own. Set another name for one of them: `service = \"...\"` in its `migrate.toml`.",
);

/// All codes of this crate.
pub static ALL: &[&Code] = &[&DUPLICATE_SERVICE];
