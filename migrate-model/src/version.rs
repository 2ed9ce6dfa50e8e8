//! The version of a migration: the digits of its file name.
//!
//! Versions are compared part by part, as numbers of any length, and displayed as written. `001` and `1` are equal.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// A version such as `001`, `20251124120000`, `13.1`, `2017-09-23-182408` or `998b`.
///
/// ```
/// use migrate_model::version::Version;
/// let version = |text: &str| text.parse::<Version>().unwrap();
/// assert!(version("9") < version("10"));
/// assert_eq!(version("001"), version("1"));
/// assert!(version("998") < version("998b"));
/// ```
#[derive(Clone)]
pub struct Version {
    text: String,
    /// Digits of each part without leading zeros; trailing zero parts are dropped, so that `1.0` equals `1`.
    parts: Vec<String>,
    letter: Option<char>,
    /// Distinguishes files with the same number, if `migrate.toml` allows them.
    name: Option<String>,
}

/// The text is not a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidVersion(String);

impl fmt::Display for InvalidVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a valid version: use digits, such as `001`, `20251124120000` or `13.1`", self.0)
    }
}

impl std::error::Error for InvalidVersion {}

impl Version {
    /// Splits the longest version off the start of `name`; returns it and the rest of the name.
    ///
    /// A dot between digits separates parts (`13.1`). With `underscores`, an underscore does too (`4_9`), as in file names of
    /// Flyway.
    pub fn split_from(name: &str, underscores: bool) -> Option<(Version, &str)> {
        let bytes = name.as_bytes();
        let mut end = 0;
        while end < bytes.len() {
            let between = matches!(bytes[end], b'-' | b'.') || (underscores && bytes[end] == b'_');
            let digit_follows = bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
            // Flyway: `V4_9__name`; a double underscore ends the version.
            if bytes[end].is_ascii_digit() || (end > 0 && between && digit_follows) {
                end += 1;
            } else {
                break;
            }
        }
        if end == 0 {
            return None;
        }
        let letter = match (bytes.get(end), bytes.get(end + 1)) {
            (Some(letter), None | Some(b'_' | b'.' | b'-')) if letter.is_ascii_lowercase() => {
                end += 1;
                Some(*letter as char)
            }
            _ => None,
        };
        let digits = &name[..end - usize::from(letter.is_some())];
        let version = Version { text: name[..end].to_owned(), parts: parts_of(digits), letter, name: None };
        Some((version, &name[end..]))
    }

    /// The version as written by the user.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Is the version a timestamp (12 digits or more) rather than a sequential number?
    pub fn is_timestamp(&self) -> bool {
        self.parts.first().is_some_and(|part| part.len() >= 12)
    }

    /// Is the version 0, which is below all others, or equal to the first?
    pub fn is_zero(&self) -> bool {
        self.parts.is_empty() && self.letter.is_none() && self.name.is_none()
    }

    /// The canonical form, which is the same for equal versions, such as `1` for `001`. Digests are computed over it.
    pub fn canonical(&self) -> String {
        let mut text = self.parts.join(".");
        if text.is_empty() {
            text.push('0');
        }
        text.extend(self.letter);
        if let Some(name) = &self.name {
            text.push_str("__");
            text.push_str(name);
        }
        text
    }

    /// The next sequential number, padded to the width of this one.
    pub fn successor(&self) -> Version {
        let head = self.parts.first().map_or("", String::as_str);
        let mut digits: Vec<u8> = head.bytes().collect();
        let mut carry = true;
        for digit in digits.iter_mut().rev() {
            if !carry {
                break;
            }
            carry = *digit == b'9';
            *digit = if carry { b'0' } else { *digit + 1 };
        }
        if carry {
            digits.insert(0, b'1');
        }
        let width = self.text.bytes().take_while(u8::is_ascii_digit).count();
        let digits: String = digits.into_iter().map(char::from).collect();
        let text = format!("{digits:0>width$}");
        Version { parts: parts_of(&text), text, letter: None, name: None }
    }

    /// The same version with a name, as in `001__create_users`: for folders that use one number several times.
    #[must_use]
    pub fn named(mut self, name: &str) -> Version {
        if name.is_empty() {
            return self;
        }
        self.text = format!("{}__{name}", self.text);
        self.name = Some(name.to_owned());
        self
    }
}

