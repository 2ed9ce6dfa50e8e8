//! What the tests of the workspace share: throw-away databases, folders of migrations, the real binary, a proxy that
//! counts messages and breaks connections, a bench that cuts runs short, and measures of the code itself.

mod binary;
mod database;
mod folder;
pub mod interruptions;
mod proxy;
mod servers;
pub mod shape;

pub use binary::{Binary, Outcome};
pub use database::{Kind, TestDatabase, galera, pgbouncer, until};
pub use folder::TestFolder;
pub use proxy::{Cut, Proxy};
pub use servers::{Servers, read_only_disk, small_disk};
