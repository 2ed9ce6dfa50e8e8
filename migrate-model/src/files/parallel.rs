//! Runs a function on many items, on all cores: files are read and parsed independently of each other.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The number of items that a thread takes at a time. Fewer items do not justify another thread.
const BATCH: usize = 64;

/// The stack of a thread: as large as that of the main thread on Linux, because SQL can be nested deeply.
const STACK_BYTES: usize = 8 << 20;

/// The results of `work` for all items, in the order of the items.
///
/// # Panics
/// When `work` does.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    map_in_batches(items, BATCH, work)
}

/// Like [`map`]; a thread takes so many items at a time, at least one.
///
/// # Panics
/// When `work` does.
pub fn map_in_batches<T: Sync, R: Send>(items: &[T], batch: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let batches: Vec<&[T]> = items.chunks(batch.max(1)).collect();
    let next = AtomicUsize::new(0);
    let take_batches = || {
        let mut done = Vec::new();
        while let Some((number, batch)) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            batches.get(number).map(|batch| (number, *batch))
        } {
            done.push((number, batch.iter().map(&work).collect::<Vec<R>>()));
        }
        done
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let mut done = thread::scope(|scope| {
        let extra = 1..cores.min(batches.len());
        // If the system refuses a thread, the current one processes its batches.
        let threads: Vec<_> =
            extra.filter_map(|_| thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, take_batches).ok()).collect();
        let mut done = take_batches();
        for thread in threads {
            done.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().flat_map(|(_, results)| results).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn keeps_the_order() {
        for count in [0, 1, BATCH, BATCH + 1, 10 * BATCH + 7] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(map(&items, |item| item * 2), doubled, "{count} items");
        }
    }

    #[test]
    fn a_panic_is_passed_on() {
        let items: Vec<usize> = (0..10 * BATCH).collect();
        let outcome = catch_unwind(|| map(&items, |item| assert_ne!(*item, 5 * BATCH)));
        assert!(outcome.is_err());
    }
}
