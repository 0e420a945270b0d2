//! Instructions of one request, counted by valgrind: the steadiest measure of its cost.

use std::process::Command;

use crate::bench::callgrind::{Part, Profile};
use crate::bench::figures::Figures;
use crate::bench::http::Caller;
use crate::bench::lab::Lab;
use crate::bench::server::Server;

/// What one request costs is the difference of these two, so that starting and stopping fall
/// out.
const FEW: u32 = 200;
const MANY: u32 = 2_200;

const VALUE: [u8; 1_000] = [b'x'; 1_000];

/// The parts of the program, as their figures are called.
const PARTS: &[(Part, &str)] = &[
    (Part::Http, "HTTP"),
    (Part::Runtime, "runtime"),
    (Part::Storage, "storage"),
    (Part::Allocator, "allocator"),
    (Part::Own, "own"),
    (Part::Rest, "rest"),
];

/// A get of a hot key and a durable set, both of 1 KB over one connection.
pub(super) fn count(lab: &Lab) -> anyhow::Result<Figures> {
    if !lab.has("valgrind") {
        anyhow::bail!("valgrind is missing");
    }
    let get = Cost::measure(lab, |caller, url| caller.get(url))?;
    let set = Cost::measure(lab, |caller, url| caller.post(url, &VALUE))?;
    let mut figures = Figures::default();
    for (name, cost) in [("get", get), ("set", set)] {
        figures.note(name, cost.of(Profile::total)?);
        for (part, of) in PARTS {
            figures.note(
                format!("{name}: {of}"),
                cost.of(|profile| profile.of(*part))?,
            );
        }
    }
    Ok(figures)
}

/// What few requests cost, and what many do.
struct Cost {
    few: Profile,
    many: Profile,
}

impl Cost {
    fn measure(
        lab: &Lab,
        ask: impl Fn(&Caller, &str) -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            few: run(lab, FEW, &ask)?,
            many: run(lab, MANY, &ask)?,
        })
    }

    /// Instructions for each request.
    fn of(&self, count: impl Fn(&Profile) -> u64) -> anyhow::Result<f64> {
        let more = count(&self.many).saturating_sub(count(&self.few));
        Ok(f64::from(u32::try_from(more)?) / f64::from(MANY - FEW))
    }
}

/// Instructions of a server that is asked so many times.
fn run(
    lab: &Lab,
    times: u32,
    ask: impl Fn(&Caller, &str) -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<Profile> {
    let data = lab.folder()?;
    let counted = data.path().join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind"]);
    valgrind.arg(format!("--callgrind-out-file={}", counted.display()));
    let server = Server::start_below(lab, &data.path().join("data"), &mut valgrind)?;
    let (caller, url) = (server.caller(), server.kv("/hot"));
    caller.post(&url, &VALUE)?;
    for _ in 0..times {
        ask(&caller, &url)?;
    }
    server.stop()?;
    Profile::read(&counted)
}