/// Splits at dots, underscores and dashes. A date with dashes becomes one part, with month, day and time padded to full width.
fn parts_of(digits: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in digits.split(['.', '_']) {
        let dashed: Vec<&str> = part.split('-').collect();
        match dashed.as_slice() {
            [year, month, day, rest @ ..] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => {
                let time = rest.first().copied().unwrap_or_default();
                parts.push(format!("{year}{month:0>2}{day:0>2}{time:0<6}"));
                parts.extend(rest.iter().skip(1).map(|part| (*part).to_owned()));
            }
            _ => parts.extend(dashed.iter().map(|part| (*part).to_owned())),
        }
    }
    for part in &mut parts {
        *part = part.trim_start_matches('0').to_owned();
    }
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    for part in &mut parts {
        if part.is_empty() {
            part.push('0');
        }
    }
    parts
}

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        match Version::split_from(text, true) {
            Some((version, "")) => Ok(version),
            Some((version, rest)) if rest.len() > 2 && rest.starts_with("__") => Ok(version.named(&rest[2..])),
            _ => Err(InvalidVersion(text.to_owned())),
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without leading zeros, the longer number is the larger one, and numbers of equal length compare as text.
        let left = self.parts.iter().map(|part| (part.len(), part.as_str()));
        let right = other.parts.iter().map(|part| (part.len(), part.as_str()));
        left.cmp(right).then(self.letter.cmp(&other.letter)).then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts && self.letter == other.letter && self.name == other.name
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts.hash(state);
        self.letter.hash(state);
        self.name.hash(state);
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn numeric_order_whatever_the_writing() {
        let ordered = [
            "0",
            "1",
            "1.2",
            "4_9",
            "4_100",
            "9",
            "13.1",
            "13.2",
            "13.10",
            "100",
            "998",
            "998b",
            "999",
            "2017-09-23-182408",
            "20180101000000",
            "2020-12-7-190800",
            "2020-12-08-000000",
            "2022-03-09-07000",
            "2023-05-23-1715",
            "20241812144402",
            "20251218104956",
            "2025-12-18-104956-0001",
            "2025-12-18-104957",
            "20190101000000000001",
            "99999999999999999999999999",
        ];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn equal_versions() {
        for (left, right) in [("1", "001"), ("0", "000"), ("1.0", "1"), ("2017-09-23-182408", "20170923182408"), ("4_9", "4.9")] {
            assert_eq!(version(left), version(right));
            assert_eq!(version(left).canonical(), version(right).canonical());
        }
        assert_eq!(version("001__b"), version("1__b"));
        assert!(version("1__a") < version("1__b"));
        assert!(version("1__b") < version("2__a"));
        assert_eq!(version("1__2fa"), version("1").named("2fa"));
        assert_ne!(version("998"), version("998b"));
        assert_ne!(version("10"), version("1.0"));
    }

    #[test]
    fn splits_names() {
        let split = |name, dots| Version::split_from(name, dots).map(|(version, rest)| (version.to_string(), rest.to_owned()));
        assert_eq!(split("001_create_users", false), Some(("001".into(), "_create_users".into())));
        assert_eq!(split("998b_drop", false), Some(("998b".into(), "_drop".into())));
        assert_eq!(split("001_2fa", false), Some(("001".into(), "_2fa".into())));
        assert_eq!(split("13.1__add", true), Some(("13.1".into(), "__add".into())));
        assert_eq!(split("2023-05-23-1715-update-it", false), Some(("2023-05-23-1715".into(), "-update-it".into())));
        assert_eq!(split("1.2_add", false), Some(("1.2".into(), "_add".into())));
        assert_eq!(split("create", false), None);
        assert_eq!(split("3rd_party", false), Some(("3".into(), "rd_party".into())));
    }

    #[test]
    fn successors_keep_their_width() {
        for (current, next) in [("001", "002"), ("9", "10"), ("099", "100"), ("998b", "999"), ("999", "1000"), ("0000", "0001")] {
            assert_eq!(version(current).successor().as_str(), next);
        }
    }

    proptest! {
        #[test]
        fn order_is_that_of_numbers(a: u64, b: u64, zeros in 0usize..4) {
            let padded = format!("{}{a}", "0".repeat(zeros));
            prop_assert_eq!(version(&padded).cmp(&version(&b.to_string())), a.cmp(&b));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.as_str(), text.as_str());
            }
        }
    }
}
