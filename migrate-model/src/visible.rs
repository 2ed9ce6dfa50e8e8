//! Text of files, names, histories and servers as it is shown: characters that a terminal or a reader of code would obey
//! instead of showing are written as their code.
//!
//! All output for people passes here, and all findings, so that no text can erase, hide or reorder what is around it. The log of
//! a CI system is also a channel of commands: a line of a file must not set a variable of the build, or hide the findings.

use crate::finding::Finding;
use crate::place::Place;
use std::borrow::Cow;
use std::ops::Range;

/// Whether a character has an effect instead of a form: controls of terminals (C0 and C1), of the direction of text, and
/// characters without a width. Those that join letters are left, because languages and symbols need them.
pub fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffc}' | '\u{13430}'..='\u{1343f}' | '\u{1d159}' | '\u{e0000}'..='\u{e0fff}')
}

/// A text of several lines: line ends and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    lines_with(text, CommandFilter::All)
}

/// Like [`lines`], for a text that is a command for GitHub Actions.
pub fn ci_command(text: &str) -> Cow<'_, str> {
    lines_with(text, CommandFilter::Marked)
}

/// A line that consists of visible texts and colors: together, the texts are not a command for a CI system.
pub fn without_commands(line: &str) -> Cow<'_, str> {
    if !has_command(line, CommandFilter::All) {
        return Cow::Borrowed(line);
    }
    Cow::Owned(escaped(line, 0..line.len(), CommandFilter::All, |_| true))
}

/// Which commands for CI systems in a text are made ineffective.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CommandFilter {
    All,
    /// Those of other systems than GitHub Actions.
    Marked,
}

impl CommandFilter {
    fn has(self, letter: char) -> bool {
        letter == '#' || (letter == ':' && self == CommandFilter::All)
    }
}

fn lines_with(text: &str, filter: CommandFilter) -> Cow<'_, str> {
    let mut letters = text.split("\r\n").flat_map(str::chars);
    let has_hidden = letters.any(|letter| is_hidden(letter) && !"\n\t".contains(letter));
    if !has_hidden && !has_command(text, filter) {
        return Cow::Borrowed(text);
    }
    let visible = |part: &str| escaped(part, 0..part.len(), filter, |letter| "\n\t".contains(letter));
    let parts: Vec<String> = text.split("\r\n").map(visible).collect();
    Cow::Owned(parts.join("\r\n"))
}

/// A text of one line, such as a name: no line end stays.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) && !has_command(text, CommandFilter::All) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escaped(text, 0..text.len(), CommandFilter::All, |_| false))
}

/// A part of a text.
fn escaped(text: &str, range: Range<usize>, filter: CommandFilter, is_kept: fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(range.len() + 16);
    let part = text.get(range.clone()).unwrap_or_default();
    for (at, letter) in part.char_indices() {
        match letter {
            '#' | ':' if filter.has(letter) && is_command(text, range.start + at) => escaped.extend(letter.escape_unicode()),
            '\n' if !is_kept(letter) => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            letter if is_hidden(letter) && !is_kept(letter) => escaped.extend(letter.escape_unicode()),
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn has_command(text: &str, filter: CommandFilter) -> bool {
    let mut marks = text.char_indices().filter(|(_, letter)| filter.has(*letter));
    (text.contains("##") || text.contains("::")) && marks.any(|(at, _)| is_command(text, at))
}

/// Whether a CI system executes a command that starts at this byte. GitHub reads `::name::` at the start of a line and `##[name]`
/// anywhere (actions/runner, `ActionCommand.cs`), Azure Pipelines reads `##vso[` anywhere (its "Logging commands"), and TeamCity
/// `##teamcity[` ("Service messages").
fn is_command(text: &str, at: usize) -> bool {
    let rest = &text[at..];
    if let Some(name) = rest.strip_prefix("##") {
        let starts_with = |word: &str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        return ["[", "vso[", "teamcity["].into_iter().any(starts_with);
    }
    let Some(command) =
        rest.strip_prefix("::").filter(|command| command.starts_with(|letter: char| letter.is_ascii_alphabetic()))
    else {
        return false;
    };
    let line = command.split(['\n', '\r']).next().unwrap_or_default();
    let before = text[..at].rsplit(['\n', '\r']).next().unwrap_or_default();
    before.trim_start().is_empty() && line.contains("::")
}

/// A JSON text in which no character is hidden: the same document, with escapes.
pub fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        if (!is_hidden(letter) || letter == '\n') && !(letter == '#' && is_command(text, at)) {
            escaped.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            escaped.push_str(&format!("\\u{unit:04x}"));
        }
    }
    escaped
}

/// A finding whose texts are visible.
pub fn finding(finding: &Finding) -> Cow<'_, Finding> {
    let Finding { message, place, notes, help, .. } = finding;
    let is_visible = |text: &String| matches!(lines(text), Cow::Borrowed(_));
    let is_visible_place = |place: &Place| {
        let span = place.span.as_ref();
        !place.file.chars().chain(span.into_iter().flat_map(|span| span.line_text.chars())).any(is_hidden_in_line)
            && !has_command(&place.file, CommandFilter::All)
            && !span.is_some_and(|span| has_command(&span.line_text, CommandFilter::All))
    };
    let mut texts = [message].into_iter().chain(notes).chain(help);
    if texts.all(is_visible) && place.as_ref().is_none_or(is_visible_place) {
        return Cow::Borrowed(finding);
    }
    let mut finding = finding.clone();
    let Finding { message, place, notes, help, .. } = &mut finding;
    for text in [message].into_iter().chain(notes).chain(help) {
        *text = lines(text).into_owned();
    }
    if let Some(place) = place {
        place.file = one_line(&place.file).into_owned();
        if let Some(span) = &mut place.span {
            let visible = |range: Range<usize>| escaped(&span.line_text, range, CommandFilter::All, |letter| letter == '\t');
            let (before, part) = (visible(0..span.part.start), visible(span.part.clone()));
            let after = visible(span.part.end..span.line_text.len());
            span.part = before.len()..before.len() + part.len();
            span.line_text = before + &part + &after;
        }
    }
    Cow::Owned(finding)
}

