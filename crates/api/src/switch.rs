//! Settings that are on or off, as text.

/// The words that turn a setting on, in upper or lower case.
const ON: [&str; 6] = ["true", "yes", "on", "1", "t", "y"];

/// The words that turn a setting off.
const OFF: [&str; 6] = ["false", "no", "off", "0", "f", "n"];

/// A text that is not one of these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write true, yes, on or 1, or false, no, off or 0")]
pub struct SwitchError;

/// Reads `true`, `yes`, `on`, `1`, or `false`, `no`, `off`, `0`, in upper or lower case.
///
/// # Errors
/// [`SwitchError`] for every other text.
pub fn parse_switch(text: &str) -> Result<bool, SwitchError> {
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if ON.iter().any(is) {
        Ok(true)
    } else if OFF.iter().any(is) {
        Ok(false)
    } else {
        Err(SwitchError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_words_are_read_in_any_case_and_no_others() {
        for text in ["true", "True", "TRUE", "yes", "On", "1"] {
            assert_eq!(parse_switch(text), Ok(true), "{text}");
        }
        for text in ["false", "False", "no", "NO", "off", "0"] {
            assert_eq!(parse_switch(text), Ok(false), "{text}");
        }
        for text in ["", "maybe", "2", "truee", " no"] {
            assert_eq!(parse_switch(text), Err(SwitchError), "{text}");
        }
    }
}
