//! The tests of the workspace as a whole. Run them with `tests/run.sh`, which starts the servers they need.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod command;
mod conformance;
mod corpus;
mod differential;
mod huge;
mod interruptions;
mod lease;
mod lint;
mod proof;
mod race;
mod rebuild;
mod requirements;
mod round_trips;
mod rule_pages;
mod seeds;
mod server_faults;
mod tidy;
