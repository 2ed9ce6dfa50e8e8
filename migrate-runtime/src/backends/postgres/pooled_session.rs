//! A server session behind a pooler, which other clients use after each transaction: what removes from it that which a script
//! has left.
//!
//! The removal is in the transaction of the script, because the next message may reach another server session. It ends as
//! `DISCARD ALL` would, which cannot run in a transaction, but it leaves alone what other clients have prepared.

use std::time::Duration;

/// Objects that a script may leave whatever its text shows: a view or a default value may call any function.
pub const REMOVE_OBJECTS: &str = "CLOSE ALL;\nUNLISTEN *;\nDISCARD TEMP;\n";

/// The same in a session that the run owns. The driver has prepared nothing there: a run sends only texts.
pub const REMOVE_OWN_OBJECTS: &str = "CLOSE ALL;\nUNLISTEN *;\nDISCARD TEMP;\nDEALLOCATE ALL;\n";

/// Settings. No list of them is complete. Those that a new session of the pooler has are restored afterwards.
const RESET_SETTINGS: &str = "RESET ALL;\n";

/// What `currval` and `lastval` return, also after an identity column of the history.
const FORGET_SEQUENCES: &str = "DISCARD SEQUENCES;\n";

/// Locks of the session. The migration lock is a lease here, and not among them.
const UNLOCK: &str = "SELECT pg_catalog.pg_advisory_unlock_all();\n";

/// How much a message may be delayed more than another.
const DELAY: Duration = Duration::from_secs(1);

/// Removes objects and settings, before the settings of the pooler are restored. `lent`: the application uses the session, too.
pub fn reset_sql(lent: bool) -> [&'static str; 2] {
    if lent { ["", ""] } else { [REMOVE_OBJECTS, RESET_SETTINGS] }
}

/// Removes what no role and no setting decides, at the end of a transaction: whatever the text of the script shows, a function that
/// it does not name may have left it.
pub fn remove_sql(lent: bool) -> String {
    remove_since(lent, "pg_catalog.transaction_timestamp()")
}

/// Forgets the values of sequences, after the last statement that takes one.
pub fn forget_sequences(lent: bool) -> &'static str {
    if lent { "" } else { FORGET_SEQUENCES }
}

/// Rolls a transaction back and removes what a rollback does not undo. Fails if no transaction is open: then the message may
/// have reached another server session, in which nothing is to be removed.
pub fn roll_back_sql(lent: bool, elapsed: Duration) -> String {
    let elapsed = (elapsed + DELAY).as_micros();
    let since = format!("(pg_catalog.statement_timestamp() OPERATOR(pg_catalog.-) interval '{elapsed} microseconds')");
    let sequences = forget_sequences(lent);
    format!("ROLLBACK AND CHAIN;\n{}{sequences}COMMIT;", remove_since(lent, &since))
}

fn remove_since(lent: bool, since: &str) -> String {
    format!("{}{}", deallocate_sql(since), if lent { "" } else { UNLOCK })
}

/// Deallocates what `PREPARE` has prepared since a moment. Poolers and drivers prepare with the protocol, not with SQL.
fn deallocate_sql(since: &str) -> String {
    format!(
        "DO $migrate$ DECLARE prepared pg_catalog.text; BEGIN \
         FOR prepared IN SELECT name FROM pg_catalog.pg_prepared_statements \
         WHERE from_sql AND prepare_time OPERATOR(pg_catalog.>=) {since} \
         LOOP EXECUTE pg_catalog.format('DEALLOCATE %I', prepared); END LOOP; END $migrate$;\n"
    )
}
