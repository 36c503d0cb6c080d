//! Which file an `%include` means. Opens none.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use crate::messages::syntax::Directive;

/// The absolute path that `target` names in the file `from`: a path relative to
/// that file's directory, an absolute one, or a `file:` URL.
pub(super) fn resolve<'t>(target: &'t str, from: &Path) -> Result<PathBuf, Directive<'t>> {
    match scheme(target) {
        Some(scheme) if scheme.eq_ignore_ascii_case("file") => {
            url_path(&target[scheme.len() + 1..]).ok_or(Directive::Url(target))
        }
        Some(_) => Err(Directive::Scheme(target)),
        None => Ok(tidy(&from.parent().unwrap_or(from).join(target))),
    }
}

/// Takes `.` and `..` out of an absolute path, by its text alone, as zdaemon
/// 5.2.1 does: `..` in a directory that is reached through a symbolic link is
/// the directory that holds the link.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_bytes();
    let is_tidy = |pair: &[u8]| !matches!(pair, b"/." | b"//");
    if bytes.windows(2).all(is_tidy) && !bytes.ends_with(b"/") {
        return path.to_path_buf();
    }
    let mut tidied = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                tidied.pop();
            }
            Component::RootDir | Component::Prefix(_) | Component::Normal(_) => {
                tidied.push(component);
            }
        }
    }
    tidied
}

/// What stands before the `:` of a URL (RFC 3986, 3.1).
fn scheme(target: &str) -> Option<&str> {
    let (scheme, _) = target.split_once(':')?;
    let follows = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let legal =
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(follows);
    Some(scheme).filter(|_| legal)
}

/// The path of `//host/path` or `/path`, if the host is this one.
fn url_path(rest: &str) -> Option<PathBuf> {
    let path = match rest.strip_prefix("//") {
        Some(rest) => {
            let (host, path) = rest.split_at(rest.find('/')?);
            let here = host.is_empty() || host.eq_ignore_ascii_case("localhost");
            Some(path).filter(|_| here)?
        }
        None => Some(rest).filter(|rest| rest.starts_with('/'))?,
    };
    Some(tidy(Path::new(&OsString::from_vec(percent_decoded(path)))))
}

/// `%20` becomes a blank; a `%` without two hexadecimal digits stays.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| byte == b'%').and_then(hexadecimal);
        decoded.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    decoded
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + u8::try_from(value(digit)?).ok()?))
}
