//! What every command receives besides its own arguments.

use crate::output::Output;
use crate::service::ServiceSource;

/// What every command receives besides its own arguments.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Prints messages, findings and data.
    pub output: &'a Output,
    /// Answers with the services and databases that the command works on.
    pub source: &'a dyn ServiceSource,
    /// Whether all questions are answered with yes.
    pub assume_yes: bool,
}

impl Context<'_> {
    /// Asks before something that may cause data loss; without a terminal, `--yes` must confirm it.
    ///
    /// # Errors
    /// If no terminal is available and the command line does not confirm.
    pub fn confirm(&self, question: &str, unconfirmed: impl FnOnce() -> String) -> Result<bool, crate::CommandError> {
        if self.assume_yes {
            return Ok(true);
        }
        let answer = self.output.confirm(question);
        answer.ok_or_else(|| crate::CommandError::usage(unconfirmed()).help("to confirm, add `--yes`"))
    }
}
