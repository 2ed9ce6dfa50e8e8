//! Durations as text: `500ms`, `3s`, `30m`, `2h`.

use std::time::Duration;

/// Parses a duration with a unit. A number without a unit is rejected because it is ambiguous.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

/// Formats a duration in units that suit its length: `12 ms`, `3.4 s`, `2 min 5 s`, `1 h 20 min`.
pub fn show(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let seconds = duration.as_secs();
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{:.1} s", duration.as_secs_f64()),
        60_000..3_600_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_units() {
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse("30m"), Some(Duration::from_secs(1800)));
        assert_eq!(parse("2 h"), Some(Duration::from_secs(7200)));
        for wrong in ["", "3", "s", "-1s", "3 days", "99999999999999999999h", "18446744073709551615h"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn shows_the_unit_that_suits() {
        for (milliseconds, text) in [(7, "7 ms"), (3_400, "3.4 s"), (125_000, "2 min 5 s"), (4_800_000, "1 h 20 min")] {
            assert_eq!(show(Duration::from_millis(milliseconds)), text);
        }
    }
}
