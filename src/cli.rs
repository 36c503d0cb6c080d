//! The argument vector: options up to the first word, then the action and its
//! arguments. A loop over the option table; what values mean, and who wins, is
//! the configuration's business.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser};

use crate::config::Error;
use crate::config::merge::Given;
use crate::config::options::{Given as Where, Means, OPTIONS, Opt, Settings, index_of};
use crate::messages::options::CommandLine as Complaint;

/// What a command line asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Invocation {
    pub(crate) given: Given,
    pub(crate) interactive: bool,
    /// The action and its arguments.
    pub(crate) words: Vec<OsString>,
}

impl Invocation {
    /// What a supervisor is shown as that `name` started with this: the words that
    /// tell which instance it is. Others may be a secret.
    pub(crate) fn shown_as(&self, name: &str) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![name.into()];
        if let Some(file) = &self.given.config_file {
            words.extend(["-C".into(), file.into()]);
        }
        for (index, _, value) in &self.given.values {
            if Some(*index) == index_of("socket-name") {
                words.extend(["-s".into(), value.into()]);
            }
        }
        words
    }
}

pub(crate) enum Parsed {
    Run(Invocation),
    Help,
    Version,
}

/// Other spellings of long options.
const ALIASES: &[(&str, &str)] = &[("configuration", "configure")];

/// Parses the arguments behind the program's name. Paths that are given twice
/// are compared as seen from `base`.
pub(crate) fn parse(arguments: &[OsString], base: &Path) -> Result<Parsed, Error> {
    let mut parser = Parser::from_args(arguments.iter().cloned());
    parser.set_short_equals(false);
    let mut invocation = Invocation::default();
    while let Some(argument) = parser.next().map_err(Error::new)? {
        let (index, typed) = match argument {
            Arg::Short(letter) => find_short(letter)?,
            Arg::Long(name) => find_long(name)?,
            Arg::Value(word) => {
                invocation.words.push(word);
                let rest = parser.raw_args().map_err(Error::new)?;
                invocation.words.extend(rest);
                break;
            }
        };
        let Some(option) = OPTIONS.get(index) else { continue };
        let value = take_value(&mut parser, option, &typed)?;
        match option.means {
            Means::Help => return Ok(Parsed::Help),
            Means::Version => return Ok(Parsed::Version),
            Means::Interactive => invocation.interactive = true,
            Means::Schema => invocation.given.foreign_sections = true,
            Means::Override => invocation.given.overrides.push(value),
            Means::Configure => set_config_file(&mut invocation.given, &typed, &value, base)?,
            Means::Setting(_) => set_value(&mut invocation.given, index, typed, value, base)?,
        }
    }
    Ok(Parsed::Run(invocation))
}

fn on_command_line() -> impl Iterator<Item = (usize, &'static Opt)> {
    OPTIONS.iter().enumerate().filter(|(_, option)| option.given != Where::FileOnly)
}

fn find_short(letter: char) -> Result<(usize, String), Error> {
    let typed = format!("-{letter}");
    match on_command_line().find(|(_, option)| option.short == Some(letter)) {
        Some((index, _)) => Ok((index, typed)),
        None => Err(Error::new(Complaint::NotRecognized(&typed))),
    }
}

/// An exact name wins; else the only option that begins like that.
fn find_long(name: &str) -> Result<(usize, String), Error> {
    let aliases = ALIASES.iter().filter_map(|(alias, key)| {
        on_command_line().find(|(_, option)| option.key == *key).map(|(index, _)| (index, *alias))
    });
    let names: Vec<(usize, &str)> = on_command_line()
        .map(|(index, option)| (index, option.key))
        .filter(|(_, key)| !key.is_empty())
        .chain(aliases)
        .collect();
    let typed = format!("--{name}");
    let exact = names.iter().find(|(_, key)| *key == name);
    let mut matches: Vec<usize> =
        names.iter().filter(|(_, key)| key.starts_with(name)).map(|(index, _)| *index).collect();
    matches.dedup();
    let index = match (exact, matches.as_slice()) {
        (Some((index, _)), _) | (None, [index]) => *index,
        (None, []) => return Err(Error::new(Complaint::NotRecognized(&typed))),
        (None, _) => return Err(Error::new(Complaint::NotUnique(&typed))),
    };
    let full = OPTIONS.get(index).map_or(typed, |option| format!("--{}", option.key));
    Ok((index, full))
}

/// The option's value as text; what a flag of a switch stands for is `on`.
fn take_value(parser: &mut Parser, option: &Opt, typed: &str) -> Result<String, Error> {
    if option.argument.is_none() {
        if typed.starts_with("--") && parser.optional_value().is_some() {
            return Err(Error::new(Complaint::NoArgumentAllowed(typed)));
        }
        return Ok("on".to_string());
    }
    let value = parser.value().map_err(|_| Error::new(Complaint::NeedsArgument(typed)))?;
    value.into_string().map_err(|_| Error::new(Complaint::NotText(typed)))
}

