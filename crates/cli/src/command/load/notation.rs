//! Numbers that are written for people: with a decimal comma, separators between thousands, or blanks
//! around them. JSON has none of these, so such a cell is refused unless an option says how to read it.

use std::borrow::Cow;

use super::cell::{self, Typing};
use crate::args::kv::table::Load;

/// The options for cells.
#[derive(Clone, Copy)]
pub(super) struct Notation {
    decimal: Decimal,
}

/// The character before the fraction of a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decimal {
    Point,
    Comma,
}

/// A cell that can't be read without a further option.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unclear {
    /// It has a comma, before the fraction or between thousands.
    Comma,
    /// With a decimal comma: it has a point.
    Point,
    /// It has separators between thousands, and a decimal comma is in it or asked for.
    Thousands,
    /// It is a number or a truth value with blanks around it.
    Blanks,
}

impl Notation {
    pub(super) fn of(options: &Load) -> Self {
        Self {
            decimal: if options.decimal_comma {
                Decimal::Comma
            } else {
                Decimal::Point
            },
        }
    }

    /// A cell as JSON.
    pub(super) fn json(self, text: &str, typing: Typing) -> Result<Cow<'_, str>, Unclear> {
        if typing == Typing::Strings {
            return Ok(cell::json(text, typing));
        }
        let bare = text.trim();
        // Without a comma such a text may be no number, `1 234` for instance.
        if grouped(bare).is_some_and(|figures| self.decimal == Decimal::Comma || figures.commas > 0)
        {
            return Err(Unclear::Thousands);
        }
        let comma = Figures::of(bare).filter(|figures| figures.commas > 0);
        if bare.len() < text.len() && (comma.is_some() || cell::json(bare, typing) == bare) {
            return Err(Unclear::Blanks);
        }
        match (self.decimal, comma) {
            (Decimal::Point, Some(_)) => Err(Unclear::Comma),
            (Decimal::Point, None) => Ok(cell::json(text, typing)),
            (Decimal::Comma, Some(figures)) if figures.commas == 1 && figures.points == 0 => {
                let number = text.replace(',', ".");
                Ok(Cow::Owned(cell::json(&number, typing).into_owned()))
            }
            (Decimal::Comma, Some(_)) => Err(Unclear::Thousands),
            (Decimal::Comma, None) => {
                let number = cell::json(text, typing);
                if number == text && text.contains('.') {
                    return Err(Unclear::Point);
                }
                Ok(number)
            }
        }
    }
}

impl Unclear {
    /// The rest of a sentence that begins with the line: the cell, its column, and the options.
    pub(super) fn explain(&self, cell: &str, column: &str) -> String {
        let keep = format!("--strings={column} to keep the column as text");
        let found = format!("has {cell:?} in the column {column:?}");
        match self {
            Self::Comma => format!(
                "{found}, which is not a number in JSON; add --decimal-comma if the comma stands \
                 before a fraction, remove it if it stands between thousands, or add {keep}"
            ),
            Self::Point => format!(
                "{found}, a number with a point, and --decimal-comma says that numbers have a comma; \
                 write all numbers in one way, or add {keep}"
            ),
            Self::Thousands => format!(
                "{found}, a number with separators between thousands; write it without them, or add {keep}"
            ),
            Self::Blanks => format!(
                "{found}, with blanks around it; add --trim to remove blanks around all cells, or add \
                 {keep}"
            ),
        }
    }
}

/// The separators within a text of digits and separators.
struct Figures {
    commas: usize,
    points: usize,
}

impl Figures {
    /// `None` for a text that is not a number.
    fn of(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            None => (unsigned, "0"),
            Some(parts) => parts,
        };
        let power = power.strip_prefix(['-', '+']).unwrap_or(power);
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let is_mantissa = mantissa
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','));
        let has_digit = mantissa.bytes().any(|byte| byte.is_ascii_digit());
        let is_number = is_mantissa && has_digit && !power.is_empty() && is_digits(power);
        let count = |separator: u8| mantissa.bytes().filter(|byte| *byte == separator).count();
        is_number.then(|| Self {
            commas: count(b','),
            points: count(b'.'),
        })
    }
}

/// Separators between thousands besides comma and point: blanks as in French, also those that do not break a line or
/// are narrow, and apostrophes as in Switzerland.
const GROUPING: [char; 6] = [' ', '\u{a0}', '\u{2009}', '\u{202f}', '\'', '\u{2019}'];

