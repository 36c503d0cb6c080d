//! The configuration file's syntax: text in, sections and keys out. Knows no
//! option and no section type, opens no file itself (the caller's `Host` does).

use super::{Error, Place};

/// One `key value` line. In `<environment>` the name is kept as written;
/// elsewhere whoever reads the section checks and lower-cases it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) place: Place,
}

/// `<kind name> … </kind>`; the whole file is a section of kind "".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// Lower-cased.
    pub(crate) kind: String,
    /// Lower-cased; none for `<kind>`.
    pub(crate) name: Option<String>,
    pub(crate) keys: Vec<Key>,
    pub(crate) sections: Vec<Section>,
    /// Where it starts.
    pub(crate) place: Place,
}

/// What the syntax needs of the outside.
pub(crate) trait Host {
    /// The bytes of an included file and its absolute path.
    fn read(&self, path: &std::path::Path) -> std::io::Result<Vec<u8>>;
    /// The value of an environment variable, for `$(NAME)`.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Reads the whole text of the file at `path` (absolute).
pub(crate) fn parse(
    path: &std::path::Path,
    text: &[u8],
    host: &dyn Host,
) -> Result<Section, Error> {
    let _ = (path, text, host);
    Err(Error::new("the parser is being written"))
}
