//! A command's text to its words, grouped as a POSIX shell does it and expanded
//! in no way: no `$`, no `*`, no `~`, no comment.

use std::iter::Peekable;
use std::str::Chars;

use crate::messages::syntax::Quoting;

/// White space separates words; `'…'` keeps everything, `"…"` everything but a
/// backslash before one of ``$ ` " \``, and a backslash outside quotes keeps
/// the next character. Pieces that touch are one word; `''` is an empty one.
pub(crate) fn split_words(text: &str) -> Result<Vec<String>, Quoting> {
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.peek().is_none() {
            return Ok(words);
        }
        words.push(word(&mut rest)?);
    }
}

/// Takes what comes before the next white space outside quotes.
fn word(rest: &mut Peekable<Chars<'_>>) -> Result<String, Quoting> {
    let mut word = String::new();
    while let Some(c) = rest.next_if(|c| !c.is_whitespace()) {
        match c {
            '\'' => single_quoted(rest, &mut word)?,
            '"' => double_quoted(rest, &mut word)?,
            '\\' => word.push(rest.next().ok_or(Quoting::TrailingBackslash)?),
            _ => word.push(c),
        }
    }
    Ok(word)
}

fn single_quoted(rest: &mut Peekable<Chars<'_>>, word: &mut String) -> Result<(), Quoting> {
    loop {
        match rest.next().ok_or(Quoting::Unclosed('\''))? {
            '\'' => return Ok(()),
            c => word.push(c),
        }
    }
}

fn double_quoted(rest: &mut Peekable<Chars<'_>>, word: &mut String) -> Result<(), Quoting> {
    loop {
        match rest.next().ok_or(Quoting::Unclosed('"'))? {
            '"' => return Ok(()),
            '\\' => word.push(rest.next_if(|c| "$`\"\\".contains(*c)).unwrap_or('\\')),
            c => word.push(c),
        }
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
