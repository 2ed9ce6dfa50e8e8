//! SHA-256 checksums of migration files.
//!
//! CR LF counts as LF and a UTF-8 byte order mark is ignored, so a checkout on Windows has the same checksum. For a file
//! with LF and without a byte order mark, the checksum equals the output of `sha256sum`.

use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// A SHA-256 checksum, displayed as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Checksum([u8; 32]);

/// The size of the buffer for pieces, in bytes.
const BUFFER: usize = 4096;

impl Checksum {
    /// The checksum of the bytes of a file.
    ///
    /// ```
    /// use migrate_model::checksum::Checksum;
    /// assert_eq!(Checksum::of_file(b"\xef\xbb\xbfSELECT 1;\r\n"), Checksum::of_file(b"SELECT 1;\n"));
    /// ```
    pub fn of_file(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut hasher = Sha256::new();
        let mut rest = bytes;
        // `contains` comes first because it is fast even in an unoptimized build.
        while rest.contains(&b'\r')
            && let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n")
        {
            hasher.update(&rest[..at]);
            rest = &rest[at + 1..];
        }
        hasher.update(rest);
        Checksum(hasher.finalize().into())
    }

    /// The checksum of a list of texts. Each is followed by a byte that cannot occur in UTF-8, so that their bounds count.
    pub fn of_pieces<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hasher = Sha256::new();
        // Most pieces have only a few bytes; the buffer avoids most of the calls.
        let mut buffer = Vec::with_capacity(BUFFER);
        for piece in pieces {
            if buffer.len() + piece.len() >= BUFFER {
                hasher.update(&buffer);
                buffer.clear();
            }
            if piece.len() < BUFFER {
                buffer.extend_from_slice(piece.as_bytes());
            } else {
                hasher.update(piece.as_bytes());
            }
            buffer.push(0xff);
        }
        hasher.update(&buffer);
        Checksum(hasher.finalize().into())
    }

    /// The checksum with these 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Checksum(bytes)
    }

    /// The first 8 hexadecimal digits, as a number.
    pub const fn leading(&self) -> u32 {
        u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]])
    }

    /// The 32 bytes of the checksum.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (at, byte) in self.0.iter().enumerate() {
            text[2 * at] = DIGITS[usize::from(byte >> 4)];
            text[2 * at + 1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

/// The text is not a checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidChecksum;

impl fmt::Display for InvalidChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a checksum must have 64 hexadecimal digits")
    }
}

impl std::error::Error for InvalidChecksum {}

impl FromStr for Checksum {
    type Err = InvalidChecksum;

    fn from_str(text: &str) -> Result<Self, InvalidChecksum> {
        let text = text.as_bytes();
        if text.len() != 64 {
            return Err(InvalidChecksum);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(InvalidChecksum);
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).map_err(|_| InvalidChecksum)?;
        }
        Ok(Checksum(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sums() {
        // `printf '' | sha256sum` and `printf 'SELECT 1;\n' | sha256sum`.
        assert_eq!(Checksum::of_file(b"").to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(
            Checksum::of_file(b"SELECT 1;\n").to_string(),
            "b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd"
        );
    }

    #[test]
    fn line_ends_and_bom_do_not_count() {
        let unix = Checksum::of_file(b"a\nb\n\nc\r d");
        assert_eq!(Checksum::of_file(b"a\r\nb\r\n\r\nc\r d"), unix);
        assert_eq!(Checksum::of_file(b"\xef\xbb\xbfa\nb\r\n\nc\r d"), unix);
        assert_ne!(Checksum::of_file(b"a\nb\n\nc d"), unix);
    }

    #[test]
    fn reads_what_it_shows() {
        let checksum = Checksum::of_file(b"x");
        assert_eq!(checksum.to_string().parse(), Ok(checksum));
        assert_eq!("zz".parse::<Checksum>(), Err(InvalidChecksum));
        assert_eq!("z".repeat(64).parse::<Checksum>(), Err(InvalidChecksum));
    }

    #[test]
    fn bounds_of_pieces_count() {
        assert_ne!(Checksum::of_pieces(["a", "bc"]), Checksum::of_pieces(["ab", "c"]));
    }
}
