//! From the text of a format to its pieces, in the four styles. Everything that
//! cannot be rendered is found here, so that no record is spoilt later.

use super::spec::{Align, Kind, Spec};
use super::{Class, FIELDS, Field, Piece, Style};
use crate::messages::eventlog::Problem;

/// Wider than any terminal; keeps a slip of the pen from filling the disk.
const WIDEST: usize = 1000;

const CLASSIC: &str =
    "%(field)s, with '-', '0', a width or a precision before one of s r d i x X o f e g, or %%";
const FORMAT: &str =
    "{field}, {field:<8} or the like, with one of s d x X o b f e g % as type, or {{ and }}";
const TEMPLATE: &str = "$field, ${field} or $$";

pub(super) fn pieces(text: &str, style: Style, arbitrary: bool) -> Result<Vec<Piece>, Problem> {
    let (mark, read): (&[char], Reader) = match style {
        Style::Classic => (&['%'], classic),
        Style::Format => (&['{', '}'], format),
        Style::Template | Style::SafeTemplate => (&['$'], template),
    };
    let mut cursor = Cursor { rest: text };
    let mut pieces = Vec::new();
    while !cursor.rest.is_empty() {
        let literal = cursor.take_while(|c| !mark.contains(&c));
        push_literal(&mut pieces, literal);
        if cursor.rest.is_empty() {
            break;
        }
        let before = cursor.rest;
        let result = read(&mut cursor);
        let written = &before[..before.len() - cursor.rest.len()];
        match result {
            Ok(Piece::Literal(text)) => push_literal(&mut pieces, &text),
            Ok(Piece::Field(field, spec)) => pieces.push(Piece::Field(field, spec)),
            Err(_) if style == Style::SafeTemplate => push_literal(&mut pieces, written),
            Err(Unreadable::Field(_)) if arbitrary => push_literal(&mut pieces, written),
            Err(Unreadable::Field(name)) => {
                let known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
                return Err(Problem::UnknownField { name, known: known.join(", ") });
            }
            Err(Unreadable::Syntax(expected)) => {
                let text = before.chars().take(20).collect();
                return Err(Problem::Placeholder { text, expected });
            }
        }
    }
    Ok(pieces)
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Some(Piece::Literal(last)) = pieces.last_mut() {
        last.push_str(text);
    } else {
        pieces.push(Piece::Literal(text.to_owned()));
    }
}

