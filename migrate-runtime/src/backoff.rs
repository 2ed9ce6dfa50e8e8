//! How often and how patiently a statement is tried again that did not get its lock in time. A value; it does not sleep.

use std::time::Duration;

/// How many times in all.
pub const TRIES: u32 = 10;

/// How long a statement waits for a lock that stops others, where nobody says otherwise.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// For how long in all.
const BUDGET: Duration = Duration::from_secs(600);

/// How long to leave the others alone after so many tries, or that it is enough. `chance` is any number: those who wait
/// must not all come back at one moment.
pub fn next_delay(tries: u32, waited: Duration, chance: u32) -> Option<Duration> {
    let base = Duration::from_millis(250) * 2_u32.pow(tries.min(7));
    // Between half of it and all of it.
    let pause = base / 2 + base / 2 * (chance % 1024) / 1023;
    (tries < TRIES && waited + pause < BUDGET).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<u128> = (1..TRIES).map(|tries| next_delay(tries, Duration::ZERO, 1023).unwrap().as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16000, 32000, 32000, 32000]);
        assert_eq!(next_delay(1, Duration::ZERO, 0), Some(Duration::from_millis(250)));
        assert_eq!(next_delay(TRIES, Duration::ZERO, 7), None);
        assert_eq!(next_delay(1, BUDGET, 7), None);
    }
}
