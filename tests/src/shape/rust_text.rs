//! Comments and string literals of a Rust text, with their lines.
//!
//! `syn` drops comments and sees no literals in macros, so the text is scanned instead. Doc comments are comments. The text is
//! one that `syn` has parsed, so nothing in it is left open.

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Line comments of adjacent lines, or a block comment.
    Comment,
    /// A string literal, its escapes replaced.
    Literal,
}

/// A comment or a literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// The line on which it begins, from 1.
    pub line: usize,
    /// Its words, with the line breaks of the file.
    pub text: String,
}

/// The comments and string literals of a text, in order.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut scan = Scan { rest: text, line: 1, is_in_name: false };
    let mut pieces: Vec<Piece> = Vec::new();
    while !scan.rest.is_empty() {
        let line = scan.line;
        if scan.rest.starts_with("//") {
            let length = scan.rest.find('\n').unwrap_or(scan.rest.len());
            let comment = scan.take(length).trim_start_matches(['/', '!']).to_owned();
            match pieces.last_mut() {
                Some(last) if last.kind == Kind::Comment && last.line + last.text.matches('\n').count() + 1 == line => {
                    last.text.push('\n');
                    last.text.push_str(&comment);
                }
                _ => pieces.push(Piece { kind: Kind::Comment, line, text: comment }),
            }
        } else if scan.rest.starts_with("/*") {
            let length = block_comment_length(scan.rest);
            pieces.push(Piece { kind: Kind::Comment, line, text: scan.take(length).to_owned() });
        } else if let Some((prefix, hashes)) = scan.raw_string() {
            let end = format!("\"{}", "#".repeat(hashes));
            let opening = prefix + hashes + 1;
            let length = scan.rest[opening..].find(&end).unwrap_or(scan.rest.len() - opening);
            scan.take(opening);
            pieces.push(Piece { kind: Kind::Literal, line, text: scan.take(length).to_owned() });
            scan.take(end.len().min(scan.rest.len()));
        } else if scan.rest.starts_with('"') {
            scan.take(1);
            let length = string_length(scan.rest);
            pieces.push(Piece { kind: Kind::Literal, line, text: unescaped(scan.take(length)) });
            scan.take(1.min(scan.rest.len()));
        } else {
            let length = character_length(scan.rest);
            scan.take(length);
        }
    }
    pieces
}

struct Scan<'t> {
    rest: &'t str,
    line: usize,
    is_in_name: bool,
}

impl<'t> Scan<'t> {
    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.line += taken.matches('\n').count();
        self.is_in_name = taken.chars().next_back().is_some_and(|last| last.is_alphanumeric() || last == '_');
        taken
    }

    /// The length of the letters, and the number of `#`, that open a raw string here.
    fn raw_string(&self) -> Option<(usize, usize)> {
        let prefix = ["r", "br", "cr"]
            .into_iter()
            .find(|prefix| self.rest.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(['"', '#'])))?;
        let rest = &self.rest[prefix.len()..];
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        (!self.is_in_name && rest[hashes..].starts_with('"')).then_some((prefix.len(), hashes))
    }
}

/// The length of a block comment; they nest.
fn block_comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a string literal after its opening quote.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        if character == '"' && !is_escaped {
            return at;
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    text.len()
}

/// The length of the next character, or of a character literal: `'"'` opens no string. `'a` alone is a lifetime.
fn character_length(text: &str) -> usize {
    let mut characters = text.char_indices();
    let width = characters.next().map_or(1, |(_, first)| first.len_utf8());
    let second = characters.next().map(|(_, second)| second);
    let third = characters.next();
    match (text.starts_with('\''), second, third) {
        (true, Some('\\'), Some((at, escaped))) => {
            let after = at + escaped.len_utf8();
            text[after..].find('\'').map_or(width, |end| after + end + 1)
        }
        (true, Some(_), Some((at, '\''))) => at + 1,
        _ => width,
    }
}

/// White space for escapes of white space, and nothing for a `\` before a line break.
fn unescaped(text: &str) -> String {
    let mut result = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            result.push(character);
            continue;
        }
        match characters.next() {
            Some('n' | 't' | 'r') => result.push(' '),
            Some(escaped) => result.push(escaped),
            None => {}
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(text: &str) -> Vec<(usize, Kind, String)> {
        pieces(text).into_iter().map(|piece| (piece.line, piece.kind, piece.text)).collect()
    }

    #[test]
    fn comments_of_adjacent_lines_are_one() {
        let text = "/// a way\n/// up\nfn f<'a>() {} // x\n\n// y\n/* z /* */\n*/";
        let expected = [
            (1, Kind::Comment, " a way\n up\n x".to_owned()),
            (5, Kind::Comment, " y".to_owned()),
            (6, Kind::Comment, "/* z /* */\n*/".to_owned()),
        ];
        assert_eq!(scanned(text), expected);
    }

    #[test]
    fn literals_of_all_kinds() {
        let text = "f(\"a\\n\\\"b // c\", '\"', '\\'', b\"d\", r#\"e \"f\"#, br\"g\");\n\"h \\\n   i\"";
        let texts: Vec<String> = scanned(text).into_iter().map(|(_, _, text)| text).collect();
        assert_eq!(texts, ["a \"b // c", "d", "e \"f", "g", "h \n   i"]);
        assert_eq!(scanned("for r in x { \"a\" }").len(), 1);
    }
}
