//! The list of the codes of this crate that are no rules.

use crate::{allow, owners, survey};
use migrate_core::code::Code;

/// All of them, by name.
pub static ALL: [&Code; 5] = [
    &survey::BAD_RULE_SETTING,
    &owners::CONFLICTING_DEFINITION,
    &owners::DISPUTED_TABLE,
    &owners::FOREIGN_TABLE,
    &allow::UNUSED_ALLOW,
];
