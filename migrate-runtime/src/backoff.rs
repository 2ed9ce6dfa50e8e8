//! The delays between attempts of a statement that times out waiting for a lock. Pure functions; the caller sleeps.

use std::time::Duration;

/// The maximum number of attempts.
pub const TRIES: u32 = 10;

/// The default lock timeout of statements that block traffic.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// The maximum time of all attempts and delays together.
const MAX_TOTAL: Duration = Duration::from_secs(600);

/// The delay after `tries` attempts that took `waited` in all; `None` after the last attempt.
///
/// `chance` is any number: it spreads the delays of concurrent processes, so that they do not retry at the same moment.
pub fn next_delay(tries: u32, waited: Duration, chance: u32) -> Option<Duration> {
    let base = Duration::from_millis(250) * 2_u32.pow(tries.min(7));
    // Between 50 % and 100 % of the base.
    let delay = base / 2 + base / 2 * (chance % 1024) / 1023;
    (tries < TRIES && waited + delay < MAX_TOTAL).then_some(delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_end() {
        let delays: Vec<u128> = (1..TRIES).map(|tries| next_delay(tries, Duration::ZERO, 1023).unwrap().as_millis()).collect();
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 16000, 32000, 32000, 32000]);
        assert_eq!(next_delay(1, Duration::ZERO, 0), Some(Duration::from_millis(250)));
        assert_eq!(next_delay(TRIES, Duration::ZERO, 7), None);
        assert_eq!(next_delay(1, MAX_TOTAL, 7), None);
    }
}
