//! Parses `.env` files. A value may contain variables of the same file, and never those of the environment: a `.env` file
//! from a stranger could send them to a server of its choice.
//!
//! Other programs read the file, too, by rules of their own. A line that cannot be parsed matters only if it sets a variable that
//! is needed.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

/// No value that is used is longer (bytes). A value may contain others, so its length is not limited by that of the file.
const MAX_VALUE: usize = 64 << 10;

/// The variables in all values of a file may add so many bytes.
const MAX_SUBSTITUTED: usize = 4 << 20;

/// The variables of a file. Errors of a value are reported when it is needed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EnvFile {
    values: HashMap<String, Result<String, BadValue>>,
}

/// Why a value cannot be used. Its text may be a secret and is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadValue {
    /// It contains a variable that the file does not set, in this line, from 1.
    UnknownVariable(usize),
    /// This line, from 1, is not `NAME=value`.
    Unreadable(usize),
    /// It is longer than 64 KiB, with the values of the variables in it, which end in this line, from 1; or those of the whole file
    /// are longer than 4 MiB.
    TooLong(usize),
}

impl EnvFile {
    /// Parses a file. Lines that cannot be parsed are skipped, and so is what an opening quote that is never closed may span.
    pub fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let mut parser =
            EnvParser { letters: text.chars().peekable(), line: 1, values: HashMap::new(), name: None, substituted: 0 };
        loop {
            parser.skip_while(char::is_whitespace);
            if parser.letters.peek().is_none() {
                return EnvFile { values: parser.values };
            }
            let (start, line) = (parser.letters.clone(), parser.line);
            parser.name = None;
            if parser.assignment().is_none() {
                let at = if parser.letters.peek().is_none() { line } else { parser.line };
                if let Some(name) = parser.name.take() {
                    parser.values.insert(name, Err(BadValue::Unreadable(at)));
                }
                (parser.letters, parser.line) = (start, line);
                parser.skip_while(|letter| letter != '\n');
            }
        }
    }

    /// The value of a variable; `None` if it is missing or empty.
    ///
    /// # Errors
    /// If the value cannot be parsed, or contains a variable that the file does not set.
    pub fn get(&self, name: &str) -> Result<Option<String>, BadValue> {
        let value = self.values.get(name).cloned().transpose()?;
        Ok(value.filter(|value| !value.is_empty()))
    }
}

struct EnvParser<'a> {
    letters: Peekable<Chars<'a>>,
    line: usize,
    values: HashMap<String, Result<String, BadValue>>,
    /// The variable that the current line sets, once it is known.
    name: Option<String>,
    /// How many bytes variables have added.
    substituted: usize,
}

