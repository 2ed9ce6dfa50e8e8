//! The list of all codes of this crate, for `cargo migrate explain`.

use crate::code::Code;
use crate::{
    client_command, client_encoding, directives, divergence, enum_value, execution, finding_list, neighbors, read_only,
    requirements, script, set_builder, statement,
};

/// All of them, by name.
pub static ALL: &[&Code] = &[
    &divergence::AHEAD,
    &directives::BAD_DIRECTIVE,
    &set_builder::BAD_VERSION,
    &execution::CANNOT_RUN_IN_TRANSACTION,
    &divergence::CHANGED_AFTER_APPLY,
    &divergence::CHANGED_WHILE_PARTIALLY_APPLIED,
    &client_command::CLIENT_COMMAND,
    &client_encoding::CLIENT_ENCODING,
    &client_command::COPY_TO_STDOUT,
    &divergence::COSMETIC_CHANGE,
    &script::EMPTY_FILE,
    &enum_value::ENUM_VALUE_IN_USE,
    &neighbors::FOREIGN_HISTORY,
    &client_command::LISTEN_AND_NOTIFY,
    &client_command::LOAD_DATA_LOCAL,
    &directives::MARKED_FILE,
    &directives::MISPLACED_DIRECTIVE,
    &divergence::MISSING_FILE,
    &statement::NESTED_COMMENT,
    &divergence::NO_DOWN_MIGRATION,
    &neighbors::OTHER_SCHEMA,
    &neighbors::OTHER_SERVICE,
    &divergence::OUT_OF_ORDER,
    &divergence::PARTIALLY_APPLIED,
    &client_command::PSQL_COMMAND,
    &read_only::READ_ONLY_SESSION,
    &divergence::REQUIRES,
    &client_command::SQL_AFTER_COPY,
    &client_command::STATEMENT_BREAKPOINT,
    &divergence::STILL_REQUIRED,
    &finding_list::TOO_MANY_FINDINGS,
    &execution::UNBALANCED_TRANSACTION,
    &statement::UNKNOWN_QUOTING,
    &requirements::UNRESOLVED_REQUIREMENT,
    &directives::UNSUPPORTED_DIRECTIVE,
    &statement::UNTERMINATED,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_and_kebab_case() {
        for (at, code) in ALL.iter().enumerate() {
            assert!(code.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
            assert!(ALL[at + 1..].iter().all(|other| other.name != code.name), "{} twice", code.name);
            assert!(code.explanation.len() > 80, "{} is not explained", code.name);
        }
    }
}