/// Reads one placeholder, at its mark.
type Reader = fn(&mut Cursor<'_>) -> Result<Piece, Unreadable>;

/// Why a placeholder has no meaning.
enum Unreadable {
    /// There is no field of this name.
    Field(String),
    /// What it should have been.
    Syntax(&'static str),
}

/// `%(name)-08.3s`
fn classic(cursor: &mut Cursor<'_>) -> Result<Piece, Unreadable> {
    const WRONG: Unreadable = Unreadable::Syntax(CLASSIC);
    cursor.eat('%');
    if cursor.eat('%') {
        return Ok(Piece::Literal("%".to_owned()));
    }
    if !cursor.eat('(') {
        return Err(WRONG);
    }
    let name = cursor.take_while(|c| c != ')');
    cursor.eat(')');
    let flags = cursor.take_while(|c| "-0+ #".contains(c));
    let width = cursor.number().ok_or(WRONG)?.unwrap_or(0);
    let precision = cursor.precision(true).ok_or(WRONG)?;
    cursor.take_while(|c| "hlL".contains(c));
    let letter = cursor.next().ok_or(WRONG)?;
    let field = Field::named(name).ok_or_else(|| Unreadable::Field(name.to_owned()))?;
    let kind = classic_kind(letter, field.class()).ok_or(WRONG)?;
    let is_text = matches!(kind, Kind::Text | Kind::Quoted);
    let zero = flags.contains('0') && !flags.contains('-') && !is_text;
    let align = match (flags.contains('-'), zero) {
        (true, _) => Align::Left,
        (false, true) => Align::AfterSign,
        (false, false) => Align::Right,
    };
    let sign = ['+', ' '].into_iter().find(|sign| flags.contains(*sign));
    let spec = Spec {
        fill: if zero { '0' } else { ' ' },
        align,
        plus: sign.filter(|_| !is_text),
        alternate: flags.contains('#'),
        width,
        precision,
        kind,
        upper: letter.is_ascii_uppercase(),
    };
    Ok(Piece::Field(field, spec))
}

/// What `letter` stands for; nothing if `class` cannot be written so.
fn classic_kind(letter: char, class: Class) -> Option<Kind> {
    match (letter, class) {
        ('s', _) => Some(Kind::Text),
        ('r' | 'a', _) => Some(Kind::Quoted),
        (_, Class::Text) | ('x' | 'X' | 'o', Class::Real) => None,
        ('d' | 'i' | 'u', Class::Integer | Class::Real) => Some(Kind::Decimal),
        (_, Class::Integer | Class::Real) => kind_of(letter),
    }
}

/// `{name!r:*<+#08.3f}`
fn format(cursor: &mut Cursor<'_>) -> Result<Piece, Unreadable> {
    const WRONG: Unreadable = Unreadable::Syntax(FORMAT);
    if cursor.eat('}') {
        return if cursor.eat('}') { Ok(Piece::Literal("}".to_owned())) } else { Err(WRONG) };
    }
    cursor.eat('{');
    if cursor.eat('{') {
        return Ok(Piece::Literal("{".to_owned()));
    }
    let name = cursor.take_while(|c| !"!:{}".contains(c));
    let quoted = match cursor.eat('!').then(|| cursor.next()) {
        None => None,
        Some(Some('s')) => Some(false),
        Some(Some('r' | 'a')) => Some(true),
        Some(_) => return Err(WRONG),
    };
    let written = if cursor.eat(':') { cursor.take_while(|c| c != '}') } else { "" };
    if !cursor.eat('}') {
        return Err(WRONG);
    }
    let field = Field::named(name).ok_or_else(|| Unreadable::Field(name.to_owned()))?;
    let class = if quoted.is_some() { Class::Text } else { field.class() };
    let mut spec = format_spec(written, class).ok_or(WRONG)?;
    if quoted == Some(true) {
        spec.kind = Kind::Quoted;
    }
    Ok(Piece::Field(field, spec))
}

/// What stands after the colon; nothing if `class` cannot be written so.
fn format_spec(written: &str, class: Class) -> Option<Spec> {
    let mut cursor = Cursor { rest: written };
    let (fill, mut align) = cursor.alignment();
    let sign = cursor.one_of("+- ");
    let alternate = cursor.eat('#');
    let zero = cursor.eat('0');
    let width = cursor.number()?.unwrap_or(0);
    let precision = cursor.precision(false)?;
    let letter = cursor.next();
    if !cursor.rest.is_empty() {
        return None;
    }
    let is_text = class == Class::Text;
    if zero && align.is_none() && !is_text {
        align = Some(Align::AfterSign);
    }
    let kind = match (letter, class) {
        (None | Some('s'), Class::Text) => Kind::Text,
        (_, Class::Text) | (Some('s'), Class::Integer | Class::Real) => return None,
        (None | Some('d'), Class::Integer) => Kind::Decimal,
        // zdaemon: `{msecs:.3}` shows 45.0 there and 45 here.
        (None, Class::Real) if precision.is_some() => Kind::General,
        (None, Class::Real) => Kind::Text,
        (Some('b'), Class::Integer) => Kind::Binary,
        (Some('%'), Class::Integer | Class::Real) => Kind::Percent,
        (Some(letter), Class::Integer | Class::Real) => kind_of(letter)?,
    };
    let is_whole = matches!(kind, Kind::Decimal | Kind::Hexadecimal | Kind::Octal | Kind::Binary);
    let is_wrong = is_text && (sign.is_some() || alternate || align == Some(Align::AfterSign))
        || is_whole && (class == Class::Real || precision.is_some());
    if is_wrong {
        return None;
    }
    Some(Spec {
        fill: fill.unwrap_or(if zero { '0' } else { ' ' }),
        align: align.unwrap_or(if is_text { Align::Left } else { Align::Right }),
        plus: sign.filter(|sign| *sign != '-'),
        alternate,
        width,
        precision,
        kind,
        upper: letter.is_some_and(|letter| letter.is_ascii_uppercase()),
    })
}

/// The types that both styles write with the same letter.
fn kind_of(letter: char) -> Option<Kind> {
    match letter {
        'x' | 'X' => Some(Kind::Hexadecimal),
        'o' => Some(Kind::Octal),
        'f' | 'F' => Some(Kind::Fixed),
        'e' | 'E' => Some(Kind::Exponent),
        'g' | 'G' => Some(Kind::General),
        _ => None,
    }
}

/// `$name` or `${name}`
fn template(cursor: &mut Cursor<'_>) -> Result<Piece, Unreadable> {
    const WRONG: Unreadable = Unreadable::Syntax(TEMPLATE);
    cursor.eat('$');
    if cursor.eat('$') {
        return Ok(Piece::Literal("$".to_owned()));
    }
    let is_braced = cursor.eat('{');
    let name = cursor.take_while(|c| c == '_' || c.is_ascii_alphanumeric());
    let is_name = name.starts_with(|c: char| !c.is_ascii_digit());
    if !is_name || is_braced && !cursor.eat('}') {
        return Err(WRONG);
    }
    match Field::named(name) {
        Some(field) => Ok(Piece::Field(field, Spec::PLAIN)),
        None => Err(Unreadable::Field(name.to_owned())),
    }
}

/// The part of a format that is still to be read.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    fn eat(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn one_of(&mut self, wanted: &str) -> Option<char> {
        wanted.chars().find(|character| self.eat(*character))
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// `Some(None)` without digits, `None` when it is too large.
    fn number(&mut self) -> Option<Option<usize>> {
        match self.take_while(|c| c.is_ascii_digit()) {
            "" => Some(None),
            digits => digits.parse().ok().filter(|number| *number <= WIDEST).map(Some),
        }
    }

    /// `.3`; a bare `.` is 0 where that is allowed. As `number`.
    fn precision(&mut self, may_be_bare: bool) -> Option<Option<usize>> {
        if !self.eat('.') {
            return Some(None);
        }
        match self.number()? {
            None if may_be_bare => Some(Some(0)),
            None => None,
            Some(number) => Some(Some(number)),
        }
    }

    /// `<`, or a fill character and `<`.
    fn alignment(&mut self) -> (Option<char>, Option<Align>) {
        let mut characters = self.rest.chars();
        let (first, second) = (characters.next(), characters.next());
        if let Some(align) = second.and_then(align_of) {
            self.next();
            self.next();
            return (first, Some(align));
        }
        let align = first.and_then(align_of);
        if align.is_some() {
            self.next();
        }
        (None, align)
    }
}

fn align_of(mark: char) -> Option<Align> {
    match mark {
        '<' => Some(Align::Left),
        '>' => Some(Align::Right),
        '^' => Some(Align::Center),
        '=' => Some(Align::AfterSign),
        _ => None,
    }
}
