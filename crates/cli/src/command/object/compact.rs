//! JSON on one line.

/// Takes the white space out of a JSON text, and leaves every number and string as it is written.
pub(in crate::command) fn compact(json: &str) -> String {
    let mut compact = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for character in json.chars() {
        if quoted {
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            quoted = character == '"';
        }
        compact.push(character);
    }
    compact
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_between_things_goes() {
        let pretty = "{ \"a b\" : [ 1.50 ,\n\t\"x \\\" y\\\\\" , {} ],\r\n \"\": \"\\\\\" }";
        let expected = "{\"a b\":[1.50,\"x \\\" y\\\\\",{}],\"\":\"\\\\\"}";
        assert_eq!(compact(pretty), expected);
    }
}
