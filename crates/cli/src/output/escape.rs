//! Text for a terminal: characters that would command it, change the order in which it shows text, or stay
//! invisible are shown as escapes.
//!
//! Keys, values, jobs and file names are chosen by anybody. A terminal obeys control characters in them:
//! it moves the cursor, changes its title, or types an answer as if the person had typed it. Unicode's
//! bidirectional controls and its invisible characters make one text look like another.
//!
//! The escapes are those of JSON (RFC 8259, section 7), so that JSON that is escaped here stays JSON
//! with the same meaning.

use std::fmt::Write as _;
use std::io::{self, Write};

/// The most bytes of one character in UTF-8.
const MAX_CHARACTER_BYTES: usize = 4;

/// A text on one line, with every control character escaped.
pub(crate) fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut before = None;
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ => push(character, before, &mut shown),
        }
        before = base(before, character);
    }
    shown
}

/// True if a text has a character that is shown as an escape.
pub(crate) fn has_unsafe(text: &str) -> bool {
    let mut before = None;
    text.chars().any(|character| {
        let is_unsafe = is_unsafe(character, before);
        before = base(before, character);
        is_unsafe
    })
}

/// Escapes a stream of bytes that arrives in parts. Line breaks and tabs stay as they are.
#[derive(Default)]
pub(super) struct Escaper {
    /// The start of a character, or a carriage return, whose end has not arrived.
    pending: Vec<u8>,
    /// The character that the next one may shape.
    before: Option<char>,
}

impl Escaper {
    /// Writes the escaped form of the next part.
    pub(super) fn write(&mut self, part: &[u8], to: &mut impl Write) -> io::Result<()> {
        let joined;
        let mut rest = if self.pending.is_empty() {
            part
        } else {
            self.pending.extend_from_slice(part);
            joined = std::mem::take(&mut self.pending);
            &joined
        };
        let mut shown = String::with_capacity(rest.len());
        while !rest.is_empty() {
            let (text, invalid) = match std::str::from_utf8(rest) {
                Ok(text) => (text, None),
                Err(error) => {
                    let text =
                        std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default();
                    (text, Some(error.error_len()))
                }
            };
            let mut end = text.len();
            if invalid.is_none() && text.ends_with('\r') {
                // A line feed may follow.
                end -= 1;
            }
            self.push_text(&text[..end], text, &mut shown);
            rest = &rest[end..];
            match invalid {
                None => {
                    self.pending.extend_from_slice(rest);
                    break;
                }
                Some(None) => {
                    debug_assert!(rest.len() < MAX_CHARACTER_BYTES);
                    self.pending.extend_from_slice(rest);
                    break;
                }
                Some(Some(length)) => {
                    self.before = None;
                    shown.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[length..];
                }
            }
        }
        to.write_all(shown.as_bytes())
    }

    /// Writes what is pending, since nothing more belongs to it.
    pub(super) fn finish(&mut self, to: &mut impl Write) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        match pending.as_slice() {
            [] => Ok(()),
            [b'\r'] => to.write_all(b"\\r"),
            _ => write!(to, "{}", char::REPLACEMENT_CHARACTER),
        }
    }

    /// Appends a text that stands at the start of `all`; a carriage return before a line feed is part of a
    /// line break.
    fn push_text(&mut self, text: &str, all: &str, shown: &mut String) {
        for (at, character) in text.char_indices() {
            match character {
                '\n' | '\t' => shown.push(character),
                '\r' if all[at + 1..].starts_with('\n') => shown.push(character),
                '\r' => shown.push_str("\\r"),
                _ => push(character, self.before, shown),
            }
            self.before = base(self.before, character);
        }
    }
}

fn push(character: char, before: Option<char>, shown: &mut String) {
    if is_unsafe(character, before) {
        // Above the basic plane, JSON writes two escapes. Writing to a string can't fail.
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(shown, "\\u{unit:04x}");
        }
    } else {
        shown.push(character);
    }
}

/// True if a terminal obeys a character, shows other characters in another order for it, or shows nothing
/// for it. `before` is the character that it may shape.
fn is_unsafe(character: char, before: Option<char>) -> bool {
    // Most text is ASCII.
    if character.is_ascii() {
        return character.is_control();
    }
    if is_shaping(character) {
        // Behind a letter of ASCII nothing of it is seen.
        return before.is_none_or(|before| before.is_ascii());
    }
    character.is_control() || is_invisible(character)
}

