//! How far a text goes before a character that ends it. Nearly all of a
//! configuration is ASCII, so bytes are looked at and not decoded as long as
//! they are. Knows nothing of what the text means.

/// The number of bytes before the first character that `ends` the text; all of
/// them if none does.
pub(super) fn until(text: &str, ends: impl Fn(char) -> bool) -> usize {
    let bytes = text.as_bytes();
    let stop = bytes.iter().position(|byte| !byte.is_ascii() || ends(char::from(*byte)));
    let Some(stop) = stop else { return text.len() };
    if bytes[stop].is_ascii() {
        return stop;
    }
    stop + text[stop..].find(ends).unwrap_or(text.len() - stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_before_the_first_such_character_of_any_alphabet() {
        assert_eq!(until("name value", char::is_whitespace), 4);
        assert_eq!(until("na\u{ef}ve\u{a0}x y", char::is_whitespace), 6);
        assert_eq!(until("\u{e4}x", |c| c == '\u{e4}'), 0);
        assert_eq!(until("\u{e4}x y", |c| c == ' '), 3);
        assert_eq!(until("all", char::is_whitespace), 3);
        assert_eq!(until("", char::is_whitespace), 0);
    }
}
