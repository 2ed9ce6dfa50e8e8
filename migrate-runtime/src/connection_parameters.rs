//! The parameters of a URL and the variables of its environment: the driver honours each of them, or it is an error before a
//! password is sent. Each database lists its parameters beside the parser of its address.

use crate::backends::AddressError;
use migrate_model::suggestion;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use url::{Url, form_urlencoded};

/// A parameter of a URL.
pub struct Parameter {
    /// Its spellings; the first is the usual one.
    pub names: &'static [&'static str],
    /// What becomes of it.
    pub rule: ParameterRule,
}

/// What becomes of a parameter.
#[derive(Clone, Copy)]
pub enum ParameterRule {
    /// The driver honours it.
    Honoured,
    /// The driver honours it, and adds up what is given several times.
    Repeated,
    /// The driver honours these words, in any case.
    OneOf(&'static [&'static str]),
    /// The driver reads this file, or the PEM text itself. Empty means unset, as in the clients of the servers.
    File,
    /// The driver ignores it, which is safe.
    Ignored,
    /// The driver ignores it, which is safe with these words only; and what to write instead of other words.
    IgnoredIf(&'static [&'static str], &'static str),
    /// The driver ignores it, which is not safe; and what to write instead.
    Instead(&'static str),
}

impl Parameter {
    /// A parameter with its spellings.
    pub const fn new(names: &'static [&'static str], rule: ParameterRule) -> Self {
        Parameter { names, rule }
    }

    fn name(&self) -> &'static str {
        self.names[0]
    }

    /// Whether the driver gets it.
    fn is_passed(&self, value: &str) -> bool {
        match self.rule {
            ParameterRule::Honoured | ParameterRule::Repeated | ParameterRule::OneOf(_) => true,
            ParameterRule::File => !value.is_empty(),
            ParameterRule::Ignored | ParameterRule::IgnoredIf(..) | ParameterRule::Instead(_) => false,
        }
    }

    /// Checks a value; `shown` is the parameter, or the variable that sets it.
    fn check(&self, label: &str, value: &str) -> Result<(), AddressError> {
        let list = |words: &[&str]| {
            let words: Vec<_> = words.iter().filter(|word| !word.is_empty()).map(|word| format!("`{word}`")).collect();
            words.join(", ")
        };
        let is_among = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(value));
        match self.rule {
            ParameterRule::OneOf(words) if !is_among(words) => {
                Err(AddressError::new(format!("`{label}` must be one of {}", list(words)))
                    .help(format!("correct the value of `{label}`")))
            }
            ParameterRule::IgnoredIf(words, instead) if !is_among(words) => {
                let known = list(words);
                let or_word = if known.is_empty() { String::new() } else { format!(", or use one of {known}") };
                Err(AddressError::new(format!("the driver does not support this value of `{label}`"))
                    .help(format!("remove `{label}`{or_word}; {instead}")))
            }
            ParameterRule::Instead(instead) => {
                Err(AddressError::new(format!("the driver does not support `{label}`")).help(format!("write {instead}")))
            }
            _ => Ok(()),
        }
    }
}

/// The parameters of a URL after their check.
#[derive(Debug, Default)]
pub struct Parameters {
    /// What the driver gets.
    passed: Vec<(String, String)>,
    /// The usual name and the value of each parameter.
    given: Vec<(&'static str, String)>,
}

impl Parameters {
    /// Reads a query. A message contains no value, and no name that can be part of a password.
    ///
    /// # Errors
    /// If a parameter is unknown, if the driver does not honour it and that is not safe, or if two contradict each other.
    pub fn read(query: &str, known: &'static [Parameter]) -> Result<Self, AddressError> {
        let mut parameters = Parameters::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(parameter) = find(known, &key) else {
                let may_be_secret = value.is_empty() || query.contains('@') || !is_name(&key);
                return Err(unknown(known, Some(&*key).filter(|_| !may_be_secret), &key));
            };
            parameter.check(&key, &value)?;
            let name = parameter.name();
            let is_other = |(other, earlier): &&(&str, String)| *other == name && !earlier.eq_ignore_ascii_case(&value);
            if !matches!(parameter.rule, ParameterRule::Repeated) && parameters.given.iter().any(|given| is_other(&given)) {
                return Err(AddressError::new(format!(
                    "`{}` is given more than once, with different values",
                    parameter.names.join("` or `")
                ))
                .help("give the parameter only once"));
            }
            if parameter.is_passed(&value) {
                parameters.passed.push((key.into_owned(), value.to_string()));
            }
            parameters.given.push((name, value.into_owned()));
        }
        Ok(parameters)
    }

