//! `prominence serve`: the server, its log, and the first lines that it prints.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use prominence_core::permit::Scopes;
use prominence_server::serve::Checked;
use prominence_server::token::NewToken;
use prominence_server::{Config, ServeError, Settings, Started};
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use super::issue;
use crate::config;
use crate::failure::Failure;
use crate::output::{self, Output};

/// The level or filter of the log.
const LOG: &str = "PROMINENCE_LOG";

/// The lifetime of the token of a trial: a week.
const TRIAL: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn run(settings: Settings, output: &mut Output) -> Result<(), Failure> {
    super::keep_files_private();
    start_log()?;
    #[cfg(target_os = "linux")]
    use_small_pages();
    let checks = settings.check;
    let config = settings
        .clone()
        .resolve()
        .map_err(|error| Failure::Usage(error.to_string()))?;
    if checks {
        return check(config, output);
    }
    let trial = if config.dev {
        Some(issue::default_user()?)
    } else {
        None
    };
    let announce = |started: &Started| {
        // A closed standard output is no reason not to serve.
        let _ = match trial {
            None => announce(started, output),
            Some(user) => {
                let token = NewToken {
                    user,
                    job: None,
                    groups: Vec::new(),
                    scopes: Scopes::Unrestricted,
                    lifetime: TRIAL,
                };
                announce_trial(started, &token, output)
            }
        };
    };
    prominence_server::serve(settings, config, announce)
        .map_err(|error| Failure::Serve(error.to_string()))
}

/// Says of each issuer what it answered, and that everything else can be used.
fn check(config: Config, output: &mut Output) -> Result<(), Failure> {
    let refused = |error: ServeError| Failure::Serve(error.to_string());
    let Checked { issuers } = prominence_server::serve::check(config).map_err(refused)?;
    writeln!(output, "configuration: valid")?;
    let mut bad = 0;
    for (name, answer) in issuers {
        match answer {
            Ok(keys) => writeln!(output, "issuer {name}: usable keys: {keys}")?,
            Err(why) => {
                bad += 1;
                writeln!(output, "issuer {name}: {}", output::one_line(&why))?;
            }
        }
    }
    match bad {
        0 => Ok(()),
        bad => Err(Failure::Serve(format!(
            "{bad} of the issuers can't be used; their tokens would be refused with 503"
        ))),
    }
}

/// Has the operating system give memory by the page of 4 KiB.
///
/// The allocator asks for huge pages of 2 MiB, and then all of a buffer is resident of which a
/// connection has only used the beginning: a request that waits took half as much again.
#[cfg(target_os = "linux")]
fn use_small_pages() {
    // If that fails, the server only takes more memory.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Prints the URL, and on the first start the command that makes a token.
fn announce(started: &Started, output: &mut Output) -> io::Result<()> {
    writeln!(output, "listening on {}", started.url)?;
    output.flush()?;
    if let Some(file) = &started.made_secret {
        output::say(format_args!(
            "prominence: a new signing secret is in {}; make a token with prominence token create \
             --user USER --data-dir {}",
            file.display(),
            started.data_dir.display()
        ));
    }
    Ok(())
}

/// Two lines to paste.
fn announce_trial(started: &Started, token: &NewToken, output: &mut Output) -> io::Result<()> {
    let token = match issue::sign(&started.secret, token) {
        Ok(token) => token,
        Err(failure) => {
            output::complain(&failure);
            return Ok(());
        }
    };
    writeln!(output, "export {}={}", config::URL, started.url)?;
    writeln!(output, "export {}={token}", config::TOKEN)?;
    output.flush()?;
    output::say(format_args!(
        "paste these two lines into another terminal and try prominence kv list; the data is in \
         {}; Ctrl-C ends the server",
        started.data_dir.display()
    ));
    let page = started.page.as_ref();
    if let Some(address) = page.and_then(|page| page.signed_in(token)) {
        output::say(format_args!(
            "or open {address} in a browser within a minute; prominence demo stores example data to look at"
        ));
    }
    Ok(())
}

/// Starts the log on standard error.
fn start_log() -> Result<(), Failure> {
    let text = config::variable(LOG);
    let filter = log_filter(text.as_deref())?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal() && config::variable("NO_COLOR").is_none());
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .map_err(|error| Failure::Serve(format!("cannot start the log: {error}")))
}

/// A filter of the log.
type Filter = Box<dyn Layer<Registry> + Send + Sync>;

/// The filter of the log: a level, or directives by target, span and level.
fn log_filter(text: Option<&str>) -> Result<Filter, Failure> {
    let refused = |why: &str| {
        Failure::Usage(format!(
            "{LOG} is {:?}; it can be error, warn, info, debug or trace, or a filter such as \
             [request{{request_id=ID}}]=debug{why}",
            text.unwrap_or_default()
        ))
    };
    match text.map(|text| (text, text.parse())) {
        None => Ok(by_level(LevelFilter::INFO)),
        Some((_, Ok(level))) => Ok(by_level(level)),
        // A word alone would be a filter too, of a target that does not exist.
        Some((text, Err(_))) if !text.contains('=') => Err(refused("")),
        Some((text, Err(_))) => {
            let directives = format!("warn,prominence=info,{text}");
            let filter = EnvFilter::builder().parse(directives);
            let filter = filter.map_err(|error| refused(&format!(" ({error})")))?;
            Ok(Box::new(filter))
        }
    }
}

/// The server's own lines from this level on, and those of libraries from warnings on. Unlike [`EnvFilter`] it does
/// nothing when a span is entered.
fn by_level(level: LevelFilter) -> Filter {
    let targets = Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target("prominence", level);
    Box::new(targets)
}
