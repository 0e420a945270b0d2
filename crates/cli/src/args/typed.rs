//! Positional arguments that may begin with a hyphen, such as the value -5.2e-3, without taking a misspelt
//! option for one.

use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};

use crate::text::nearest;

/// The end of the options, after which every word is an argument.
const END_OF_OPTIONS: &str = "--";

/// The byte-order mark that some programs write before text in UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A text. One that begins with two hyphens is an option that does not exist, unless `--` ended the options.
#[derive(Clone)]
pub(super) struct ValueText;

/// A whole number in the range of `i64`.
#[derive(Clone)]
pub(super) struct WholeNumber;

impl TypedValueParser for ValueText {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        let text = clap::builder::StringValueParser::new().parse_ref(command, argument, value)?;
        refuse_option(command, &text)?;
        Ok(text)
    }
}

impl TypedValueParser for WholeNumber {
    type Value = i64;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<i64, Error> {
        let text = value.to_string_lossy();
        refuse_option(command, &text)?;
        text.parse().map_err(|_| {
            let why = if text.starts_with(BYTE_ORDER_MARK) {
                "it begins with a byte-order mark (U+FEFF); type the number without it".to_owned()
            } else if text.parse::<f64>().is_ok_and(f64::is_finite)
                && text.contains(['.', 'e', 'E'])
            {
                "only whole numbers can be added; count in a smaller unit (0.5 s is 500 ms), or \
                 compute the sum yourself and store it with prominence kv set --if-revision"
                    .to_owned()
            } else {
                format!("write a whole number from {} to {}", i64::MIN, i64::MAX)
            };
            let message = format!("\"{text}\" can't be added: {why}");
            command.clone().error(ErrorKind::ValueValidation, message)
        })
    }
}

/// The parser's error, or a better one where the parser took a misspelt option for the value, and found the
/// option's own value to be too much: `set /x --tll 1h 1`.
pub(crate) fn misspelt(error: Error, root: Command) -> Error {
    let is_argument = |value: &ContextValue| !value.to_string().starts_with('-');
    let too_much = error.kind() == ErrorKind::UnknownArgument
        && error.get(ContextKind::InvalidArg).is_some_and(is_argument);
    if !too_much {
        return error;
    }
    let mut command = root;
    command.build();
    for word in std::env::args()
        .skip(1)
        .take_while(|word| word != END_OF_OPTIONS)
    {
        if let Some(below) = command.find_subcommand(&word) {
            command = below.clone();
        } else if let Some(name) = word.strip_prefix(END_OF_OPTIONS) {
            let name = name.split_once('=').map_or(name, |(name, _)| name);
            let is_option = |argument: &Arg| argument.get_long() == Some(name);
            if takes_hyphens(&command) && !command.get_arguments().any(is_option) {
                return refuse_option(&command, &word).err().unwrap_or(error);
            }
        } else if let [b'-', letter] = word.as_bytes()
            && letter.is_ascii_alphabetic()
            && takes_hyphens(&command)
            && !command
                .get_arguments()
                .any(|argument| argument.get_short() == Some(char::from(*letter)))
        {
            return unknown(&command, &word);
        }
    }
    error
}

/// True if a misspelt option of this command can be taken for an argument.
fn takes_hyphens(command: &Command) -> bool {
    let mut arguments = command.get_positionals();
    arguments.any(Arg::is_allow_hyphen_values_set)
}

/// Refuses what looks like an option, with the name of the one that may be meant.
fn refuse_option(command: &Command, text: &str) -> Result<(), Error> {
    let Some(name) = text
        .strip_prefix(END_OF_OPTIONS)
        .filter(|name| !name.is_empty())
    else {
        return Ok(());
    };
    if std::env::args_os().any(|word| word == END_OF_OPTIONS) {
        return Ok(());
    }
    let name = name.split_once('=').map_or(name, |(name, _)| name);
    let meant = nearest(name, command.get_arguments().filter_map(Arg::get_long));
    let option = |name: &str| format!("{END_OF_OPTIONS}{name}");
    let mut error = unknown(command, &option(name));
    match meant {
        Some(meant) => {
            let meant = ContextValue::String(option(meant));
            error.insert(ContextKind::SuggestedArg, meant);
        }
        None => {
            let tip = format!("to use {text} as an argument, write {END_OF_OPTIONS} before it");
            let tips = ContextValue::StyledStrs(vec![tip.into()]);
            error.insert(ContextKind::Suggested, tips);
        }
    }
    Err(error)
}

/// The parser's error for an option that does not exist.
fn unknown(command: &Command, option: &str) -> Error {
    let mut error = Error::new(ErrorKind::UnknownArgument).with_cmd(command);
    let usage = command.clone().render_usage();
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    error.insert(
        ContextKind::InvalidArg,
        ContextValue::String(option.to_owned()),
    );
    error
}