impl EnvParser<'_> {
    fn next(&mut self) -> Option<char> {
        self.letters.next().inspect(|letter| self.line += usize::from(*letter == '\n'))
    }

    fn skip_while(&mut self, skipped: fn(char) -> bool) {
        while self.letters.peek().is_some_and(|letter| skipped(*letter)) {
            self.next();
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(letter) = self.letters.next_if(|letter| letter.is_ascii_alphanumeric() || *letter == '_') {
            name.push(letter);
        }
        name
    }

    /// An assignment or a comment; `None` if it is something else.
    fn assignment(&mut self) -> Option<()> {
        if self.letters.peek() == Some(&'#') {
            self.skip_while(|letter| letter != '\n');
            return Some(());
        }
        let mut name = self.dotted_name()?;
        self.skip_while(is_blank);
        if name == "export" && self.letters.peek() != Some(&'=') {
            name = self.dotted_name()?;
            self.skip_while(is_blank);
        }
        // `export NAME` sets nothing here.
        self.name = Some(name.clone()).filter(|name| !self.values.contains_key(name) || self.letters.peek() == Some(&'='));
        self.letters.next_if_eq(&'=')?;
        self.skip_while(is_blank);
        let value = match self.value()? {
            Ok(value) if value.len() > MAX_VALUE => Err(BadValue::TooLong(self.line)),
            value => value,
        };
        self.values.insert(name, value);
        Some(())
    }

    fn dotted_name(&mut self) -> Option<String> {
        let mut name = self.name();
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        while self.letters.next_if_eq(&'.').is_some() {
            name = format!("{name}.{}", self.name());
        }
        Some(name)
    }

    fn value(&mut self) -> Option<Result<String, BadValue>> {
        let mut value = Ok(String::new());
        if self.letters.peek() == Some(&'#') {
            self.skip_while(|letter| letter != '\n');
        }
        let mut quoted = false;
        loop {
            let Some(letter) = self.letters.peek().copied() else { return (!quoted).then_some(value) };
            match letter {
                '\n' if !quoted => return Some(value),
                ' ' | '\t' if !quoted => {
                    self.skip_while(is_blank);
                    if self.letters.peek() == Some(&'#') {
                        self.skip_while(|letter| letter != '\n');
                    }
                    return self.letters.peek().is_none_or(|letter| *letter == '\n').then_some(value);
                }
                '\'' if !quoted => self.literal(&mut value)?,
                '"' => {
                    self.next();
                    quoted = !quoted;
                }
                '\\' => {
                    self.next();
                    push(&mut value, self.escaped()?);
                }
                '$' => self.variable(&mut value)?,
                _ => {
                    self.next();
                    push(&mut value, letter);
                }
            }
        }
    }

    /// What is between single quotes.
    fn literal(&mut self, value: &mut Result<String, BadValue>) -> Option<()> {
        self.next();
        loop {
            match self.next()? {
                '\'' => return Some(()),
                letter => push(value, letter),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        match self.next()? {
            'n' => Some('\n'),
            letter @ ('\\' | '\'' | '"' | '$' | ' ') => Some(letter),
            _ => None,
        }
    }

    /// `$NAME` or `${NAME}`; any other dollar sign is itself.
    fn variable(&mut self, value: &mut Result<String, BadValue>) -> Option<()> {
        self.next();
        let braced = self.letters.next_if_eq(&'{').is_some();
        let name = self.name();
        if braced {
            self.letters.next_if_eq(&'}')?;
        }
        if name.is_empty() && !braced {
            push(value, '$');
            return Some(());
        }
        match self.values.get(&name) {
            Some(Ok(other)) => {
                self.substituted += other.len();
                match value {
                    Ok(text) if self.substituted <= MAX_SUBSTITUTED && text.len() + other.len() <= MAX_VALUE => {
                        text.push_str(other)
                    }
                    Ok(_) => *value = Err(BadValue::TooLong(self.line)),
                    Err(_) => {}
                }
            }
            Some(Err(bad)) => *value = Err(*bad),
            None => *value = Err(BadValue::UnknownVariable(self.line)),
        }
        Some(())
    }
}

fn is_blank(letter: char) -> bool {
    letter == ' ' || letter == '\t'
}

fn push(value: &mut Result<String, BadValue>, letter: char) {
    let _ = value.as_mut().map(|value| value.push(letter));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Option<String>, BadValue> {
        EnvFile::parse(text).get("X")
    }

    #[test]
    fn values() {
        for (text, expected) in [
            ("X=1", "1"),
            ("\u{feff}export  X = 1 \r\nY=2", "1"),
            ("# X=0\n\nX=a#b # c", "a#b"),
            ("X='a $Y \\n \"b\"'", "a $Y \\n \"b\""),
            ("X=\"a b\\n\\\"c\\$Y\"", "a b\n\"c$Y"),
            ("X=\"first\nsecond\"\nY=1", "first\nsecond"),
            ("A=1\nB_2=$A\nX=${A}-$B_2-$", "1-1-$"),
            ("X=a\\ b\\$c", "a b$c"),
            ("X=pa$$", "pa$$"),
            ("X=1\nX=2", "2"),
            ("export=3\na.b=4\nX=5", "5"),
        ] {
            assert_eq!(value(text), Ok(Some(expected.to_owned())), "{text:?}");
        }
        for text in ["", "X=", "X= # comment\n", "X=''", "Y=1"] {
            assert_eq!(value(text), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn variables_of_the_environment_are_not_values() {
        // `PATH` and `HOME` are set wherever this runs.
        for text in ["Y=1\nX=$PATH", "Y=1\nX=a${HOME}b", "Y=$HOME\nX=$Y", "Y=1\nX=\"$PATH\""] {
            assert!(value(text).is_err(), "{text:?}");
        }
        assert_eq!(value("Y=$HOME\nX=1"), Ok(Some("1".to_owned())));
        assert_eq!(value("A=1\nX=\"\n$HOME\""), Err(BadValue::UnknownVariable(3)));
    }

    /// Each value is twice as long as the one before; or a long one is in many values; or in one, many times.
    #[test]
    fn values_have_a_limit() {
        let doubled: String = (0..60).map(|at| format!("V{}=$V{at}$V{at}\n", at + 1)).collect();
        let long = format!("V0={}\n", "x".repeat(500 << 10));
        let many: String = (0..20_000).map(|at| format!("B{at}=$A\n")).collect();
        for (text, line) in [
            (format!("V0=xx\n{doubled}X=$V60"), 17),
            (format!("V0=xx\n{doubled}X=$V61"), 62),
            (format!("{long}X=$V0"), 1),
            (format!("A={}\n{many}X=$A", "x".repeat(60_000)), 20_002),
            (format!("A={}\nX={}", "x".repeat(60_000), "$A".repeat(100_000)), 2),
        ] {
            let file = EnvFile::parse(&text);
            let sum: usize = file.values.values().flatten().map(String::len).sum();
            assert!(sum <= 6 << 20, "{sum}");
            let is_expected = matches!(file.get("X"), Err(BadValue::TooLong(at) | BadValue::UnknownVariable(at)) if at == line);
            assert!(is_expected, "{line}: {:?}", file.get("X").map(drop));
        }
        assert_eq!(value(&format!("{long}{doubled}X=1")), Ok(Some("1".to_owned())));
    }

    #[test]
    fn bad_lines_matter_where_they_set_the_variable() {
        for (text, line) in [("X", 1), ("A=1\n\nX=a b", 3), ("X='a", 1), ("X=\"a\nY=1", 1), ("X: 1", 1), ("export X = a b", 1)] {
            assert_eq!(value(text), Err(BadValue::Unreadable(line)), "{text:?}");
        }
        for text in [
            "hello world\nX=1",
            "-----BEGIN KEY-----\nX=1",
            "1=2\nX=1",
            "Y=a b\nX=1",
            "Y='a\nX=1",
            "Y=\"it's\nX=1",
            "X=1\nexport X",
            "[section]\n X=1",
        ] {
            assert_eq!(value(text), Ok(Some("1".to_owned())), "{text:?}");
        }
    }
}