/// The separators within a number whose thousands are separated by one of [`GROUPING`]: one to three digits, and
/// three after each separator. Telephone numbers that begin with 0 or + are none.
fn grouped(text: &str) -> Option<Figures> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let end = unsigned.find([',', '.']).unwrap_or(unsigned.len());
    let (whole, rest) = unsigned.split_at(end);
    let separator = whole
        .chars()
        .find(|character| GROUPING.contains(character))?;
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(separator);
    let first = groups.next()?;
    let is_first = (1..=3).contains(&first.len()) && is_digits(first) && !first.starts_with('0');
    let is_grouped = is_first && groups.all(|group| group.len() == 3 && is_digits(group));
    if !is_grouped || (text.starts_with('+') && rest.is_empty()) {
        return None;
    }
    Figures::of(&format!("{}{rest}", whole.replace(separator, "")))
}

/// True if a text is a number, however it is written; a column's name hardly is.
pub(super) fn is_number(text: &str) -> bool {
    Figures::of(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: Notation = Notation {
        decimal: Decimal::Point,
    };

    const COMMA: Notation = Notation {
        decimal: Decimal::Comma,
    };

    fn read(notation: Notation, cell: &str) -> Result<String, Unclear> {
        notation.json(cell, Typing::Exact).map(Cow::into_owned)
    }

    #[test]
    fn a_number_with_a_comma_is_unclear_without_an_option() {
        for cell in [
            "1,5",
            "-0,5",
            "+1,5",
            "1.234,56",
            "1,234",
            "1,234,567",
            ",5",
            "1,5E-03",
            "5,",
        ] {
            assert_eq!(read(POINT, cell), Err(Unclear::Comma), "{cell}");
        }
        for text in [
            "a,b",
            "1,x",
            ",",
            "",
            "1;5",
            "e,5",
            "1,5e",
            "1.2.3",
            "2024-01-02",
        ] {
            assert_eq!(read(POINT, text), Ok(cell::string(text)), "{text}");
        }
        assert_eq!(read(POINT, "1.50"), Ok("1.50".to_owned()));
        assert_eq!(POINT.json("1,5", Typing::Strings).unwrap(), "\"1,5\"");
    }

    #[test]
    fn a_decimal_comma_becomes_a_point_and_nothing_else_is_taken_for_one() {
        assert_eq!(read(COMMA, "1,50"), Ok("1.50".to_owned()));
        assert_eq!(read(COMMA, "-1,5e-3"), Ok("-1.5e-3".to_owned()));
        assert_eq!(read(COMMA, "7"), Ok("7".to_owned()));
        assert_eq!(read(COMMA, "a,b"), Ok("\"a,b\"".to_owned()));
        assert_eq!(read(COMMA, "1.500"), Err(Unclear::Point));
        assert_eq!(read(COMMA, "1.234,56"), Err(Unclear::Thousands));
        assert_eq!(read(COMMA, "1,234,567"), Err(Unclear::Thousands));
        assert_eq!(read(COMMA, "1.2.2024"), Ok("\"1.2.2024\"".to_owned()));
    }

    #[test]
    fn separators_between_thousands_are_told_from_other_text() {
        for separator in GROUPING {
            for number in ["1_234,5", "-12_345_678,5e3", "+1_234,5"] {
                let cell = number.replace('_', &separator.to_string());
                assert_eq!(read(COMMA, &cell), Err(Unclear::Thousands), "{cell}");
                assert_eq!(read(POINT, &cell), Err(Unclear::Thousands), "{cell}");
            }
            for number in ["1_234", "1_234.5"] {
                let cell = number.replace('_', &separator.to_string());
                assert_eq!(read(COMMA, &cell), Err(Unclear::Thousands), "{cell}");
                assert_eq!(read(POINT, &cell), Ok(cell::string(&cell)), "{cell}");
            }
        }
        for text in [
            "2024-01-02 12:00",
            "01 234 567",
            "+33 123 456 789",
            "12 34 56",
            "1 234 x",
            "1 234,5 kg",
            "1 234'567,5",
            "O'Brien",
            "1 2",
            "6' 200",
            "7, 200",
            "1 234,500 m",
        ] {
            assert_eq!(read(COMMA, text), Ok(cell::string(text)), "{text}");
        }
    }

    #[test]
    fn a_number_between_blanks_is_unclear_and_other_text_keeps_its_blanks() {
        for cell in [" 7", "7 ", "\u{a0}0.5", " true", " 1,5"] {
            assert_eq!(read(POINT, cell), Err(Unclear::Blanks), "{cell}");
        }
        assert_eq!(read(POINT, " x "), Ok("\" x \"".to_owned()));
    }
}
