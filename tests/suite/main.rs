//! The tests of the whole workspace. They need servers: run them with `tests/run.sh`, which starts these.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod asked_session_state;
mod atomicity;
mod between_steps;
mod command;
mod conformance;
mod corpus;
mod credentials;
mod damaged_history;
mod differential;
mod differential_clients;
mod foreign_histories;
mod grants;
mod hidden_session_state;
mod history_place;
mod hostile_files;
mod huge;
mod interruptions;
mod lease;
mod lent_sessions;
mod lint;
mod missing_tables;
mod mysql_roles;
mod planted;
mod pooled_sessions;
mod proof;
mod proof_drops;
mod public_api;
mod race;
mod rebuild;
mod recovery;
mod requirements;
mod rollout;
mod round_trips;
mod rule_pages;
mod seeds;
mod server_faults;
mod session;
mod sqlite_values;

mod stored_sql;
mod table_engines;
mod tidy;
mod trust;
mod unanswered;
mod uncertainty;
