//! The help texts of the binary: complete, at most 80 columns wide, and equal for both of its names.
//!
//! Because of this test, `cargo test` builds the binary, which the tests in `tests/` run.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cargo-migrate")).args(arguments).env("COLUMNS", "80").output().expect("the binary runs")
}

fn help(arguments: &[&str]) -> String {
    let output = run(&[arguments, &["--help"]].concat());
    assert!(output.status.success(), "{arguments:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}");
    let text = String::from_utf8(output.stdout).expect("help is UTF-8");
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{arguments:?}: {wide:?}");
    text
}

/// The names of the commands in a help text.
fn commands(help: &str) -> Vec<String> {
    let list = help.split_once("Commands:\n").map_or("", |(_, after)| after);
    let list = list.split("\n\n").next().unwrap_or_default();
    list.lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap_or_default().to_owned())
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn every_command_has_a_help_text() {
    let all = commands(&help(&[]));
    assert!(all.len() >= 15, "{all:?}");
    for name in &all {
        let text = help(&[name]);
        assert!(text.contains(&format!("cargo migrate {name}")), "{text}");
        assert_eq!(String::from_utf8_lossy(&run(&["help", name]).stdout), text);
        for subcommand in commands(&text) {
            help(&[name, &subcommand]);
        }
    }
}

#[test]
fn both_names_show_the_same_help() {
    assert_eq!(run(&["migrate", "--help"]).stdout, run(&["--help"]).stdout);
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let output = run(&["upp"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("up"), "the message suggests a command");
}
