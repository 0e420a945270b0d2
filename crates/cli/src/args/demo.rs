//! The options of `prominence demo`.

use std::time::Duration;

use clap::Args;
use prominence_core::Prefix;

use super::values;

/// Options of `demo`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence demo
  prominence demo /try/ --for 30s

The folder gets a sweep of 300 inputs, a queue of 24 pieces of work, and a counter. The results of the sweep arrive \
over the given time; three workers take work from the queue, and one of them is lost with what it has taken. \
Everything is gone after a day.")]
pub(crate) struct Demo {
    /// The folder.
    #[arg(value_name = "PREFIX", default_value = "/demo/", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// The time over which the results arrive.
    #[arg(long = "for", value_name = "DURATION", default_value = "2m", allow_negative_numbers = true,
          value_parser = values::duration)]
    pub(crate) duration: Duration,
}