fn set_config_file(given: &mut Given, typed: &str, value: &str, base: &Path) -> Result<(), Error> {
    let path = PathBuf::from(value.strip_prefix("file://").unwrap_or(value));
    let conflicts = |before: &PathBuf| base.join(before) != base.join(&path);
    if given.config_file.as_ref().is_some_and(conflicts) {
        return Err(Error::new(Complaint::Conflicting(typed)));
    }
    given.config_file = Some(path);
    Ok(())
}

/// Keeps a value; the same option again must mean the same.
fn set_value(
    given: &mut Given,
    index: usize,
    typed: String,
    value: String,
    base: &Path,
) -> Result<(), Error> {
    let shown = shown_value(index, &typed, &value)?;
    let is_path = OPTIONS.get(index).is_some_and(|option| option.argument == Some("PATH"));
    for (other, other_typed, other_value) in &given.values {
        if *other != index {
            continue;
        }
        let same_path = is_path && base.join(other_value) == base.join(&value);
        if !same_path && shown_value(index, other_typed, other_value)? != shown {
            return Err(Error::new(Complaint::Conflicting(&typed)));
        }
    }
    given.values.push((index, typed, value));
    Ok(())
}

/// The value as the option itself understands it.
fn shown_value(index: usize, typed: &str, value: &str) -> Result<String, Error> {
    let Some(field) = OPTIONS.get(index).and_then(Opt::setting) else {
        return Ok(value.to_string());
    };
    let mut scratch = Settings::default();
    let field = field(&mut scratch);
    field
        .set(value)
        .map_err(|why| Error::new(Complaint::Invalid { option: typed, value, why: &why }))?;
    Ok(field.show())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation, String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        match parse(&words, Path::new("/base")) {
            Ok(Parsed::Run(invocation)) => Ok(invocation),
            Ok(Parsed::Help) => Err("help".into()),
            Ok(Parsed::Version) => Err("version".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn values(line: &str) -> Vec<(String, String)> {
        let invocation = parsed(line).expect("a good line");
        invocation.given.values.into_iter().map(|(_, typed, value)| (typed, value)).collect()
    }

    fn pair(typed: &str, value: &str) -> (String, String) {
        (typed.to_string(), value.to_string())
    }

    #[test]
    fn short_flags_bundle_and_the_last_may_take_the_rest() {
        let invocation = parsed("-dfCconf -b5 status").expect("a good line");
        assert_eq!(invocation.given.config_file, Some(PathBuf::from("conf")));
        assert_eq!(invocation.words, ["status"]);
        assert_eq!(values("-dfb 5"), [pair("-d", "on"), pair("-f", "on"), pair("-b", "5")]);
    }

    #[test]
    fn an_equals_sign_is_part_of_a_short_option_s_value() {
        assert_eq!(values("-p=x"), [pair("-p", "=x")]);
        assert_eq!(values("--program=x"), [pair("--program", "x")]);
        assert_eq!(values("--program x"), [pair("--program", "x")]);
    }

    #[test]
    fn options_end_at_the_action() {
        assert_eq!(parsed("-f start -C x").expect("good").words, ["start", "-C", "x"]);
        assert_eq!(parsed("start -- -x").expect("good").words, ["start", "--", "-x"]);
        assert_eq!(parsed("-f -- -x").expect("good").words, ["-x"]);
    }

    #[test]
    fn long_options_may_be_cut_as_long_as_they_stay_clear() {
        assert_eq!(parsed("--vers").unwrap_err(), "version");
        assert_eq!(values("--fore"), [pair("--forever", "on")]);
        assert_eq!(parsed("--s").unwrap_err(), "option --s not a unique prefix");
        assert_eq!(parsed("--configuration x").expect("good").given.config_file, Some("x".into()));
        assert_eq!(parsed("--conf x").expect("good").given.config_file, Some("x".into()));
    }

    #[test]
    fn every_kind_of_bad_command_line_says_what_is_wrong() {
        for (line, complaint) in [
            ("-q", "option -q not recognized"),
            ("--bogus", "option --bogus not recognized"),
            ("-p", "option -p requires argument"),
            ("--program", "option --program requires argument"),
            ("--help=x", "option --help must not have an argument"),
            ("-b 5 -b 6", "conflicting command line option '-b'"),
            ("-C a -C b", "conflicting command line option '-C'"),
        ] {
            assert_eq!(parsed(line).unwrap_err(), complaint, "{line}");
        }
        let why = parsed("-b foo").unwrap_err();
        assert!(why.starts_with("invalid value for -b 'foo': invalid literal for int()"), "{why}");
    }

    #[test]
    fn the_same_value_twice_is_no_conflict_however_it_is_spelled() {
        assert!(parsed("-b 5 --backoff-limit=+5").is_ok());
        assert!(parsed("-C conf -C ./conf -C /base/conf").is_ok());
        assert!(parsed("-s sock -s ./sock").is_ok());
    }

    #[test]
    fn help_and_version_act_where_they_stand() {
        assert_eq!(parsed("-h -q").unwrap_err(), "help");
        assert_eq!(parsed("-q -h").unwrap_err(), "option -q not recognized");
    }
}
