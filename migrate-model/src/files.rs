//! What only the macro and the command need: reading folders, `migrate.toml` and the lock file, and checking them. An
//! application gets the result embedded, without this code.

pub mod boundary;
pub mod check;
pub mod codes;
pub mod folder;
pub mod lint_settings;
pub mod load;
pub mod lock_file;
pub mod parallel;
pub mod project;
pub mod regular_file;
pub mod settings;
