//! When the output is colored: the option `--color`, else the environment variable `CARGO_TERM_COLOR`, else only on a terminal.

use anstream::ColorChoice;
use clap::ValueEnum;
use std::ffi::OsString;

/// The value of `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// Only on a terminal, and not if the environment variable `NO_COLOR` is set.
    Auto,
    /// Also in a file or a pipe.
    Always,
    /// Nowhere.
    Never,
}

impl Color {
    /// The choice of a command line, also of one that is not valid. Errors about the command line have colors, too.
    pub fn of(arguments: &[OsString], environment: Option<&str>) -> Color {
        let arguments: Vec<_> = arguments.iter().map_while(|argument| argument.to_str().filter(|text| *text != "--")).collect();
        let separate = arguments.windows(2).filter(|pair| pair[0] == "--color").map(|pair| pair[1]);
        let attached = arguments.iter().filter_map(|argument| argument.strip_prefix("--color="));
        let word = separate.chain(attached).next_back().or(environment);
        // The parser reports a wrong value of the option. One of the variable, which belongs to Cargo, must not stop a command, and
        // `auto` writes no escape sequences into a file.
        word.and_then(|word| Color::from_str(word, false).ok()).unwrap_or(Color::Auto)
    }

    /// Sets the choice for everything that this process prints. Returns it for errors about the command line.
    pub fn apply(self) -> clap::ColorChoice {
        let (output, errors) = match self {
            Color::Auto => (ColorChoice::Auto, clap::ColorChoice::Auto),
            Color::Always => (ColorChoice::Always, clap::ColorChoice::Always),
            Color::Never => (ColorChoice::Never, clap::ColorChoice::Never),
        };
        output.write_global();
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_precedes_the_environment() {
        for (line, environment, expected) in [
            ("up", None, Color::Auto),
            ("up", Some("never"), Color::Never),
            ("up --color always", Some("never"), Color::Always),
            ("--color=never up", Some("always"), Color::Never),
            ("up --color pink", Some("always"), Color::Auto),
            ("up", Some("pink"), Color::Auto),
            ("new -- --color=never", None, Color::Auto),
        ] {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(Color::of(&arguments, environment), expected, "{line} {environment:?}");
        }
    }
}
