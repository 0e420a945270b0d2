//! Instructions of one request, counted by valgrind: the steadiest measure of its cost.

use anyhow::{Context as _, ensure};

use super::callgrind::{Part, Profile};
use super::figures::Figures;
use super::http::Caller;
use super::lab::Lab;
use super::server::Additions;
use super::subjects::Started;

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

/// Asks for the one key, or sets it.
type Ask = fn(&Caller, &str) -> anyhow::Result<Vec<u8>>;

/// A get of a hot key and a durable set, both of 1 KB over one connection; beside a bare server, which shows
/// what any server costs that reads HTTP, appends and syncs.
pub(crate) fn count(lab: &Lab, figures: &mut Figures) -> anyhow::Result<()> {
    ensure!(lab.has("valgrind"), "valgrind is missing");
    let get: Ask = |caller, url| caller.get(url);
    let set: Ask = |caller, url| caller.post(url, &VALUE);
    for (name, ask) in [("get", get), ("set", set)] {
        let ours = Cost::measure(lab, "ours", ask)?;
        figures.note(name, ours.of(Profile::total)?);
        for (part, of) in PARTS {
            let figure = ours.of(|profile| profile.of(*part))?;
            figures.note(format!("{name}: {of}"), figure);
        }
        let bare = Cost::measure(lab, "bare-appending", ask)?;
        figures.note(format!("bare hyper, {name}"), bare.of(Profile::total)?);
    }
    Ok(())
}

/// What few requests cost, and what many do.
struct Cost {
    few: Profile,
    many: Profile,
}

impl Cost {
    fn measure(lab: &Lab, subject: &str, ask: Ask) -> anyhow::Result<Self> {
        Ok(Self {
            few: run(lab, subject, FEW, ask)?,
            many: run(lab, subject, MANY, ask)?,
        })
    }

    /// Instructions for each request.
    fn of(&self, count: impl Fn(&Profile) -> u64) -> anyhow::Result<f64> {
        let more = count(&self.many).saturating_sub(count(&self.few));
        Ok(f64::from(u32::try_from(more)?) / f64::from(MANY - FEW))
    }
}

/// Instructions of a server that is asked so many times.
fn run(lab: &Lab, subject: &str, times: u32, ask: Ask) -> anyhow::Result<Profile> {
    let folder = lab.folder()?;
    let counted = folder.path().join("callgrind.out");
    let file = format!("--callgrind-out-file={}", counted.display());
    let valgrind = ["valgrind", "--quiet", "--tool=callgrind", &file];
    let additions = Additions {
        before: valgrind.map(str::to_owned).into(),
        ..Additions::default()
    };
    let server = Started::start(lab, subject, &folder.path().join("data"), &additions)?;
    let (url, hot) = server.urls();
    let url = url + hot;
    let caller = Caller::with_token(server.token(lab).context("both take a token")?);
    caller.post(&url, &VALUE)?;
    for _ in 0..times {
        ask(&caller, &url)?;
    }
    server.stop()?;
    Profile::read(&counted)
}
