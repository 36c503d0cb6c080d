//! How are the values of one section found and checked? Every complaint names
//! the line it is about. Knows no key by name.

use crate::config::Error;
use crate::config::zconfig::{Key, Section};
use crate::messages::eventlog::Problem;

/// The keys of a section of which every name is known and stands once.
pub(super) struct Keys<'a> {
    section: &'a Section,
}

impl<'a> Keys<'a> {
    /// `known` names, in lower case.
    pub(super) fn of(section: &'a Section, known: &[&[&str]]) -> Result<Keys<'a>, Error> {
        let known = known.concat();
        for (index, key) in section.keys.iter().enumerate() {
            let name = key.name.to_ascii_lowercase();
            let repeats = |other: &Key| other.name.eq_ignore_ascii_case(&name);
            let problem = if !is_key(&name) {
                Problem::KeyName(key.name.clone())
            } else if !known.contains(&name.as_str()) {
                Problem::UnknownKey { name, known: format!("one of: {}", known.join(", ")) }
            } else if section.keys[..index].iter().any(repeats) {
                Problem::RepeatedKey(name)
            } else {
                continue;
            };
            return Err(Error::at(&key.place, problem));
        }
        Ok(Keys { section })
    }

    /// The same, of a section that holds no others.
    pub(super) fn of_handler(section: &'a Section, known: &[&[&str]]) -> Result<Keys<'a>, Error> {
        match section.sections.first() {
            None => Keys::of(section, known),
            Some(inner) => Err(Error::at(&inner.place, Problem::NestedSection(inner.kind.clone()))),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.key(name).map(|key| key.value.as_str())
    }

    /// The value of `name` as `convert` understands it.
    pub(super) fn get<T>(
        &self,
        name: &str,
        convert: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, Error> {
        match self.key(name) {
            None => Ok(None),
            Some(key) => {
                convert(&key.value).map(Some).map_err(|problem| Error::at(&key.place, problem))
            }
        }
    }

    pub(super) fn boolean(&self, name: &str, default: bool) -> Result<bool, Error> {
        let value = self.get(name, |text| match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" => Ok(true),
            "no" | "false" | "off" => Ok(false),
            _ => Err(Problem::Boolean(text.to_owned())),
        })?;
        Ok(value.unwrap_or(default))
    }

    /// A whole number; 0 if it is not given.
    pub(super) fn count(&self, name: &'static str) -> Result<u32, Error> {
        let value = self.get(name, |text| {
            text.parse().map_err(|_| Problem::Count { key: name, value: text.to_owned() })
        })?;
        Ok(value.unwrap_or(0))
    }

    /// An error at the line of `name`, or at the section's if it has none.
    pub(super) fn blame(&self, name: &str, problem: Problem) -> Error {
        let place = self.key(name).map_or(&self.section.place, |key| &key.place);
        Error::at(place, problem)
    }

    fn key(&self, name: &str) -> Option<&'a Key> {
        self.section.keys.iter().find(|key| key.name.eq_ignore_ascii_case(name))
    }
}

fn is_key(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}
