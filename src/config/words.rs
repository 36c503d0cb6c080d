//! A command's text to its words, grouped as a POSIX shell does it and expanded
//! in no way: no `$`, no `*`, no `~`, no comment.

use super::scan::word_length;
use crate::messages::syntax::Quoting;

/// White space separates words; `'…'` keeps everything, `"…"` everything but a
/// backslash before one of ``$ ` " \``, and a backslash outside quotes keeps
/// the next character. Pieces that touch are one word; `''` is an empty one.
pub(crate) fn split_words(text: &str) -> Result<Vec<String>, Quoting> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut word = String::new();
        rest = take_word(rest, &mut word)?.trim_start();
        words.push(word);
    }
    Ok(words)
}

/// Takes what comes before the next white space outside quotes; gives back the
/// text behind it.
fn take_word<'a>(text: &'a str, word: &mut String) -> Result<&'a str, Quoting> {
    let mut rest = text;
    loop {
        let plain = word_length(rest, |byte| matches!(byte, b'\'' | b'"' | b'\\'));
        rest = take(rest, plain, word);
        let mut after = rest.chars();
        rest = match after.next() {
            Some('\'') => take_single_quoted(after.as_str(), word)?,
            Some('"') => take_double_quoted(after.as_str(), word)?,
            Some('\\') => {
                word.push(after.next().ok_or(Quoting::TrailingBackslash)?);
                after.as_str()
            }
            Some(_) | None => return Ok(rest),
        };
    }
}

fn take<'a>(text: &'a str, length: usize, word: &mut String) -> &'a str {
    let (taken, rest) = text.split_at(length);
    word.push_str(taken);
    rest
}

fn take_single_quoted<'a>(text: &'a str, word: &mut String) -> Result<&'a str, Quoting> {
    let (quoted, rest) = text.split_once('\'').ok_or(Quoting::Unclosed('\''))?;
    word.push_str(quoted);
    Ok(rest)
}

fn take_double_quoted<'a>(text: &'a str, word: &mut String) -> Result<&'a str, Quoting> {
    let mut rest = text;
    loop {
        let plain = memchr::memchr2(b'"', b'\\', rest.as_bytes()).ok_or(Quoting::Unclosed('"'))?;
        let mut after = take(rest, plain, word).chars();
        match after.next().ok_or(Quoting::Unclosed('"'))? {
            '"' => return Ok(after.as_str()),
            backslash => {
                let escaped = after.clone().next().filter(|c| "$`\"\\".contains(*c));
                if escaped.is_some() {
                    after.next();
                }
                word.push(escaped.unwrap_or(backslash));
            }
        }
        rest = after.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_words(text: &str, expected: &[&str]) {
        assert_eq!(split_words(text), Ok(expected.iter().map(ToString::to_string).collect()));
    }

    #[test]
    fn white_space_separates_and_makes_no_empty_words() {
        assert_words("  /bin/a\t-c  x\n", &["/bin/a", "-c", "x"]);
        assert_words("", &[]);
        assert_words(" \t ", &[]);
    }

    #[test]
    fn a_word_without_quotes_and_backslashes_is_unchanged() {
        assert_words("$HOME ~ * # a=b;c `x` {,}", &["$HOME", "~", "*", "#", "a=b;c", "`x`", "{,}"]);
    }

    #[test]
    fn single_quotes_keep_everything() {
        assert_words(r#"'a "b\ $c' d"#, &[r#"a "b\ $c"#, "d"]);
    }

    #[test]
    fn double_quotes_keep_blanks_and_single_quotes() {
        assert_words(r#""it's two  words""#, &["it's two  words"]);
    }

    #[test]
    fn in_double_quotes_a_backslash_escapes_four_characters_only() {
        assert_words(r#""\$ \` \" \\ \n \'""#, &[r#"$ ` " \ \n \'"#]);
    }

    #[test]
    fn a_backslash_outside_quotes_keeps_the_next_character() {
        assert_words(r#"a\ b \' \" \\ \n"#, &["a b", "'", "\"", "\\", "n"]);
    }

    #[test]
    fn pieces_that_touch_are_one_word() {
        assert_words(r#"a'b c'd"e f"\ g"#, &["ab cde f g"]);
    }

    #[test]
    fn empty_quotes_are_an_empty_word() {
        assert_words(r#"'' a "" b''"#, &["", "a", "", "b"]);
    }

    #[test]
    fn an_unclosed_quote_is_an_error_that_names_it() {
        assert_eq!(split_words("a 'b"), Err(Quoting::Unclosed('\'')));
        assert_eq!(split_words("a \"b"), Err(Quoting::Unclosed('"')));
        assert_eq!(split_words(r#""a\""#), Err(Quoting::Unclosed('"')));
        assert!(Quoting::Unclosed('"').to_string().starts_with("unbalanced quote: no second \" "));
    }

    #[test]
    fn a_backslash_at_the_end_is_an_error() {
        assert_eq!(split_words(r"a\"), Err(Quoting::TrailingBackslash));
        assert!(Quoting::TrailingBackslash.to_string().starts_with("a backslash at the end"));
    }
}
