//! Finds a short text in a web page: its title, or its first line of text.

/// The largest number of characters that are shown.
const SHOWN: usize = 80;

/// The title of a page, or its first line of text, as one printable line; `None` for a page without text.
pub(crate) fn headline(page: &[u8]) -> Option<String> {
    let page = std::str::from_utf8(page).ok()?;
    let title = element(page, "title").map(printable);
    let title = title.filter(|title| !title.is_empty());
    title.or_else(|| {
        let text = without_tags(page);
        let mut lines = text.lines().map(printable);
        lines.find(|line| !line.is_empty())
    })
}

/// The content of the first element with this name.
fn element<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    // This has the same length as the page, so positions are the same in both.
    let lower = page.to_ascii_lowercase();
    let tag = lower.find(&format!("<{name}"))?;
    let begin = tag + lower[tag..].find('>')? + 1;
    let end = begin + lower[begin..].find("</")?;
    page.get(begin..end)
}

/// The text without tags. Each tag ends a line, as most tags do in a browser.
fn without_tags(page: &str) -> String {
    let mut text = String::new();
    for (at, part) in page.split('<').enumerate() {
        let shown = match part.split_once('>') {
            Some((_, shown)) if at > 0 => shown,
            None if at > 0 => "",
            _ => part,
        };
        text.push('\n');
        text.push_str(shown);
    }
    text
}

/// One line, cut at its largest length, without control characters and characters that change the direction of text.
fn printable(text: &str) -> String {
    let text = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (name, character)| {
        text.replace(name, character)
    });
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ");
    let is_shown = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut kept: String = line.chars().filter(is_shown).take(SHOWN).collect();
    if line.chars().filter(is_shown).count() > SHOWN {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_its_title_or_else_by_its_first_line_of_text() {
        for (page, expected) in [
            (
                "<html><head><title>413 Request Entity Too Large</title></head><body>…",
                Some("413 Request Entity Too Large"),
            ),
            (
                "<HTML><TITLE lang=\"en\">\n Log in &amp; go on\r\n</TITLE>",
                Some("Log in & go on"),
            ),
            (
                "<title></title><body><p>\n<b>No</b> entry</body>",
                Some("No"),
            ),
            (
                "upstream connect error\nmore",
                Some("upstream connect error"),
            ),
            ("{\"message\": \"no\"}", Some("{\"message\": \"no\"}")),
            ("", None),
            ("\r\n <br>", None),
            ("<title", None),
        ] {
            assert_eq!(headline(page.as_bytes()).as_deref(), expected, "{page}");
        }
        assert_eq!(headline(b"\xff\xfe\0"), None);
    }

    #[test]
    fn a_page_can_not_write_to_a_terminal_and_not_fill_it() {
        let page = "<title>a\u{1b}[31mb\u{9b}c\u{202e}d\0</title>";
        assert_eq!(headline(page.as_bytes()).as_deref(), Some("a[31mbcd"));
        let long = headline("x".repeat(10_000).as_bytes()).unwrap();
        assert_eq!(long.chars().count(), SHOWN + 1);
    }
}
