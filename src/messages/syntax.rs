//! What can be wrong with the text of a configuration file, before anyone asks
//! what it means. The words before the first `;` are zdaemon 5.2.1's where it
//! knows the same error; what follows says what was expected. File and line are
//! put in front by `config::Error`.

use std::fmt;
use std::io;
use std::path::Path;

use super::errno::Errno;

/// A line, or the way that lines make sections.
#[derive(Debug)]
pub(crate) enum Structure<'a> {
    NotUtf8 { byte: u8 },
    Nul,
    NotAPair,
    KeyName(&'a str),
    EnvironmentName(&'a str),
    SectionStart,
    SectionHeader,
    SectionEnd,
    UnexpectedEnd,
    UnbalancedEnd { open: &'a str, since: u32 },
    Unclosed(&'a str),
    NestedTooDeep { most: usize },
    NameReused { name: &'a str, earlier: String },
}

impl fmt::Display for Structure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Structure::*;
        match self {
            NotUtf8 { byte } => write!(f, "byte 0x{byte:02x} is not UTF-8 text"),
            Nul => f.write_str("a NUL byte is not allowed"),
            NotAPair => {
                f.write_str("malformed configuration data; expected a name, a blank and a value")
            }
            KeyName(name) => write!(
                f,
                "value did not match regular expression: '{name}'; \
                 expected a letter, then letters, digits, '-', '.' or '_'"
            ),
            EnvironmentName(name) => write!(
                f,
                "an environment variable's name cannot contain '=': '{name}'; \
                 expected the name, a blank and the value"
            ),
            SectionStart => f.write_str(
                "malformed section start; expected <type> or <type name> and nothing after it",
            ),
            SectionHeader => f.write_str(
                "malformed section header; \
                 expected <type> or <type name>, both without blanks and parentheses",
            ),
            SectionEnd => {
                f.write_str("malformed section end; expected </type> and nothing after it")
            }
            UnexpectedEnd => {
                f.write_str("unexpected section end; no section that starts in this file is open")
            }
            UnbalancedEnd { open, since } => write!(
                f,
                "unbalanced section end; expected </{open}> for the section of line {since}"
            ),
            Unclosed(kind) => write!(
                f,
                "unclosed sections not allowed; expected </{kind}> before the end of this file"
            ),
            NestedTooDeep { most } => write!(f, "more than {most} sections inside each other"),
            NameReused { name, earlier } => write!(
                f,
                "section names must not be re-used within the same container:'{name}'; \
                 the other one is at {earlier}"
            ),
        }
    }
}

/// A line that begins with `%`.
#[derive(Debug)]
pub(crate) enum Directive<'a> {
    Missing,
    Unknown(&'a str),
    NoArgument(&'a str),
    DefineName(&'a str),
    Redefined { name: &'a str, earlier: String },
    Scheme(&'a str),
    Url(&'a str),
    Circle(&'a Path),
    TooDeep { most: usize },
    TooManyFiles { most: usize },
    Unreadable { path: &'a Path, error: io::Error },
}

impl fmt::Display for Directive<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Directive::*;
        match self {
            Missing => f.write_str(
                "missing or unrecognized directive; expected %define, %include or %import",
            ),
            Unknown(name) => {
                write!(f, "unknown directive: '{name}'; expected %define, %include or %import")
            }
            NoArgument(directive) => write!(f, "missing argument to %{directive} directive"),
            DefineName(name) => write!(
                f,
                "not a substitution legal name: '{name}'; \
                 expected a letter or '_', then letters, digits or '_'"
            ),
            Redefined { name, earlier } => {
                write!(f, "cannot redefine '{name}'; {earlier} gives it another value")
            }
            Scheme(target) => write!(
                f,
                "unable to include '{target}'; expected a path or file:///path \
                 (a file whose name has a ':' can be written ./name)"
            ),
            Url(target) => write!(f, "unable to include '{target}'; expected file:///path"),
            Circle(path) => write!(
                f,
                "unable to include '{}': it is being read already and would include itself",
                path.display()
            ),
            TooDeep { most } => write!(f, "more than {most} files that include each other"),
            TooManyFiles { most } => write!(f, "more than {most} files are included"),
            Unreadable { path, error } => {
                let path = path.display();
                write!(f, "error opening file {path}: {}: '{path}'", Errno(error))
            }
        }
    }
}

/// A `$` in a value or in a directive's argument.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Dollar<'a> {
    AtEnd,
    Alone,
    NoName { open: char },
    NotClosed { open: char, name: &'a str, close: char },
    Undefined(&'a str),
    NotInEnvironment(&'a str),
    TooMuch { most: usize },
}

impl fmt::Display for Dollar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Dollar::*;
        match self {
            AtEnd => f.write_str("illegal lone '$' at end of source; ")?,
            Alone => f.write_str("'$' not followed by '$' or name; ")?,
            NoName { open } => write!(f, "'${open}' not followed by name; ")?,
            NotClosed { open, name, close } => {
                write!(f, "'${open}{name}' not followed by '{close}'; ")?;
            }
            Undefined(name) => {
                return write!(
                    f,
                    "no replacement for '{name}'; no %define before this line names it"
                );
            }
            NotInEnvironment(name) => {
                return write!(
                    f,
                    "no replacement for '{name}'; the environment has no such variable"
                );
            }
            TooMuch { most } => {
                return write!(f, "more than {most} bytes are put in where a '$' is written");
            }
        }
        f.write_str("a '$' that is meant as such is written '$$'")
    }
}

/// The quotes and backslashes of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quoting {
    Unclosed(char),
    TrailingBackslash,
}

impl fmt::Display for Quoting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quoting::Unclosed(quote) => write!(
                f,
                "unbalanced quote: no second {quote} follows; \
                 a {quote} that is meant as such is written \\{quote}"
            ),
            Quoting::TrailingBackslash => f.write_str(
                "a backslash at the end quotes nothing; \
                 one that is meant as such is written \\\\",
            ),
        }
    }
}
