//! Which service a table belongs to.

use migrate_core::code::Code;

/// The codes of this room.
pub static CODES: [&Code; 0] = [];
