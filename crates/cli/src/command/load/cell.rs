//! Cells of a table as JSON, and JSON as cells. A cell is a number only where everybody who reads
//! the number reads what was written.

use std::borrow::Cow;

/// The types of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) enum Typing {
    /// Numbers, `true` and `false` if that keeps them exactly; otherwise strings.
    Exact,
    /// Strings.
    Strings,
}

/// A cell as JSON. A number keeps the digits that it is written with, `1.50` for instance.
pub(in crate::command) fn json(cell: &str, typing: Typing) -> Cow<'_, str> {
    let exact = typing == Typing::Exact;
    if exact && (matches!(cell, "true" | "false") || is_exact_number(cell)) {
        Cow::Borrowed(cell)
    } else {
        Cow::Owned(string(cell))
    }
}

/// A JSON string.
pub(in crate::command) fn string(text: &str) -> String {
    // Strings can always be written.
    serde_json::to_string(text).unwrap_or_default()
}

/// True if a text is a number by JSON's grammar (RFC 8259, section 6), and the nearest
/// double-precision number, which is what most programs read, is written with the same digits.
fn is_exact_number(text: &str) -> bool {
    let Some(decimal) = Decimal::parse(text) else {
        return false;
    };
    let Ok(double) = text.parse::<f64>() else {
        return false;
    };
    double.is_finite() && Decimal::parse(&format!("{double:e}")) == Some(decimal)
}

/// A decimal number: its digits without zeros at either end, and the power of ten of the last.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads a number by JSON's grammar. The sign changes nothing about being exact.
    fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            None => (unsigned, 0),
            Some((mantissa, exponent)) => (mantissa, power(exponent)?),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            None => (mantissa, ""),
            Some((_, "")) => return None,
            Some(parts) => parts,
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || leading_zero || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_end_matches('0');
        let dropped = i64::try_from(digits.len() - significant.len()).ok()?;
        let after_point = i64::try_from(fraction.len()).ok()?;
        let significant = significant.trim_start_matches('0');
        Some(Self {
            exponent: if significant.is_empty() {
                0
            } else {
                exponent - after_point + dropped
            },
            digits: significant.to_owned(),
        })
    }
}

/// The power of ten: digits after an optional sign, no more than any number has.
fn power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A power beyond 32 bits is far beyond every double, and its number stays a string.
    plain.then(|| text.parse::<i32>().ok().map(i64::from))?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cell_is_a_number_where_it_says_exactly_what_is_written() {
        for number in [
            "0",
            "-0",
            "7",
            "-7",
            "42",
            "0.5",
            "1.50",
            "100",
            "1e5",
            "1E5",
            "1e+5",
            "2.5e-3",
            "9007199254740991",
            "0.1",
            "0.30000000000000004",
            "1e308",
            "-1.7976931348623157e308",
            "123456789012345",
        ] {
            assert_eq!(json(number, Typing::Exact), number);
        }
    }

    #[test]
    fn what_a_number_would_not_keep_is_a_string() {
        for text in [
            "",
            " ",
            "007",
            "+7",
            ".5",
            "5.",
            "1e400",
            "-1e400",
            "1e-400",
            "NaN",
            "inf",
            "Infinity",
            "0x10",
            "1_000",
            "1,5",
            " 7",
            "7 ",
            "--7",
            "1e",
            "1e5.5",
            "e5",
            "-",
            "12345678901234567890",
            "9007199254740993",
            "0.1234567890123456789",
            "True",
            "TRUE",
            "null",
            "1e99999999999",
            "\u{661}",
            "00",
            "-01",
        ] {
            assert_eq!(json(text, Typing::Exact), format!("\"{text}\""), "{text:?}");
        }
    }

    #[test]
    fn booleans_are_booleans_and_asked_for_strings_are_strings() {
        assert_eq!(json("true", Typing::Exact), "true");
        assert_eq!(json("false", Typing::Exact), "false");
        assert_eq!(json("7", Typing::Strings), "\"7\"");
        assert_eq!(json("true", Typing::Strings), "\"true\"");
        assert_eq!(json("a\"b\n", Typing::Exact), r#""a\"b\n""#);
    }

    proptest! {
        #[test]
        fn every_cell_is_json_that_says_the_same(cell in prop_oneof![
            "[-+0-9.eE]{0,24}", any::<f64>().prop_map(|double| double.to_string()),
            any::<i64>().prop_map(|number| number.to_string()), any::<String>(),
        ]) {
            let json = json(&cell, Typing::Exact);
            match serde_json::from_str::<serde_json::Value>(&json).unwrap() {
                serde_json::Value::String(text) => prop_assert_eq!(text, cell),
                serde_json::Value::Number(_) => {
                    prop_assert_eq!(json.as_ref(), &cell);
                    // The standard library's reader takes the nearest double; serde_json's
                    // may be the one beside it.
                    let read: f64 = cell.parse().unwrap();
                    let written = Decimal::parse(&format!("{read:e}"));
                    prop_assert_eq!(written, Decimal::parse(&cell), "{}", cell);
                }
                other => prop_assert_eq!(other.to_string(), cell),
            }
        }

        #[test]
        fn numbers_of_up_to_15_digits_are_numbers(
            digits in 0_u64..1_000_000_000_000_000, point in 0_usize..15
        ) {
            let text = digits.to_string();
            let text = match text.len().checked_sub(point) {
                Some(at) if at > 0 && point > 0 => format!("{}.{}", &text[..at], &text[at..]),
                _ => text,
            };
            let json = json(&text, Typing::Exact);
            prop_assert_eq!(json.as_ref(), &text);
        }
    }
}
