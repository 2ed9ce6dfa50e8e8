//! The picture of a terminal in the README, drawn from the real output of the binary. Only times are replaced.

use crate::{Binary, TestFolder};
use std::fmt::Write as _;

/// The colors of the terminal, by the last digit of the code that selects them (30 to 37).
const COLORS: [&str; 8] = ["#57606a", "#ff7b72", "#7ee787", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#e6edf3"];

/// The size of a character, in pixels.
const WIDTH: f32 = 8.4;
const HEIGHT: usize = 19;

/// How the next characters look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    color: &'static str,
    weight: &'static str,
}

const PLAIN: Look = Look { color: "#e6edf3", weight: "normal" };

/// The picture.
///
/// # Panics
/// If a command does not run.
pub fn picture() -> String {
    let lines: Vec<String> = session();
    let columns = lines.iter().map(|line| spans(line).iter().map(|(_, text)| text.chars().count()).sum::<usize>()).max();
    let (width, height) = (columns.unwrap_or_default() as f32 * WIDTH + 32.0, lines.len() * HEIGHT + 32);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height}\" font-family=\"ui-monospace, \
         'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\" role=\"img\">\n\
         <title>cargo migrate in a terminal: a finding of lint, then up and status</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let _ = write!(svg, "<text x=\"16\" y=\"{}\" xml:space=\"preserve\">", 30 + number * HEIGHT);
        for (look, text) in spans(line) {
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let _ = write!(svg, "<tspan fill=\"{}\" font-weight=\"{}\">{text}</tspan>", look.color, look.weight);
        }
        svg.push_str("</text>\n");
    }
    svg + "</svg>\n"
}

/// The lines of the terminal.
fn session() -> Vec<String> {
    let postgres =
        TestFolder::new(&[("001_create_orders.up.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint);\n")]);
    postgres.write("migrate.toml", "service = \"shop\"\ndatabase = \"postgres\"\ndown = \"optional\"\n");
    let linter = Binary::inside(postgres.path());
    linter.ok(&["lock", "--draft"]);
    linter.ok(&["lock"]);
    postgres.write("migrations/002_index_orders.up.sql", "CREATE INDEX orders_customer ON orders (customer);\n");
    linter.ok(&["lock", "--draft"]);
    let sqlite = TestFolder::new(&[]);
    sqlite.write("migrate.toml", "service = \"shop\"\ndatabase = \"sqlite\"\n");
    let url = format!("sqlite:{}", sqlite.path().join("app.db").display());
    let binary = Binary::inside(sqlite.path()).variable("DATABASE_URL", &url);
    let mut lines = Vec::new();
    for (binary, arguments) in [
        (&linter, &["lint"][..]),
        (&binary, &["new", "create users name:text email:text:unique"]),
        (&binary, &["up"]),
        (&binary, &["status"]),
    ] {
        let outcome = binary.run(&[arguments, &["--color", "always"]].concat());
        let words: Vec<String> =
            arguments.iter().map(|word| if word.contains(' ') { format!("\"{word}\"") } else { (*word).to_owned() }).collect();
        lines.push(format!("\u{1b}[32m$\u{1b}[0m \u{1b}[1mcargo migrate {}\u{1b}[0m", words.join(" ")));
        let text = format!("{}{}", outcome.stdout, outcome.stderr);
        lines.extend(text.trim_end().lines().map(without_times));
        lines.push(String::new());
    }
    lines.pop();
    lines
}

/// The line with fixed times, so that each drawing is the same.
fn without_times(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for at in 1..words.len() {
        let is_date = words[at - 1].len() == 10 && words[at - 1].matches('-').count() == 2;
        if words[at].starts_with("ms") {
            let start = words[at - 1].trim_end_matches(|letter: char| letter.is_ascii_digit()).to_owned();
            words[at - 1] = format!("{start}2");
        } else if is_date && words[at].matches(':').count() == 2 {
            (words[at - 1], words[at]) = ("2026-11-21".to_owned(), "15:35:34".to_owned());
        }
    }
    words.join(" ").trim_end().to_owned()
}

/// The parts of a line that look the same.
fn spans(line: &str) -> Vec<(Look, &str)> {
    let (mut look, mut spans, mut rest) = (PLAIN, Vec::new(), line);
    while let Some((text, sequence)) = rest.split_once("\u{1b}[") {
        spans.push((look, text));
        let (codes, after) = sequence.split_once('m').unwrap_or((sequence, ""));
        let numbers: Vec<usize> = codes.split(';').map(|code| code.parse().unwrap_or_default()).collect();
        match numbers.as_slice() {
            // One of the 16 colors in the notation for 256.
            [.., 38, 5, color] if *color < 16 => look.color = COLORS[color % 8],
            numbers => numbers.iter().for_each(|number| look = changed(look, *number)),
        }
        rest = after;
    }
    spans.push((look, rest));
    spans.retain(|(_, text)| !text.is_empty());
    spans
}

fn changed(look: Look, code: usize) -> Look {
    match code {
        0 => PLAIN,
        1 => Look { weight: "bold", ..look },
        30..=37 | 90..=97 => Look { color: COLORS[code % 10], ..look },
        39 => Look { color: PLAIN.color, ..look },
        _ => look,
    }
}
