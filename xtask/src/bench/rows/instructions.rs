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

/// A part of the program, with what its figure is called for a get and for a set.
type Named = (Part, &'static str, &'static str);

const PARTS: &[Named] = &[
    (Part::Http, "get: HTTP", "set: HTTP"),
    (Part::Runtime, "get: runtime", "set: runtime"),
    (Part::Storage, "get: storage", "set: storage"),
    (Part::Allocator, "get: allocator", "set: allocator"),
    (Part::Own, "get: own", "set: own"),
    (Part::Rest, "get: rest", "set: rest"),
];

/// A get of a hot key and a durable set, both of 1 KB over one connection.
pub(crate) fn count(lab: &Lab) -> anyhow::Result<Figures> {
    if !lab.has("valgrind") {
        anyhow::bail!("valgrind is missing");
    }
    let get = Cost::measure(lab, |caller, url| caller.get(url))?;
    let set = Cost::measure(lab, |caller, url| caller.post(url, &VALUE))?;
    let mut figures = Figures::default();
    figures.note("get", get.of(Profile::total)?);
    figures.note("set", set.of(Profile::total)?);
    for (part, of_get, of_set) in PARTS {
        figures.note(of_get, get.of(|profile| profile.of(*part))?);
        figures.note(of_set, set.of(|profile| profile.of(*part))?);
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
