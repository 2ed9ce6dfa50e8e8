//! How the body of a migration runs, by kind: today SQL scripts.

pub mod script;
