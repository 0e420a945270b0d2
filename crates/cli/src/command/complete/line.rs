//! The words of an unfinished line, by the quoting rules of the shell that it is typed in.

/// The shells whose scripts ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// A line up to the cursor, without the program's name.
pub(super) struct Unfinished {
    pub(super) shell: Shell,
    /// The words before the one that is being typed.
    pub(super) before: Vec<String>,
    /// The word that is being typed.
    pub(super) last: Word,
}

/// A word that is being typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Its text.
    pub(super) text: String,
    /// The part that is typed, quotes included.
    raw: String,
    quote: Quote,
    /// The end of `raw` that bash replaces. It begins a word anew after some characters, such as `:`.
    replaced: Option<String>,
}

/// The quotes that the cursor is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Quote {
    #[default]
    None,
    Single,
    Double,
}

impl Unfinished {
    /// Reads what a script passes on: the shell's name and, from bash, the line up to the cursor and the
    /// part of its last word that bash will replace; from the others the words, of which fish passes
    /// the last one as it is typed.
    pub(super) fn read(words: &[String]) -> Option<Self> {
        let (shell, words) = words.split_first()?;
        match shell.as_str() {
            "bash" => {
                let [line, replaced] = words else { return None };
                let mut split = split(line);
                let mut last = split.pop()?;
                last.replaced = Some(replaced.clone());
                let before = split.into_iter().skip(1).map(|word| word.text);
                Some(Self {
                    shell: Shell::Bash,
                    before: before.collect(),
                    last,
                })
            }
            "zsh" | "fish" => {
                let (last, before) = words.split_last()?;
                let (shell, last) = match shell.as_str() {
                    "fish" => (Shell::Fish, split(last).pop().unwrap_or_default()),
                    _ => (Shell::Zsh, Word::plain(last)),
                };
                Some(Self {
                    shell,
                    before: before.to_vec(),
                    last,
                })
            }
            _ => None,
        }
    }
}

impl Word {
    fn plain(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            raw: text.to_owned(),
            ..Self::default()
        }
    }

    /// The text of a candidate for the shell; `None` if it does not continue this word. zsh and
    /// fish quote by themselves; bash is given the rest in the quotes that the cursor is in, and all
    /// that it replaces.
    pub(super) fn finish(&self, candidate: &str, shell: Shell) -> Option<String> {
        let rest = candidate.strip_prefix(self.text.as_str())?;
        if shell != Shell::Bash {
            return Some(candidate.to_owned());
        }
        let whole = format!("{}{}", self.raw, self.quote.quoted(rest));
        let kept = match &self.replaced {
            Some(replaced) => self.raw.strip_suffix(replaced.as_str())?,
            None => "",
        };
        Some(whole[kept.len()..].to_owned())
    }

    fn push(&mut self, raw: char, meant: Option<char>) {
        self.raw.push(raw);
        self.text.extend(meant);
    }
}

impl Quote {
    /// Text as it has to be typed inside these quotes (POSIX.1-2024, section 2.2; `!` is bash's
    /// history).
    fn quoted(self, text: &str) -> String {
        let mut quoted = String::new();
        for character in text.chars() {
            match self {
                Self::Single if character == '\'' => quoted.push_str("'\\'"),
                Self::Double if matches!(character, '"' | '\\' | '$' | '`') => quoted.push('\\'),
                Self::None if !is_plain(character) => quoted.push('\\'),
                _ => {}
            }
            quoted.push(character);
        }
        quoted
    }
}

/// True if a shell takes a character for what it is, wherever it stands in a word.
fn is_plain(character: char) -> bool {
    character.is_alphanumeric() || "/-_.,:=@%+…".contains(character)
}

/// Splits a line into words. The last one is being typed and may be empty.
fn split(line: &str) -> Vec<Word> {
    let mut words = vec![Word::default()];
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let Some(word) = words.last_mut() else { break };
        match (word.quote, character) {
            (Quote::None, ' ' | '\t' | '\n') => {
                if !word.raw.is_empty() {
                    words.push(Word::default());
                }
            }
            (Quote::None, '\'') => {
                word.quote = Quote::Single;
                word.push(character, None);
            }
            (Quote::None, '"') => {
                word.quote = Quote::Double;
                word.push(character, None);
            }
            (Quote::Single, '\'') | (Quote::Double, '"') => {
                word.quote = Quote::None;
                word.push(character, None);
            }
            (Quote::None, '\\') => {
                word.push(character, None);
                if let Some(next) = characters.next() {
                    word.push(next, Some(next));
                }
            }
            (Quote::Double, '\\') => match characters.peek().copied() {
                Some(next @ ('"' | '\\' | '$' | '`')) => {
                    characters.next();
                    word.push(character, None);
                    word.push(next, Some(next));
                }
                _ => word.push(character, Some(character)),
            },
            _ => word.push(character, Some(character)),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bash(line: &str, replaced: &str) -> Unfinished {
        Unfinished::read(&["bash", line, replaced].map(str::to_owned)).unwrap()
    }

    #[test]
    fn a_line_is_split_as_bash_splits_it() {
        let line = bash(r#"prominence kv  get "a b" 'c"d' e\ f "g\"h" "#, "");
        assert_eq!(line.before, ["kv", "get", "a b", "c\"d", "e f", "g\"h"]);
        assert_eq!(line.last.text, "");
    }

    #[test]
    fn a_candidate_goes_on_in_the_quotes_that_are_open() {
        let key = "/it's 5$ & \"more\"";
        for (typed, replaced, finished) in [
            ("/i", "/i", r#"/it\'s\ 5\$\ \&\ \"more\""#),
            ("\"/i", "/i", r#"/it's 5\$ & \"more\""#),
            ("'/i", "/i", r#"/it'\''s 5$ & "more""#),
            (r"/it\'s\ ", r"/it\'s\ ", r#"/it\'s\ 5\$\ \&\ \"more\""#),
        ] {
            let line = bash(&format!("prominence kv get {typed}"), replaced);
            let answer = line.last.finish(key, Shell::Bash);
            assert_eq!(answer.as_deref(), Some(finished), "{typed}");
        }
    }

    #[test]
    fn bash_is_given_what_it_replaces_after_a_colon() {
        let line = bash("prominence kv get /host:80", "80");
        assert_eq!(
            line.last.finish("/host:8080", Shell::Bash).as_deref(),
            Some("8080")
        );
        assert_eq!(line.last.finish("/other", Shell::Bash), None);
    }

    #[test]
    fn fish_and_zsh_are_given_the_key_as_it_is() {
        let words = ["fish", "kv", "get", "\"/a b"].map(str::to_owned);
        let line = Unfinished::read(&words).unwrap();
        assert_eq!(line.before, ["kv", "get"]);
        assert_eq!(
            line.last.finish("/a b c", line.shell).as_deref(),
            Some("/a b c")
        );
        let words = ["zsh", "kv", "get", "/a b"].map(str::to_owned);
        let line = Unfinished::read(&words).unwrap();
        assert_eq!(
            line.last.finish("/a b c", line.shell).as_deref(),
            Some("/a b c")
        );
    }
}
