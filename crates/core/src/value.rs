//! Values: the bytes of an entry.

use bytes::Bytes;

/// The advice for a value that is too large; `value-limit` is the server's setting.
pub const TOO_LARGE_ADVICE: &str = "store the path of a file in its place, compress it, or have the \
                                    server's operator raise value-limit (at most 1 MiB)";

/// A value: any bytes, within the limit that was set when the value was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Value(Bytes);

/// A value that has more bytes than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value has {bytes} bytes; the limit is {limit}")]
pub struct ValueTooLarge {
    /// Bytes given.
    pub bytes: usize,
    /// Bytes allowed.
    pub limit: usize,
}

impl Value {
    /// A value from outside.
    ///
    /// # Errors
    /// If there are more than `limit` bytes.
    pub fn new(bytes: impl Into<Bytes>, limit: usize) -> Result<Self, ValueTooLarge> {
        let bytes = bytes.into();
        if bytes.len() > limit {
            return Err(ValueTooLarge {
                bytes: bytes.len(),
                limit,
            });
        }
        Ok(Self(bytes))
    }

    /// A value as an engine has stored it. It was within the limit when it was accepted; a lower limit that was set
    /// since does not make it unreadable.
    #[must_use]
    pub fn stored(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// A counter's value.
    #[must_use]
    pub fn from_integer(number: i64) -> Self {
        Self(number.to_string().into())
    }

    /// The decimal integer in the bytes: an optional `-` or `+`, then digits, with white space around them allowed
    /// (`echo 1 |` adds a newline). `None` for any other text, and for a number outside the signed 64-bit range.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        std::str::from_utf8(&self.0).ok()?.trim_ascii().parse().ok()
    }

    /// The reason why the bytes are no integer, and the value to store instead; for values of which
    /// [`Value::as_integer`] is `None`.
    #[must_use]
    pub fn why_not_an_integer(&self) -> &'static str {
        const BYTE_ORDER_MARK: char = '\u{feff}';
        const UTF_16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];
        if UTF_16_MARKS.iter().any(|mark| self.0.starts_with(mark)) {
            return "the value is UTF-16 text; set it again as plain digits in UTF-8";
        }
        let Ok(text) = std::str::from_utf8(&self.0) else {
            return "the value is not text; only a whole number can be added to";
        };
        let text = text.trim();
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if text.starts_with(BYTE_ORDER_MARK) {
            "the value begins with a byte-order mark (U+FEFF); set it again without the mark"
        } else if text.is_empty() {
            "the value is empty; set it to a whole number, such as 0, first"
        } else if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            "the value is outside the signed 64-bit range; set it to a smaller number"
        } else if text.parse::<f64>().is_ok_and(f64::is_finite) {
            "the value is a number with a fraction or an exponent; only a whole number can be added \
             to, so set it in a smaller unit"
        } else {
            "the value is not a whole number; set it to one, such as 0, first"
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes, without copying them.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value::new(text.to_owned(), 100).unwrap()
    }

    #[test]
    fn the_limit_is_inclusive() {
        assert!(Value::new(vec![0; 16], 16).is_ok());
        assert_eq!(
            Value::new(vec![0; 17], 16),
            Err(ValueTooLarge {
                bytes: 17,
                limit: 16
            })
        );
    }

    #[test]
    fn integers_are_read_as_people_write_them() {
        assert_eq!(value("42").as_integer(), Some(42));
        assert_eq!(value("-7\n").as_integer(), Some(-7));
        assert_eq!(value(&i64::MIN.to_string()).as_integer(), Some(i64::MIN));
        for odd in ["", "4 2", "0x10", "1.0", "9223372036854775808"] {
            assert_eq!(value(odd).as_integer(), None, "{odd:?}");
        }
    }
}
