//! System errors in words, as users of 5.2.1 know them: the number, then the
//! text. The texts that every Unix has under the same number stand here, so that
//! a supervisor needs no memory to say what is wrong; the others are asked of the
//! C library.

use std::fmt;
use std::io;

/// `[Errno 2] No such file or directory`
pub(crate) struct Errno<'a>(pub(crate) &'a io::Error);

impl fmt::Display for Errno<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(number) = self.0.raw_os_error() else { return write!(f, "{}", self.0) };
        if let Some((_, text)) = TEXTS.iter().find(|(known, _)| *known == number) {
            return write!(f, "[Errno {number}] {text}");
        }
        let text = self.0.to_string();
        let text = text.rsplit_once(" (os error ").map_or(text.as_str(), |(text, _)| text);
        write!(f, "[Errno {number}] {text}")
    }
}

/// The numbers from 1 to 34, without 11 and 15, which differ.
const TEXTS: &[(i32, &str)] = &[
    (1, "Operation not permitted"),
    (2, "No such file or directory"),
    (3, "No such process"),
    (4, "Interrupted system call"),
    (5, "Input/output error"),
    (6, "No such device or address"),
    (7, "Argument list too long"),
    (8, "Exec format error"),
    (9, "Bad file descriptor"),
    (10, "No child processes"),
    (12, "Cannot allocate memory"),
    (13, "Permission denied"),
    (14, "Bad address"),
    (16, "Device or resource busy"),
    (17, "File exists"),
    (18, "Invalid cross-device link"),
    (19, "No such device"),
    (20, "Not a directory"),
    (21, "Is a directory"),
    (22, "Invalid argument"),
    (23, "Too many open files in system"),
    (24, "Too many open files"),
    (25, "Inappropriate ioctl for device"),
    (26, "Text file busy"),
    (27, "File too large"),
    (28, "No space left on device"),
    (29, "Illegal seek"),
    (30, "Read-only file system"),
    (31, "Too many links"),
    (32, "Broken pipe"),
    (33, "Numerical argument out of domain"),
    (34, "Numerical result out of range"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_env = "gnu")]
    fn the_texts_are_those_of_the_c_library() {
        for (number, text) in TEXTS {
            let error = io::Error::from_raw_os_error(*number).to_string();
            assert_eq!(error, format!("{text} (os error {number})"));
        }
    }

    #[test]
    fn an_error_without_a_number_and_one_of_another_number_have_a_text_too() {
        let error = io::Error::other("the moon");
        assert_eq!(Errno(&error).to_string(), "the moon");
        let error = io::Error::from_raw_os_error(36);
        assert!(Errno(&error).to_string().starts_with("[Errno 36] "), "{}", Errno(&error));
    }
}
