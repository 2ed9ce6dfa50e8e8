//! Shared parts of the tests: temporary databases and folders, the real binary, servers for one test, a proxy that counts
//! messages and closes connections, interrupted runs, and measures of the source code.

mod binary;
pub mod client;
mod database;
mod folder;
pub mod interruptions;
mod proxy;
mod servers;
pub mod shape;
pub mod terminal;

pub use binary::{Binary, Outcome};
pub use database::{Kind, TestDatabase, galera, pgbouncer, until};
pub use folder::TestFolder;
pub use proxy::{Disconnect, FalseAnswer, Proxy};
pub use servers::{Servers, read_only_disk, small_disk};
