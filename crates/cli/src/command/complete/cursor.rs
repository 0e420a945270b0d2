//! Which argument the last word of an unfinished line is, from the definition of the arguments.

use clap::{Arg, Command};

/// The position of the last word.
pub(super) struct Cursor<'a> {
    command: &'a Command,
    /// The option whose value the last word is.
    option: Option<&'a Arg>,
    /// The number of positional arguments before it.
    positionals: usize,
    /// True if a `--` has ended the options.
    escaped: bool,
    last: &'a str,
}

/// The candidates for the last word.
pub(super) enum Candidates<'a> {
    /// The name of a command below this one.
    Command(&'a Command),
    /// An option of this command.
    Option(&'a Command),
    /// The value of an argument.
    Value {
        argument: &'a Arg,
        /// The text before the value in the same word, such as `--url=`.
        given: &'a str,
        /// The part of the value that is typed already.
        typed: &'a str,
    },
}

impl<'a> Cursor<'a> {
    pub(super) fn of(root: &'a Command, before: &[String], last: &'a str) -> Self {
        let mut cursor = Self {
            command: root,
            option: None,
            positionals: 0,
            escaped: false,
            last,
        };
        for word in before {
            cursor.pass(word);
        }
        cursor
    }

    /// Goes past one word.
    fn pass(&mut self, word: &str) {
        if self.option.take().is_some() {
            return;
        }
        if self.escaped {
            self.positionals += 1;
        } else if word == "--" {
            self.escaped = true;
            self.positionals = 0;
        } else if let Some(name) = word.strip_prefix("--") {
            // With = the value is in the same word.
            self.option = self.long(name).filter(|option| takes_value(option));
        } else if word.len() > 1 && word.starts_with('-') && !is_number(word) {
            self.option = self.short_that_goes_on(&word[1..]);
        } else if let Some(below) = self.below(word) {
            self.command = below;
        } else {
            self.positionals += 1;
        }
    }

    fn below(&self, word: &str) -> Option<&'a Command> {
        (self.positionals == 0)
            .then(|| self.command.find_subcommand(word))
            .flatten()
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        self.command.get_arguments().find(|argument| {
            let mut names = argument
                .get_long_and_visible_aliases()
                .unwrap_or_default()
                .into_iter();
            names.any(|one| one == name)
        })
    }

    /// The last of some short options, if its value is the next word.
    fn short_that_goes_on(&self, letters: &str) -> Option<&'a Arg> {
        for (at, letter) in letters.char_indices() {
            let mut arguments = self.command.get_arguments();
            let option = arguments.find(|argument| argument.get_short() == Some(letter))?;
            if takes_value(option) {
                let is_last = at + letter.len_utf8() == letters.len();
                return is_last.then_some(option);
            }
        }
        None
    }

    /// The candidates for the last word.
    pub(super) fn wanted(&self) -> Vec<Candidates<'a>> {
        let value = |argument| Candidates::Value {
            argument,
            given: "",
            typed: self.last,
        };
        if let Some(option) = self.option {
            return vec![value(option)];
        }
        if !self.escaped
            && let Some(rest) = self.last.strip_prefix("--")
            && let Some((name, typed)) = rest.split_once('=')
        {
            let given = &self.last[..self.last.len() - typed.len()];
            let value = |argument| Candidates::Value {
                argument,
                given,
                typed,
            };
            return self.long(name).map(value).into_iter().collect();
        }
        if !self.escaped && self.last.starts_with('-') {
            return vec![Candidates::Option(self.command)];
        }
        let mut wanted = Vec::new();
        if self.positionals == 0 && !self.escaped && self.command.has_subcommands() {
            wanted.push(Candidates::Command(self.command));
        }
        wanted.extend(self.positional().map(value));
        wanted
    }

    /// The positional argument that the last word is.
    fn positional(&self) -> Option<&'a Arg> {
        if self.escaped
            && let Some(last) = self.command.get_positionals().find(|one| one.is_last_set())
        {
            return Some(last);
        }
        let positionals = self
            .command
            .get_positionals()
            .filter(|one| !one.is_last_set());
        let positionals: Vec<_> = positionals.collect();
        let several = |argument: &&&Arg| {
            argument
                .get_num_args()
                .is_some_and(|count| count.max_values() > 1)
        };
        let found = positionals.get(self.positionals).copied();
        found.or_else(|| positionals.last().filter(several).copied())
    }
}

/// True if an option's value may be the next word.
fn takes_value(option: &Arg) -> bool {
    let takes = option
        .get_num_args()
        .is_some_and(|count| count.min_values() > 0);
    takes && !option.is_require_equals_set()
}

fn is_number(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}
