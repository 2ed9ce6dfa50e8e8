//! The shape of the code in numbers: `cargo run -p migrate-tests --bin shape -- [FOLDER] [--list]`. FOLDER is a checkout of this
//! project, by default this one; `--list` also prints the source locations that each number counts.

use migrate_tests::shape::{Checkout, list, measures, table};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let (flags, folders): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    if folders.len() > 1 || flags.iter().any(|flag| flag != "--list") {
        eprintln!("usage: shape [FOLDER] [--list]");
        return ExitCode::from(2);
    }
    let here = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    match Checkout::read(&folders.first().map_or_else(here, PathBuf::from)) {
        Ok(checkout) => {
            let measures = measures(&checkout);
            print!("{}", table(&measures));
            if !flags.is_empty() {
                print!("{}", list(&measures));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