    /// The value of a parameter, by its usual name, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(given, value)| *given == name && !value.is_empty()).map(|(_, value)| &**value)
    }

    /// Checks the variables that the client of the server reads for what the URL does not contain.
    ///
    /// # Errors
    /// For the reasons of a parameter.
    pub fn check_environment(
        &self,
        variables: &[(&str, &str)],
        known: &'static [Parameter],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), AddressError> {
        let is_given = |name: &str| self.given.iter().any(|(given, _)| *given == name);
        for (variable, name) in variables.iter().filter(|(_, name)| !is_given(name)) {
            if let (Some(value), Some(parameter)) = (environment(variable), find(known, name)) {
                parameter
                    .check(variable, &value)
                    .map_err(|error| error.help(format!("`{variable}` is set in the environment")))?;
            }
        }
        Ok(())
    }

    /// The URL with the parameters that the driver gets.
    pub fn applied_to(&self, url: &Url) -> Url {
        let mut url = url.clone();
        url.set_query(None);
        if !self.passed.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.passed);
        }
        url
    }
}

/// Parses a URL of a server and its parameters.
///
/// # Errors
/// If it is not a URL, contains a `#`, which begins a part that no driver reads, or a parameter is wrong.
pub fn parse(text: &str, known: &'static [Parameter]) -> Result<(Url, Parameters), AddressError> {
    let url = Url::parse(text).map_err(|error| AddressError::new(error.to_string()))?;
    if url.fragment().is_some() {
        return Err(AddressError::new("it contains a `#`").help("write `%23` for a `#` in a password or a parameter"));
    }
    let parameters = Parameters::read(url.query().unwrap_or_default(), known)?;
    Ok((url, parameters))
}

fn find(known: &'static [Parameter], key: &str) -> Option<&'static Parameter> {
    // `options[name]=value` is a spelling of `options=-c name=value`.
    let key = if key.starts_with("options[") && key.ends_with(']') { "options" } else { key };
    known.iter().find(|parameter| parameter.names.contains(&key))
}

/// The address in brackets that is the host of a URL; `None` for a name, which the driver looks up.
pub fn ipv6(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

fn is_name(key: &str) -> bool {
    key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter))
}

/// The error about an unknown parameter, with the spelling that is probably meant.
fn unknown(known: &'static [Parameter], label: Option<&str>, key: &str) -> AddressError {
    let simple = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let names = || known.iter().flat_map(|parameter| parameter.names.iter().map(move |name| (*name, parameter)));
    let message = match label {
        Some(name) => format!("the parameter `{name}` is unknown"),
        None => "it contains an unknown parameter".to_owned(),
    };
    let error = AddressError::new(message);
    match names().find(|(name, _)| simple(name) == simple(key)) {
        Some((_, Parameter { rule: ParameterRule::Instead(instead), .. })) => error.help(format!("write {instead}")),
        Some((name, Parameter { rule: ParameterRule::OneOf(words), .. })) => {
            error.help(format!("write `{name}=WORD`, where WORD is one of {}", words.join(", ")))
        }
        Some((name, _)) => error.help(format!("write `{name}`")),
        None if let Some(name) = suggestion::nearest(key, names().map(|(name, _)| name)) => {
            error.help(format!("did you mean `{name}`?"))
        }
        None => {
            let passed = known.iter().filter(|parameter| parameter.is_passed("x")).map(Parameter::name);
            let names: Vec<_> = passed.map(|name| format!("`{name}`")).collect();
            error.help(format!("the supported parameters are {}", names.join(", ")))
        }
    }
}

