//! How long the word is that a text begins with. Nearly all of a configuration
//! is ASCII, so bytes are looked at, and only what is no letter or sign of ASCII
//! is decoded. Knows nothing of what the text means.

/// The number of bytes before the first white space, of any alphabet, or byte
/// of ASCII that `ends` a word; all of them if there is none.
pub(super) fn word_length(text: &str, ends: impl Fn(u8) -> bool) -> usize {
    let mut length = 0;
    while let Some(rest) = text.get(length..).filter(|rest| !rest.is_empty()) {
        let plain = rest.bytes().position(|byte| !byte.is_ascii_graphic() || ends(byte));
        let Some(plain) = plain else { return text.len() };
        length += plain;
        match rest[plain..].chars().next() {
            Some(c) if !c.is_whitespace() && !u8::try_from(c).is_ok_and(&ends) => {
                length += c.len_utf8();
            }
            Some(_) | None => return length,
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_ends_at_white_space_of_any_alphabet_and_at_what_the_caller_says() {
        let length = |text: &str| word_length(text, |byte| byte == b'(');
        assert_eq!(length("name value"), 4);
        assert_eq!(length("name\u{b}value"), 4);
        assert_eq!(length("name(value"), 4);
        assert_eq!(length("na\u{ef}v\u{1}e\u{a0}x y"), 7);
        assert_eq!(length("\u{2003}x"), 0);
        assert_eq!(length("all\u{e4}"), 5);
        assert_eq!(length(""), 0);
    }
}
