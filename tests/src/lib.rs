//! What the tests of the workspace share: throw-away databases, folders of migrations, the real binary, and a proxy that
//! counts messages.

mod binary;
mod database;
mod folder;
mod proxy;

pub use binary::{Binary, Outcome};
pub use database::{Kind, TestDatabase};
pub use folder::TestFolder;
pub use proxy::CountingProxy;