/// The character that the next one may shape: the last one that shapes no other.
fn base(before: Option<char>, character: char) -> Option<char> {
    match is_shaping(character) {
        true => before,
        false => Some(character),
    }
}

/// True if a character changes the shape of those beside it, as in emoji and in Persian: the joiners and the
/// variation selectors.
fn is_shaping(character: char) -> bool {
    matches!(
        character,
        '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}'
    )
}

/// True if a character is a line or paragraph separator, or has the property Default_Ignorable_Code_Point
/// (Unicode 16, DerivedCoreProperties.txt), which the marks of direction (UAX #9, section 2) have as well.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}' | '\u{1160}'
        | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escape(parts: &[&[u8]]) -> String {
        let mut escaper = Escaper::default();
        let mut to = Vec::new();
        for part in parts {
            escaper.write(part, &mut to).unwrap();
        }
        escaper.finish(&mut to).unwrap();
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn control_direction_and_invisible_characters_are_escaped_and_text_is_not() {
        assert_eq!(escape(&["é\t🦀\r\nx\n".as_bytes()]), "é\t🦀\r\nx\n");
        assert_eq!(
            escape(&[b"\x1b[2J\0\x7f\rx"]),
            "\\u001b[2J\\u0000\\u007f\\rx"
        );
        for character in "\u{80}\u{9b}\u{9f}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}".chars() {
            let expected = format!("<\\u{:04x}>", u32::from(character));
            assert_eq!(escape(&[format!("<{character}>").as_bytes()]), expected);
        }
        for character in
            "\u{ad}\u{34f}\u{180e}\u{200b}\u{200d}\u{2060}\u{3164}\u{fe0f}\u{feff}\u{ffa0}".chars()
        {
            let expected = format!("<\\u{:04x}>", u32::from(character));
            assert_eq!(one_line(&format!("<{character}>")), expected);
        }
        assert_eq!(
            one_line("a\u{e0041}\u{e007f}"),
            "a\\udb40\\udc41\\udb40\\udc7f"
        );
        assert_eq!(one_line("a\r\n\t\u{9b}b"), "a\\r\\n\\t\\u009bb");
    }

    #[test]
    fn characters_that_shape_emoji_and_scripts_stay_unless_they_hide_behind_ascii() {
        for text in [
            "❤\u{fe0f}",
            "👩\u{200d}🔬",
            "می\u{200c}خواهم",
            "葛\u{e0100}",
        ] {
            assert_eq!(one_line(text), text);
            assert!(!has_unsafe(text), "{text}");
            let single: Vec<_> = text.as_bytes().chunks(1).collect();
            assert_eq!(escape(&single), text);
        }
        assert_eq!(one_line("a\u{fe0f}\u{200d}"), "a\\ufe0f\\u200d");
        assert!(has_unsafe("/a\u{200d}"));
    }

    #[test]
    fn characters_that_arrive_in_parts_are_whole() {
        let text = "é🦀\u{202e}\r\n\u{1b}\rx".as_bytes();
        let whole = escape(&[text]);
        assert_eq!(whole, "é🦀\\u202e\r\n\\u001b\\rx");
        for at in 0..=text.len() {
            assert_eq!(escape(&[&text[..at], &text[at..]]), whole, "{at}");
        }
        let single: Vec<_> = text.chunks(1).collect();
        assert_eq!(escape(&single), whole);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(escape(&[b"a\xffb\xe2\x82"]), "a\u{fffd}b\u{fffd}");
        assert_eq!(escape(&[b"\xe2", b"\x28\xa1\r"]), "\u{fffd}(\u{fffd}\\r");
    }

    #[test]
    fn escaped_json_has_the_same_meaning() {
        let value = "\u{85}\u{202e}\u{7f}\u{2028}\u{feff}\u{e0041}x";
        let json = serde_json::to_string(value).unwrap();
        let shown = escape(&[json.as_bytes()]);
        assert!(shown.is_ascii(), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), value);
    }
}
