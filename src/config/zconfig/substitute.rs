//! `%define` and what a `$` in a value stands for. One set of names for a file
//! and all that it includes, in reading order. What is put in is not looked at
//! again.

use super::{Error, Host, Place};
use crate::messages::syntax::{Directive, Dollar};

/// So many bytes may be put in for names, in all: far more than anyone needs. A
/// few lines could otherwise double a text until no memory is left.
const MOST_PUT_IN: usize = 1 << 20;

pub(super) struct Names<'h> {
    host: &'h dyn Host,
    /// Bytes that may still be put in.
    room: usize,
    defined: Vec<Definition>,
}

struct Definition {
    name: String,
    value: String,
    place: Place,
}

impl<'h> Names<'h> {
    pub(super) fn new(host: &'h dyn Host) -> Names<'h> {
        Names { host, room: MOST_PUT_IN, defined: Vec::new() }
    }

    /// Takes `NAME [VALUE]`. To define a name again is allowed if the value,
    /// substituted, is the same: the texts may differ. (zdaemon 5.2.1 compares
    /// the new text as written with the old one substituted, so there a line
    /// with a `$` could not even stand twice.)
    pub(super) fn define(&mut self, text: &str, place: &Place) -> Result<(), Error> {
        let (name, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if name_length(name) != name.len() {
            return Err(Error::at(place, Directive::DefineName(name)));
        }
        let value = self.expand(value.trim_start()).map_err(|what| Error::at(place, what))?;
        match self.definition(name) {
            Some(old) if old.value != value => {
                let earlier = old.place.to_string();
                return Err(Error::at(place, Directive::Redefined { name, earlier }));
            }
            Some(_) => {}
            None => {
                let (name, place) = (name.to_string(), place.clone());
                self.defined.push(Definition { name, value, place });
            }
        }
        Ok(())
    }

    /// Replaces `$name`, `${name}`, `$(VARIABLE)` and `$$`.
    pub(super) fn expand<'t>(&mut self, text: &'t str) -> Result<String, Dollar<'t>> {
        let mut expanded = String::with_capacity(text.len());
        let mut room = self.room;
        let mut put_in = |expanded: &mut String, value: &str| {
            room = room.checked_sub(value.len()).ok_or(Dollar::TooMuch { most: MOST_PUT_IN })?;
            expanded.push_str(value);
            Ok(())
        };
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            rest = match after.chars().next() {
                None => return Err(Dollar::AtEnd),
                Some('$') => {
                    expanded.push('$');
                    &after[1..]
                }
                Some(open @ '{') => {
                    let (name, rest) = enclosed(open, &after[1..], '}')?;
                    put_in(&mut expanded, self.value(name)?)?;
                    rest
                }
                Some(open @ '(') => {
                    let (name, rest) = enclosed(open, &after[1..], ')')?;
                    let value = self.host.variable(name);
                    put_in(&mut expanded, &value.ok_or(Dollar::NotInEnvironment(name))?)?;
                    rest
                }
                Some(_) => {
                    let (name, rest) = leading_name(after).ok_or(Dollar::Alone)?;
                    put_in(&mut expanded, self.value(name)?)?;
                    rest
                }
            };
        }
        expanded.push_str(rest);
        self.room = room;
        Ok(expanded)
    }

    /// Upper and lower case are the same.
    fn definition(&self, name: &str) -> Option<&Definition> {
        self.defined.iter().find(|definition| definition.name.eq_ignore_ascii_case(name))
    }

    fn value<'t>(&self, name: &'t str) -> Result<&str, Dollar<'t>> {
        let definition = self.definition(name).ok_or(Dollar::Undefined(name))?;
        Ok(&definition.value)
    }
}

/// How much of the start of `text` is a name: a letter or `_`, then letters,
/// digits or `_`. 0 if there is none.
fn name_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

fn leading_name(text: &str) -> Option<(&str, &str)> {
    Some(text.split_at(name_length(text))).filter(|(name, _)| !name.is_empty())
}

/// The name before `close`, and what follows it.
fn enclosed(open: char, text: &str, close: char) -> Result<(&str, &str), Dollar<'_>> {
    let (name, rest) = leading_name(text).ok_or(Dollar::NoName { open })?;
    let rest = rest.strip_prefix(close).ok_or(Dollar::NotClosed { open, name, close })?;
    Ok((name, rest))
}
