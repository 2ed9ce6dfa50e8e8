//! The arguments of `embed_migrations!`: a folder, and the path of the crate that the result names.

use std::env;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Lit, Macro, Path, Result, Token, parse_quote};

/// The arguments of the macro.
pub struct Arguments {
    /// The folder, relative to the package.
    pub folder: Option<String>,
    /// The crate `migrate-runtime` at the place of the call.
    pub runtime: Path,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Arguments { folder: None, runtime: parse_quote!(::migrate_runtime) };
        if !input.is_empty() && !input.peek(Token![crate]) {
            arguments.folder = Some(input.parse::<Text>()?.0);
            if input.is_empty() {
                return Ok(arguments);
            }
            input.parse::<Token![,]>()?;
        }
        if !input.is_empty() {
            input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            arguments.runtime = Path::parse_mod_style(input)?;
            input.parse::<Option<Token![,]>>()?;
        }
        if input.is_empty() { Ok(arguments) } else { Err(input.error("expected a folder, and then `crate = path`")) }
    }
}

/// A literal, `concat!` of such texts, or `env!`. The compiler does not expand them before it calls this macro.
struct Text(String);

impl Parse for Text {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(Lit) {
            let literal: Lit = input.parse()?;
            return match &literal {
                Lit::Str(text) => Ok(Text(text.value())),
                Lit::Int(number) => Ok(Text(number.base10_digits().to_owned())),
                _ => Err(Error::new_spanned(&literal, "expected a string: the folder of the migrations")),
            };
        }
        let call: Macro =
            input.parse().map_err(|error| Error::new(error.span(), "expected a string: the folder of the migrations"))?;
        if call.path.is_ident("concat") {
            let parts = call.parse_body_with(Punctuated::<Text, Token![,]>::parse_terminated)?;
            return Ok(Text(parts.into_iter().map(|part| part.0).collect()));
        }
        if call.path.is_ident("env") {
            let name: Text = call.parse_body()?;
            let unset = |_| Error::new_spanned(&call, format!("the environment variable `{}` is not set", name.0));
            return env::var(&name.0).map(Text).map_err(unset);
        }
        Err(Error::new_spanned(&call.path, "expected a string, or `concat!` or `env!`: other macros are not expanded here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::ToTokens;

    fn read(text: &str) -> std::result::Result<(Option<String>, String), String> {
        let arguments: Result<Arguments> = syn::parse_str(text);
        let shown = |arguments: Arguments| (arguments.folder, arguments.runtime.to_token_stream().to_string().replace(' ', ""));
        arguments.map(shown).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments() {
        let folder = |text: &str| Some(text.to_owned());
        for (text, expected, runtime) in [
            ("", None, "::migrate_runtime"),
            ("\"db/changes\"", folder("db/changes"), "::migrate_runtime"),
            ("\"db\",", folder("db"), "::migrate_runtime"),
            ("crate = facade::migrate", None, "facade::migrate"),
            ("\"db\", crate = ::db,", folder("db"), "::db"),
            ("concat!(\"db/\", \"v\", 2)", folder("db/v2"), "::migrate_runtime"),
            ("concat!(env!(\"CARGO_PKG_NAME\"), \"/x\"), crate = crate::m", folder("migrate-macros/x"), "crate::m"),
        ] {
            assert_eq!(read(text), Ok((expected, runtime.to_owned())), "{text}");
        }
        for (text, part) in [
            ("migrations", "expected a string"),
            ("'c'", "expected a string"),
            ("include_str!(\"x\")", "`concat!` or `env!`"),
            ("env!(\"NOT_SET_ANYWHERE\")", "`NOT_SET_ANYWHERE` is not set"),
            ("\"a\", \"b\"", "expected `crate`"),
            ("crate = a, b", "expected a folder"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
