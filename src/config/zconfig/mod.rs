//! The configuration file's syntax: text in, sections and keys out. Knows no
//! option and one section type (`<environment>`, whose names are not keys),
//! opens no file itself (the caller's `Host` does).

mod include;
mod lines;
mod substitute;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use self::lines::Line;
use self::substitute::Names;
use super::{Error, Place};
use crate::messages::syntax::{Directive, Structure};

/// One `key value` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// As written in `<environment>`; elsewhere a checked key, lower-cased.
    pub(crate) name: String,
    /// Substituted; empty for a key alone.
    pub(crate) value: String,
    pub(crate) place: Place,
}

/// `<kind name> … </kind>`; the whole file is a section of kind "". Keys may
/// repeat, names of sections do not.
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
    /// The bytes of an included file; `path` is absolute.
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>>;
    /// The value of an environment variable, for `$(NAME)`.
    fn variable(&self, name: &str) -> Option<String>;
}

/// How many included files may be open inside each other.
const MAX_INCLUDES: usize = 20;

/// How many files may be included in all. Files that each include the next one
/// twice would otherwise be read without end.
const MAX_FILES: usize = 1000;

/// How many sections may be open inside each other: far more than anyone
/// needs, and so few that a tree of them cannot exhaust the stack.
const MAX_NESTING: usize = 100;

/// Reads the whole text of the file at `path` (absolute).
pub(crate) fn parse(path: &Path, text: &[u8], host: &dyn Host) -> Result<Section, Error> {
    let shown: Rc<str> = path.to_string_lossy().into();
    let mut reader = Reader {
        host,
        names: Names::new(host),
        files: Vec::new(),
        included: 0,
        current: Section::new("", None, Place { file: Rc::clone(&shown), line: 1 }),
        outer: Vec::new(),
    };
    reader.file(include::tidy(path), &shown, text)?;
    Ok(reader.current)
}

impl Section {
    fn new(kind: &str, name: Option<&str>, place: Place) -> Section {
        Section {
            kind: kind.to_ascii_lowercase(),
            name: name.map(str::to_ascii_lowercase),
            keys: Vec::new(),
            sections: Vec::new(),
            place,
        }
    }

    /// The names in `<environment>` are variables of the environment: they are
    /// kept to the letter, and any name is allowed that a variable can have.
    fn keeps_names(&self) -> bool {
        self.kind == "environment"
    }
}

struct Reader<'h> {
    host: &'h dyn Host,
    names: Names<'h>,
    /// The files being read, each including the next.
    files: Vec<PathBuf>,
    /// How many files were included.
    included: usize,
    /// The section that the next line belongs to.
    current: Section,
    /// The sections around it, the whole file first.
    outer: Vec<Section>,
}

/// What a line has to know of its file.
struct File<'f> {
    path: &'f Path,
    /// How many sections were open around its first line.
    depth: usize,
}

impl Reader<'_> {
    fn file(&mut self, path: PathBuf, shown: &Rc<str>, bytes: &[u8]) -> Result<(), Error> {
        let at = |line| Place { file: Rc::clone(shown), line };
        let text = lines::decode(bytes).map_err(|(line, what)| Error::at(&at(line), what))?;
        let file = File { path: &path, depth: self.outer.len() };
        self.files.push(path.clone());
        for (number, line) in (1..).zip(text.split('\n')) {
            self.line(&file, line.trim(), at(number))?;
        }
        self.files.pop();
        if self.outer.len() > file.depth {
            let open = &self.current;
            return Err(Error::at(&open.place, Structure::Unclosed(&open.kind)));
        }
        Ok(())
    }

    fn line(&mut self, file: &File<'_>, line: &str, place: Place) -> Result<(), Error> {
        match lines::classify(line).map_err(|what| Error::at(&place, what))? {
            Line::Nothing => Ok(()),
            Line::Start { kind, name, empty } => {
                self.open(Section::new(kind, name, place))?;
                if empty {
                    self.close();
                }
                Ok(())
            }
            Line::End { kind } => self.end(file, kind, &place),
            Line::Directive { name, argument } => self.directive(file, name, argument, &place),
            Line::Pair { name, value } => self.pair(name, value, place),
        }
    }

    fn open(&mut self, section: Section) -> Result<(), Error> {
        if self.outer.len() >= MAX_NESTING {
            let what = Structure::NestedTooDeep { most: MAX_NESTING };
            return Err(Error::at(&section.place, what));
        }
        let mut siblings = self.current.sections.iter();
        if let Some(name) = &section.name {
            if let Some(other) = siblings.find(|other| other.name.as_ref() == Some(name)) {
                let what = Structure::NameReused { name, earlier: other.place.to_string() };
                return Err(Error::at(&section.place, what));
            }
        }
        self.outer.push(std::mem::replace(&mut self.current, section));
        Ok(())
    }

    fn end(&mut self, file: &File<'_>, kind: &str, place: &Place) -> Result<(), Error> {
        if self.outer.len() == file.depth {
            return Err(Error::at(place, Structure::UnexpectedEnd));
        }
        if kind.to_ascii_lowercase() != self.current.kind {
            let since = self.current.place.line;
            let what = Structure::UnbalancedEnd { open: &self.current.kind, since };
            return Err(Error::at(place, what));
        }
        self.close();
        Ok(())
    }

    fn close(&mut self) {
        if let Some(outer) = self.outer.pop() {
            let closed = std::mem::replace(&mut self.current, outer);
            self.current.sections.push(closed);
        }
    }

    fn pair(&mut self, name: &str, value: &str, place: Place) -> Result<(), Error> {
        let name = if self.current.keeps_names() {
            lines::environment_name(name)
        } else {
            lines::key_name(name)
        };
        let name = name.map_err(|what| Error::at(&place, what))?;
        let value = self.expand(value, &place)?;
        self.current.keys.push(Key { name, value, place });
        Ok(())
    }

    fn expand(&mut self, text: &str, place: &Place) -> Result<String, Error> {
        self.names.expand(text).map_err(|what| Error::at(place, what))
    }

    fn directive(
        &mut self,
        file: &File<'_>,
        name: &str,
        argument: &str,
        place: &Place,
    ) -> Result<(), Error> {
        match name {
            "" => Err(Error::at(place, Directive::Missing)),
            "define" | "include" | "import" if argument.is_empty() => {
                Err(Error::at(place, Directive::NoArgument(name)))
            }
            "define" => self.names.define(argument, place),
            "include" => self.include(file, argument, place),
            // Python packages cannot extend us. Only a '$' is looked at, so that
            // a file that is wrong for zdaemon 5.2.1 is wrong here.
            "import" => self.expand(argument, place).map(drop),
            _ => Err(Error::at(place, Directive::Unknown(name))),
        }
    }

    fn include(&mut self, from: &File<'_>, argument: &str, place: &Place) -> Result<(), Error> {
        let argument = self.expand(argument, place)?;
        let path = include::resolve(&argument, from.path).map_err(|what| Error::at(place, what))?;
        if self.files.contains(&path) {
            return Err(Error::at(place, Directive::Circle(&path)));
        }
        if self.files.len() > MAX_INCLUDES {
            return Err(Error::at(place, Directive::TooDeep { most: MAX_INCLUDES }));
        }
        self.included += 1;
        if self.included > MAX_FILES {
            return Err(Error::at(place, Directive::TooManyFiles { most: MAX_FILES }));
        }
        let bytes = self
            .host
            .read(&path)
            .map_err(|error| Error::at(place, Directive::Unreadable { path: &path, error }))?;
        let shown = path.to_string_lossy().into();
        self.file(path, &shown, &bytes)
    }
}
