//! How to write a text so that its reader gets back exactly that text: a POSIX
//! shell, a value and a command in a configuration file, a systemd unit, a
//! logrotate pattern. Line breaks are refused before they come here.

/// One word for a POSIX shell, also for the words of `program`.
pub(super) fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The rest of a configuration line.
pub(super) fn config_value(text: &str) -> String {
    text.replace('$', "$$")
}

/// The words of a command as the rest of a configuration line.
pub(super) fn config_words<T: AsRef<str>>(words: &[T]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quote(word.as_ref())).collect();
    config_value(&quoted.join(" "))
}

/// A path or text that takes the rest of a line in a systemd unit.
pub(super) fn unit_value(text: &str) -> String {
    text.replace('%', "%%")
}

/// The program of an `Exec` line, where systemd looks for no variables.
pub(super) fn unit_program(path: &str) -> String {
    format!("\"{}\"", unit_value(path).replace('\\', r"\\").replace('"', r#"\""#))
}

/// An argument of an `Exec` line.
pub(super) fn unit_argument(word: &str) -> String {
    unit_program(&word.replace('$', "$$"))
}

/// A path as logrotate's pattern. What logrotate would take for syntax becomes
/// `?`, which matches it: a brace cannot be quoted there at all.
pub(super) fn rotate_pattern(path: &str) -> String {
    let has_meaning = |c: char| "\"'\\*?[]{}".contains(c);
    format!("\"{}\"", path.replace(has_meaning, "?"))
}
