//! Which of the settings and functions that matter to the engine a script names: found once for each script.

use migrate_model::dialect::Dialect;
use migrate_model::directives::Directives;
use migrate_model::statement::Statement;
use migrate_model::token::{Kind, Tokens};

/// A setting or a function that matters to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mention {
    /// PostgreSQL: the time limit of a statement.
    StatementTimeout,
    /// The time limit for locks.
    LockTimeout,
    /// PostgreSQL: how strings are parsed.
    StringSyntax,
    /// PostgreSQL: the session user.
    SessionAuthorization,
    /// PostgreSQL: which triggers fire.
    ReplicationRole,
    /// A function or statement that may release the migration lock.
    Unlock,
    /// MySQL: whether each statement commits.
    Autocommit,
    /// MySQL: the role of the session.
    Role,
}

/// The words of each mention. A name matches whole words only.
const WORDS: &[(&str, Mention)] = &[
    ("statement_timeout", Mention::StatementTimeout),
    ("lock_timeout", Mention::LockTimeout),
    ("lock_wait_timeout", Mention::LockTimeout),
    ("innodb_lock_wait_timeout", Mention::LockTimeout),
    ("standard_conforming_strings", Mention::StringSyntax),
    ("authorization", Mention::SessionAuthorization),
    ("session_authorization", Mention::SessionAuthorization),
    ("session_replication_role", Mention::ReplicationRole),
    ("pg_advisory_unlock", Mention::Unlock),
    ("pg_advisory_unlock_all", Mention::Unlock),
    ("release_lock", Mention::Unlock),
    ("release_all_locks", Mention::Unlock),
    ("discard", Mention::Unlock),
    ("autocommit", Mention::Autocommit),
    ("completion_type", Mention::Autocommit),
    ("pg_advisory_unlock_shared", Mention::Unlock),
    ("role", Mention::Role),
];

/// The first words of statements that set, call or execute something.
const ACTING: [&str; 15] = [
    "SET", "RESET", "SELECT", "WITH", "DO", "CALL", "EXECUTE", "PREPARE", "DISCARD", "BEGIN", "IF", "FOR", "WHILE", "LOOP",
    "VALUES",
];

/// What sets something.
const SETTERS: [&str; 3] = ["SET", "RESET", "set_config"];

/// Has a statement named something that sets, up to here?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    NotSeen,
    Seen,
}

/// The mentions of a script. Comments do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mentions {
    bits: u8,
}

impl Mentions {
    /// Those of a script. Only statements count that set something, call something or execute something: an `INSERT` into a column
    /// of that name does not.
    pub fn of_script(text: &str, statements: &[Statement], dialect: Dialect) -> Self {
        let acts = |sql: &str| {
            let first = Tokens::new(sql, dialect).find(|token| !token.is_blank());
            first.is_some_and(|first| first.kind == Kind::Executable || ACTING.iter().any(|word| first.is_word(sql, word)))
        };
        let statements = statements.iter().map(|statement| statement.sql(text)).filter(|sql| acts(sql));
        statements.map(|sql| Mentions::of(sql, dialect)).fold(Mentions::default(), Mentions::and)
    }

    /// Those of a statement. What a string or a body contains counts, because it may be executed.
    pub fn of(text: &str, dialect: Dialect) -> Self {
        let mut mentions = Mentions::default();
        // The token before the previous one: `current_setting('lock_timeout')` reads, and changes nothing.
        let (mut called, mut previous) = ("", "");
        let mut setting = Setting::NotSeen;
        for token in Tokens::new(text, dialect).filter(|token| !token.is_blank()) {
            let reads = previous == "(" && called.eq_ignore_ascii_case("current_setting");
            (called, previous) = (previous, token.text(text));
            match token.kind {
                Kind::Word => mentions.add(token.text(text), &mut setting),
                Kind::Text if reads => {}
                Kind::Text | Kind::DollarText | Kind::Executable => {
                    let words = token.text(text).split(|c: char| !c.is_alphanumeric() && c != '_');
                    words.for_each(|word| mentions.add(word, &mut setting));
                }
                _ => {}
            }
        }
        mentions
    }

    /// Adds a word. A time limit counts only after a word that sets something: to name it changes nothing.
    fn add(&mut self, word: &str, setting: &mut Setting) {
        // The shortest and the longest of the words.
        if !(3..=27).contains(&word.len()) {
            return;
        }
        if SETTERS.iter().any(|setter| setter.eq_ignore_ascii_case(word)) {
            *setting = Setting::Seen;
        }
        for (_, mention) in WORDS.iter().filter(|(name, _)| name.eq_ignore_ascii_case(word)) {
            let is_limit = matches!(mention, Mention::StatementTimeout | Mention::LockTimeout);
            if !is_limit || *setting == Setting::Seen {
                self.bits |= 1 << *mention as u8;
            }
        }
    }

    /// Whether the script names this.
    pub fn has(self, mention: Mention) -> bool {
        self.bits & (1 << mention as u8) != 0
    }

    /// Those of the time limits that the directives of a file state.
    pub fn of_directives(directives: &Directives) -> Self {
        let mut mentions = Mentions::default();
        let stated = [(directives.timeout, Mention::StatementTimeout), (directives.lock_timeout, Mention::LockTimeout)];
        stated.into_iter().filter(|(limit, _)| limit.is_some()).for_each(|(_, mention)| mentions.bits |= 1 << mention as u8);
        mentions
    }

    /// These without others.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Mentions { bits: self.bits & !others.bits }
    }

    /// Those of both.
    #[must_use]
    pub fn and(self, other: Mentions) -> Self {
        Mentions { bits: self.bits | other.bits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_statements_strings_and_bodies_count() {
        for (text, mention, expected) in [
            ("SET lock_timeout = 1", Mention::LockTimeout, true),
            ("-- no lock_timeout here\nSELECT 1", Mention::LockTimeout, false),
            ("SELECT set_config('lock_timeout', '1', false)", Mention::LockTimeout, true),
            ("SELECT my_lock_timeout", Mention::LockTimeout, false),
            ("SELECT 1 AS lock_timeout, 'lock_timeout'", Mention::LockTimeout, false),
            ("DO $$ BEGIN RAISE NOTICE 'no lock_timeout'; END $$", Mention::LockTimeout, false),
            ("DO $$ BEGIN EXECUTE 'SET lock_timeout = 5'; END $$", Mention::LockTimeout, true),
            ("RESET statement_timeout", Mention::StatementTimeout, true),
            ("SELECT current_setting('lock_timeout')", Mention::LockTimeout, false),
            ("DO $$ BEGIN SET LOCAL STATEMENT_TIMEOUT = 1; END $$", Mention::StatementTimeout, true),
            ("SET SESSION AUTHORIZATION bob", Mention::SessionAuthorization, true),
            ("SELECT pg_advisory_unlock(1)", Mention::Unlock, true),
            ("SELECT 1", Mention::Unlock, false),
        ] {
            assert_eq!(Mentions::of(text, Dialect::Postgres).has(mention), expected, "{text}");
        }
        assert!(Mentions::of("EXECUTE IMMEDIATE 'SET ROLE NONE'", Dialect::MySql).has(Mention::Role));
        assert!(Mentions::of("/*!50000 SET innodb_lock_wait_timeout = 1 */", Dialect::MySql).has(Mention::LockTimeout));
    }
}
