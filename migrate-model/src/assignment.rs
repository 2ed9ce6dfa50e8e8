//! The assignments of a `SET` statement of MySQL: `SET [scope] name = value, @@[scope.]name := value, @name = value`.

pub mod set_statement;

use crate::token::{Kind, Token};

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A user variable.
    Variable,
    /// A setting of the session.
    Session,
    /// A setting of the server.
    Global,
}

impl Scope {
    fn read(sql: &str, token: Token) -> Option<Scope> {
        let is = |words: &[&str]| words.iter().any(|word| token.is_word(sql, word));
        if is(&["SESSION", "LOCAL"]) {
            Some(Scope::Session)
        } else {
            is(&["GLOBAL", "PERSIST", "PERSIST_ONLY"]).then_some(Scope::Global)
        }
    }
}

/// `[scope] name = value` of a `SET`.
pub struct Assignment<'t> {
    pub scope: Scope,
    /// In lower case.
    pub name: String,
    pub value: &'t [Token],
}

impl<'t> Assignment<'t> {
    /// A scope word holds for the assignments after it, too.
    fn read(sql: &str, tokens: &'t [Token], scope: &mut Scope) -> Option<Assignment<'t>> {
        let equals = tokens.iter().position(|token| token.is_symbol(sql, b'='))?;
        let colon = equals.checked_sub(1).is_some_and(|before| tokens[before].is_symbol(sql, b':'));
        let (target, value) = (&tokens[..equals - usize::from(colon)], &tokens[equals + 1..]);
        if let Some((global, name, _)) = system_variable(sql, target) {
            let scope = if global { Scope::Global } else { Scope::Session };
            return Some(Assignment { scope, name, value });
        }
        if let Some(name) = user_variable(sql, target) {
            return Some(Assignment { scope: Scope::Variable, name, value });
        }
        if let Some(word) = target.first().and_then(|first| Scope::read(sql, *first)) {
            *scope = word;
        }
        let name = unquoted(target.last()?.text(sql)).to_ascii_lowercase();
        Some(Assignment { scope: *scope, name, value })
    }
}

/// The assignments of a `SET` statement. None for statements such as `SET NAMES` and `SET TRANSACTION`, which have another form.
pub fn read<'t>(sql: &str, tokens: &'t [Token]) -> Vec<Assignment<'t>> {
    let others = ["STATEMENT", "NAMES", "CHARACTER", "CHARSET", "PASSWORD", "ROLE", "DEFAULT", "TRANSACTION"];
    let is_other = tokens.get(1).is_none_or(|token| others.iter().any(|word| token.is_word(sql, word)));
    if is_other || !tokens[0].is_word(sql, "SET") {
        return Vec::new();
    }
    let mut scope = Scope::Session;
    split_at_commas(sql, &tokens[1..]).into_iter().filter_map(|tokens| Assignment::read(sql, tokens, &mut scope)).collect()
}

/// `@@[scope.]name` at the start of these tokens: whether it is global, its name in lower case, and the tokens after it.
pub fn system_variable<'t>(sql: &str, tokens: &'t [Token]) -> Option<(bool, String, &'t [Token])> {
    let [first, second, name, rest @ ..] = tokens else { return None };
    if !first.is_symbol(sql, b'@') || !second.is_symbol(sql, b'@') {
        return None;
    }
    match (Scope::read(sql, *name), rest) {
        (Some(scope), [dot, name, rest @ ..]) if dot.is_symbol(sql, b'.') => {
            Some((scope == Scope::Global, unquoted(name.text(sql)).to_ascii_lowercase(), rest))
        }
        _ => Some((false, unquoted(name.text(sql)).to_ascii_lowercase(), rest)),
    }
}

/// `@name` at the start of these tokens, in lower case.
pub fn user_variable(sql: &str, tokens: &[Token]) -> Option<String> {
    let [first, name, ..] = tokens else { return None };
    let is_name = matches!(name.kind, Kind::Word | Kind::QuotedName | Kind::Text);
    (first.is_symbol(sql, b'@') && is_name).then(|| unquoted(name.text(sql)).to_ascii_lowercase())
}

/// The parts between commas outside parentheses.
pub fn split_at_commas<'t>(sql: &str, tokens: &'t [Token]) -> Vec<&'t [Token]> {
    split_at(sql, tokens, b',')
}

/// The parts between a symbol outside parentheses.
pub fn split_at<'t>(sql: &str, tokens: &'t [Token], symbol: u8) -> Vec<&'t [Token]> {
    let mut depth = 0_usize;
    tokens
        .split(|token| {
            depth += usize::from(token.is_symbol(sql, b'('));
            depth = depth.saturating_sub(usize::from(token.is_symbol(sql, b')')));
            depth == 0 && token.is_symbol(sql, symbol)
        })
        .collect()
}

/// The text between quotes.
pub fn unquoted(text: &str) -> &str {
    text.trim_matches(['\'', '"', '`'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::token::Tokens;

    #[test]
    fn forms() {
        let outline = |sql: &str| {
            let tokens: Vec<Token> = Tokens::new(sql, Dialect::MySql).filter(|token| !token.is_blank()).collect();
            let show = |assignment: &Assignment<'_>| {
                let scope = if assignment.scope == Scope::Variable { "@".to_owned() } else { format!("{:?} ", assignment.scope) };
                let value: Vec<&str> = assignment.value.iter().map(|token| token.text(sql)).collect();
                format!("{scope}{}={}", assignment.name, value.concat())
            };
            read(sql, &tokens).iter().map(show).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(outline("SET autocommit=0"), "Session autocommit=0");
        assert_eq!(outline("SET @a := @@b, GLOBAL c = f(1, 2), `D` = 3"), "@a=@@b; Global c=f(1,2); Global d=3");
        assert_eq!(
            outline("SET @@GLOBAL.a = 1, @@session.b = 2, @@c = 3, LOCAL d = 4"),
            "Global a=1; Session b=2; Session c=3; Session d=4"
        );
        assert_eq!(outline("SET NAMES utf8"), "");
        assert_eq!(outline("SET"), "");
    }
}