/// A variable of the environment; one that is not Unicode is not unset.
pub fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// How large a file of certificates or a key may be.
const CERTIFICATES_LIMIT: u64 = 1 << 20;

/// The files of certificates and keys that the driver will read, each with the parameter or variable that names it.
#[derive(Debug, Default)]
pub struct CertificateFiles(Vec<(&'static str, PathBuf)>);

impl CertificateFiles {
    /// The files that parameters name, or variables for what the URL does not contain.
    pub fn of(
        parameters: &Parameters,
        names: &[(&'static str, Option<&'static str>)],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let named = names.iter().filter_map(|(name, variable)| match (parameters.get(name), variable) {
            (Some(value), _) => Some((*name, value.to_owned())),
            (None, Some(variable)) => Some((*variable, environment(variable)?)),
            (None, None) => None,
        });
        // The rule of the driver for the text of a certificate.
        let is_text = |value: &str| value.trim().starts_with("-----BEGIN") && value.trim().ends_with("-----");
        let files = named.filter(|(_, value)| !value.is_empty() && !is_text(value));
        CertificateFiles(files.map(|(name, value)| (name, value.into())).collect())
    }

    /// Checks the files before the driver opens them: it would wait for a FIFO and read a device without end.
    ///
    /// # Errors
    /// If one is not a regular file, or too large. The driver reports one that does not exist.
    pub fn check(&self) -> Result<(), sqlx::Error> {
        for (name, path) in &self.0 {
            let Ok(metadata) = std::fs::metadata(path) else { continue };
            let refused = |why: String| Err(sqlx::Error::Configuration(format!("the file that `{name}` specifies {why}").into()));
            if !metadata.is_file() {
                return refused("is not a regular file".to_owned());
            }
            if metadata.len() > CERTIFICATES_LIMIT {
                return refused(format!("is larger than {} MiB", CERTIFICATES_LIMIT >> 20));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[Parameter] = &[Parameter::new(&["sslcert", "ssl-cert"], ParameterRule::File)];

    #[test]
    fn names_that_can_be_part_of_a_password_are_not_shown() {
        for (query, is_shown) in [("SECRET=x", true), ("SECRET", false), ("SECRET=x@h/db", false), ("SECRET%40h/x?a=b", false)] {
            let message = Parameters::read(query, FILES).unwrap_err().message;
            assert_eq!(message.contains("SECRET"), is_shown, "{query}: {message}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_regular_files_of_certificates_are_opened() {
        let folder = std::env::temp_dir().join(format!("migrate-certificates-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (small, large) = (folder.join("small.pem"), folder.join("large.pem"));
        std::fs::write(&small, "x").unwrap();
        std::fs::File::create(&large).unwrap().set_len(CERTIFICATES_LIMIT + 1).unwrap();
        let outcome = |query: &str, variable: Option<&str>| {
            let parameters = Parameters::read(query, FILES).unwrap();
            let environment = |_: &str| variable.map(str::to_owned);
            let files = CertificateFiles::of(&parameters, &[("sslcert", Some("PGSSLCERT"))], &environment);
            files.check().map_err(|error| error.to_string())
        };
        for (path, part) in [
            (small.to_str().unwrap(), None),
            (large.to_str().unwrap(), Some("larger than 1 MiB")),
            (folder.to_str().unwrap(), Some("not a regular file")),
            ("/dev/zero", Some("not a regular file")),
            ("/proc/self/fd/0/absent", None),
            ("-----BEGIN CERTIFICATE-----", None),
            ("", None),
        ] {
            for (outcome, name) in
                [(outcome(&format!("sslcert={path}"), None), "`sslcert`"), (outcome("", Some(path)), "`PGSSLCERT`")]
            {
                let error = outcome.err();
                assert_eq!(error.is_some(), part.is_some(), "{path}: {error:?}");
                assert!(error.is_none_or(|error| error.contains(part.unwrap()) && error.contains(name)), "{path}");
            }
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
