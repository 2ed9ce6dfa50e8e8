//! Divides a long history among the cores. Each part needs the schema that the earlier migrations leave: they are simulated
//! there without being checked.

use migrate_model::migration::Migration;
use std::iter;
use std::num::NonZero;
use std::ops::Range;
use std::thread;

/// Fewer migrations do not justify another thread.
const SMALLEST_PART: usize = 250;

/// More parts would mostly simulate the same migrations again.
const MOST_PARTS: usize = 4;

/// Simulating a migration takes about this many percent of the time of checking it.
const SIMULATION_PERCENT: usize = 40;

/// The parts of a history, one for each thread, in order. They take about the same time: later parts are shorter, because they
/// start with a longer simulation.
pub fn divide(history: &[Migration]) -> Vec<Range<usize>> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    divide_into(history, cores.min(MOST_PARTS).min(history.len() / SMALLEST_PART))
}

/// The given number of parts; fewer when there are fewer migrations.
fn divide_into(history: &[Migration], parts: usize) -> Vec<Range<usize>> {
    let mut total_cost = 0;
    let mut cost_up_to = |migration: &Migration| {
        let down = migration.down.as_ref().map_or(0, |script| script.statements.len());
        total_cost += 1 + migration.up.statements.len() + down;
        total_cost
    };
    let costs: Vec<usize> = history.iter().map(&mut cost_up_to).collect();
    let weights = iter::successors(Some(100), |weight| Some(weight * (100 - SIMULATION_PERCENT) / 100));
    let weights: Vec<usize> = weights.take(parts.max(1)).collect();
    let total_weight: usize = weights.iter().sum();
    let (mut start, mut weight_up_to) = (0, 0);
    let mut ranges = Vec::new();
    for weight in weights {
        weight_up_to += weight;
        let end = costs.partition_point(|cost| cost * total_weight <= weight_up_to * total_cost);
        if start < end {
            ranges.push(start..end);
            start = end;
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::{LintOptions, lint_parts};
    use migrate_model::dialect::Dialect;
    use migrate_model::script::Script;

    fn history(count: usize) -> Vec<Migration> {
        let script = |text: String| Script::read(text, "1.sql", Dialect::Postgres).0;
        (1..=count)
            .map(|number| {
                let table = number / 3;
                let (up, down) = match number % 3 {
                    0 => (format!("CREATE TABLE t{table} (id int);"), format!("DROP TABLE t{table};")),
                    1 => (format!("ALTER TABLE t{table} ADD c int;"), "SELECT 1;".to_owned()),
                    _ => (format!("ALTER TABLE t{table} RENAME c TO d; TRUNCATE t0;"), "SELECT 1;".to_owned()),
                };
                Migration::new(number.to_string().parse().unwrap(), "x", script(up), Some(script(down)))
            })
            .collect()
    }

    #[test]
    fn the_parts_cover_the_history_once() {
        for count in [0, 1, 2, 7, 30, 300] {
            for parts in 0..6 {
                let ranges = divide_into(&history(count), parts);
                let covered: Vec<usize> = ranges.iter().cloned().flatten().collect();
                assert_eq!(covered, (0..count).collect::<Vec<_>>(), "{count} in {parts}");
                assert!(ranges.len() <= parts.max(1), "{count} in {parts}: {ranges:?}");
            }
        }
        let ranges = divide_into(&history(300), 2);
        assert!(ranges.len() == 2 && ranges[0].len() > ranges[1].len(), "{ranges:?}");
    }

    #[test]
    fn the_parts_find_what_the_whole_finds() {
        let history = history(60);
        let options = LintOptions::new(Dialect::Postgres);
        let whole = lint_parts(&history, &options, &divide_into(&history, 1));
        assert!(whole.findings.len() > 30, "{:?}", whole.findings);
        for parts in 2..6 {
            let divided = lint_parts(&history, &options, &divide_into(&history, parts));
            assert_eq!(format!("{divided:?}"), format!("{whole:?}"), "{parts} parts");
        }
    }
}