fn is_hidden_in_line(letter: char) -> bool {
    is_hidden(letter) && letter != '\t'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;

    #[test]
    fn hidden_characters_are_written_as_their_code() {
        for (text, several, one) in [
            ("a\tb\nc", "a\tb\nc", "a\\u{9}b\\nc"),
            ("a\r\nb\rc\0", "a\r\nb\\rc\\u{0}", "a\\r\\nb\\rc\\u{0}"),
            ("\x1b[2J\u{9b}31m\x08\x7f", "\\u{1b}[2J\\u{9b}31m\\u{8}\\u{7f}", "\\u{1b}[2J\\u{9b}31m\\u{8}\\u{7f}"),
            ("\u{202e}txt\u{2066}\u{200f}", "\\u{202e}txt\\u{2066}\\u{200f}", "\\u{202e}txt\\u{2066}\\u{200f}"),
            ("a\u{feff}\u{200b}\u{e0041}", "a\\u{feff}\\u{200b}\\u{e0041}", "a\\u{feff}\\u{200b}\\u{e0041}"),
            ("größe 表 👩\u{200d}🚀", "größe 表 👩\u{200d}🚀", "größe 表 👩\u{200d}🚀"),
        ] {
            assert_eq!((&*lines(text), &*one_line(text)), (several, one));
        }
    }

    #[test]
    fn no_text_is_a_command_for_a_ci_system() {
        for (text, expected) in [
            ("::add-mask::x", "\\u{3a}:add-mask::x"),
            ("a\n  ::error file=a.sql::x\n::int", "a\n  \\u{3a}:error file=a.sql::x\n::int"),
            ("a::b::c, '::text'", "a::b::c, '::text'"),
            ("x ##vso[task.setvariable variable=PATH]y", "x \\u{23}#vso[task.setvariable variable=PATH]y"),
            ("##[add-mask]x ## [y] ###[z]", "\\u{23}#[add-mask]x ## [y] #\\u{23}#[z]"),
            ("##TeamCity[x]", "\\u{23}#TeamCity[x]"),
        ] {
            assert_eq!(lines(text), expected);
            assert_eq!(ci_command(text), if text.contains('#') { expected } else { text });
        }
        assert_eq!(without_commands(" ::add-mask  x::y"), " \\u{3a}:add-mask  x::y");
        assert_eq!(without_commands("\x1b[32mok\x1b[0m"), "\x1b[32mok\x1b[0m");
        assert_eq!(json("\"##vso[x]\""), "\"\\u0023#vso[x]\"");
        static CODE: Code = Code::new("a-code", "");
        let original = Finding::error(&CODE, "m").at(Place::range("a.sql", "SELECT '##vso[x]';", 10..12));
        assert_eq!(finding(&original).place.as_ref().unwrap().span.as_ref().unwrap().line_text, "SELECT '\\u{23}#vso[x]';");
    }

    #[test]
    fn json_stays_the_same_document() {
        assert_eq!(json("{\n  \"a\": \"\u{9b}\u{202e}\u{e0041}ö\\n\"\n}"), "{\n  \"a\": \"\\u009b\\u202e\\udb40\\udc41ö\\n\"\n}");
    }

    #[test]
    fn the_texts_of_a_finding_are_visible() {
        static CODE: Code = Code::new("a-code", "");
        let sql = "SELECT '\u{202e}', \x1b[2J FROM\u{9b}t;";
        let original =
            Finding::error(&CODE, "m\x1b").at(Place::range("a\nb\x1b.sql", sql, 14..18)).note("n\x07").help("h\u{2066}");
        let found = finding(&original).into_owned();
        let span = found.place.as_ref().unwrap().span.as_ref().unwrap();
        assert_eq!(span.line_text, "SELECT '\\u{202e}', \\u{1b}[2J FROM\\u{9b}t;");
        assert_eq!(&span.line_text[span.part.clone()], "\\u{1b}[2J");
        let all = format!("{original}{}", found.place.as_ref().unwrap().file);
        assert!(!all.contains(is_hidden_in_text), "{all:?}");
        assert!(all.contains("m\\u{1b}") && all.contains("a\\nb\\u{1b}.sql") && all.contains("n\\u{7}"), "{all}");
        assert!(all.contains("h\\u{2066}"), "{all}");
        let plain = Finding::error(&CODE, "m\nn").at(Place::range("a.sql", "\tSELECT 1;", 1..7));
        assert!(matches!(finding(&plain), Cow::Borrowed(_)));
    }

    fn is_hidden_in_text(letter: char) -> bool {
        is_hidden(letter) && letter != '\n'
    }
}
