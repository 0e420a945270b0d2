//! `prominence version`: which program this is.

use std::io::Write as _;

use serde::Serialize;

use crate::args::Version;
use crate::failure::Failure;
use crate::output::Output;

/// The commit that was checked out when this program was built; the build script sets it.
const COMMIT: Option<&str> = option_env!("PROMINENCE_BUILT_FROM");

/// The parts that this program was built with.
const FEATURES: &[&str] = &[
    #[cfg(feature = "server")]
    "server",
    #[cfg(feature = "etcd")]
    "etcd",
];

/// The output of `--json`.
#[derive(Serialize)]
struct Shown {
    version: &'static str,
    commit: Option<&'static str>,
    features: &'static [&'static str],
}

pub(super) fn run(options: &Version, output: &mut Output) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if options.json {
        output.json(&Shown {
            version,
            commit: COMMIT,
            features: FEATURES,
        })?;
        return Ok(());
    }
    writeln!(output, "prominence {version}")?;
    writeln!(output, "commit: {}", COMMIT.unwrap_or("not known"))?;
    let features = match FEATURES {
        [] => "none".to_owned(),
        features => features.join(", "),
    };
    writeln!(output, "features: {features}")?;
    Ok(())
}
