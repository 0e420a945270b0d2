//! The separator of a table's columns.

/// The separator of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    /// As the options or the table itself say.
    Named(u8),
    /// Nothing says how: by commas.
    Assumed,
    /// There is one column, as the options say.
    None,
}

impl Separator {
    /// The byte for the reader of cells. For a table of one column it is one that no table may
    /// have.
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Named(byte) => byte,
            Self::Assumed => b',',
            Self::None => 0,
        }
    }

    pub(super) fn character(self) -> char {
        char::from(self.byte())
    }
}

/// The separator in a first line `sep=;`, as Excel reads and writes it, and the line's length with its
/// end.
pub(super) fn first_line(text: &[u8]) -> Option<(u8, usize)> {
    let (separator, rest) = match text {
        [
            b'"',
            b's' | b'S',
            b'e' | b'E',
            b'p' | b'P',
            b'=',
            separator,
            b'"',
            rest @ ..,
        ]
        | [
            b's' | b'S',
            b'e' | b'E',
            b'p' | b'P',
            b'=',
            separator,
            rest @ ..,
        ] => (*separator, rest),
        _ => return None,
    };
    let end = match rest {
        [] => 0,
        [b'\r', b'\n', ..] => 2,
        [b'\n' | b'\r', ..] => 1,
        _ => return None,
    };
    let is_separator = separator == b'\t' || separator.is_ascii_punctuation() || separator == b' ';
    is_separator.then_some((separator, text.len() - rest.len() + end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_may_name_the_separator() {
        assert_eq!(first_line(b"sep=;\r\na;b"), Some((b';', 7)));
        assert_eq!(first_line(b"\"sep=|\"\n"), Some((b'|', 8)));
        assert_eq!(first_line(b"SEP=\t\r"), Some((b'\t', 6)));
        for other in [&b"sep=;,x\n"[..], b"sep=\n", b"sep,=\n", b"sep=ab\n", b""] {
            assert_eq!(first_line(other), None, "{other:?}");
        }
    }
}
