//! Carries out what a row's sides say: starts a subject, bears its loads, and notes the figures.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::catalogue::{Contents, Load, Measure, Notes, Side};
use super::device::Device;
use super::figures::Figures;
use super::generators::{Generator, Speed, Wrk};
use super::lab::Lab;
use super::process::Spent;
use super::server::Server;
use super::stores::{copied, disk, prepared, read_through, settle_disk};
use super::subjects::{self, Started};
use crate::sh;

/// What goes on beside a load begins so much before it and ends as much after it.
const MARGIN_SECONDS: u32 = 1;
const MARGIN: Duration = Duration::from_secs(1);

/// How long a server stands idle that is asked nothing.
const IDLE: Duration = Duration::from_secs(2);

/// A side that runs.
struct Bench<'a> {
    lab: &'a Lab<'a>,
    subject: Started,
    data: &'a Path,
    /// What is in its store.
    contents: Option<Contents>,
    /// A file with a token for each user.
    tokens: Option<PathBuf>,
    /// The device below its folder, or why that can't be counted; where a load wants it.
    device: Option<Result<Device, String>>,
}

/// Measures a side.
pub(crate) fn measure(lab: &Lab, side: &Side, figures: &mut Figures) -> anyhow::Result<()> {
    if let Some(reason) = subjects::lacking(lab, side.of) {
        for name in side.names() {
            figures.lack(name, &*reason);
        }
        return Ok(());
    }
    let folder = match &side.data {
        Some(data) if side.copy => copied(lab, data)?,
        _ => lab.folder()?,
    };
    let data = match &side.data {
        Some(data) if !side.copy => prepared(lab, data)?,
        _ => folder.path().to_owned(),
    };
    let bench = Bench::start(lab, side, &data)?;
    for (measure, name) in &side.note {
        let figure = bench.look(*measure)?;
        figures.note(
            name,
            figure.with_context(|| format!("{measure:?} is of a load"))?,
        );
    }
    for load in &side.loads {
        bench.bear(load, figures)?;
    }
    match bench.subject {
        Started::Ours(server) => server.stop(),
        Started::Peer(_) | Started::Nobody => Ok(()),
    }
}

impl<'a> Bench<'a> {
    fn start(lab: &'a Lab<'a>, side: &Side, data: &'a Path) -> anyhow::Result<Self> {
        let contents = side.data.as_ref().map(|name| Contents::of(lab, name));
        let contents = contents.transpose()?;
        if side.cached {
            // Whether the system has a file in its cache depends on the row before.
            read_through(data)?;
        }
        if side.restart {
            Server::start(lab, data)?.stop()?;
        }
        let users = contents.as_ref().filter(|_| side.tokens);
        let users = users.map(|contents| contents.users);
        let tokens = users
            .map(|users| sign_tokens(lab, data, users))
            .transpose()?;
        let mut notes = side.loads.iter().map(|load| &load.note);
        let counts = notes.any(|note| note.contains_key(&Measure::Device));
        let device = counts.then(|| {
            let device = settle_disk().and_then(|()| Device::quiet(data));
            device.map_err(|reason| format!("{reason:#}"))
        });
        let subject = Started::start(lab, side.of, data)?;
        if let Started::Ours(server) = &subject
            && side.hot
        {
            server.set_hot()?;
        }
        Ok(Self {
            lab,
            subject,
            data,
            contents,
            tokens,
            device,
        })
    }

    /// Lets it be asked, and notes what came of it.
    fn bear(&self, load: &Load, figures: &mut Figures) -> anyhow::Result<()> {
        let seconds = self.lab.at_least(load.at_least);
        if load.warm > 0 {
            let warm = self.lab.at_least(load.warm);
            self.generator(load, warm)?.0.run()?;
        }
        let beside = load.beside.as_deref();
        let beside = beside.map(|beside| {
            let (generator, folder) = self.generator(beside, seconds + 2 * MARGIN_SECONDS)?;
            let running = generator.start()?;
            std::thread::sleep(MARGIN);
            anyhow::Ok((beside, running, folder))
        });
        let beside = beside.transpose()?;
        let before = Counted::take(self, &load.note)?;
        let speed = self.ask(load, seconds)?;
        let after = Counted::take(self, &load.note)?;
        let count = speed.rate * f64::from(seconds);
        for (measure, name) in &load.note {
            let spent = |of: fn(&Spent) -> f64| {
                let spent = Option::zip(before.spent.as_ref(), after.spent.as_ref());
                spent.map(|(before, after)| (of(after) - of(before)) * 1e6 / count)
            };
            let figure = match measure {
                Measure::Rate => Some(speed.rate),
                Measure::Median => Some(speed.median),
                Measure::P99 => Some(speed.p99),
                Measure::User => spent(|spent| spent.user),
                Measure::System => spent(|spent| spent.system),
                Measure::Device => {
                    let bytes = u32::try_from(self.value(load).0)?;
                    match after.written_since(&before) {
                        Ok(written) => figures.note(name, written / (count * f64::from(bytes))),
                        Err(reason) => figures.lack(name, reason),
                    }
                    continue;
                }
                of_the_side => self.look(*of_the_side)?,
            };
            figures.note(name, figure.with_context(|| format!("no {measure:?}"))?);
        }
        if let Some((load, running, _folder)) = beside {
            let speed = running.finish()?;
            let name = load
                .note
                .get(&Measure::Rate)
                .context("only its rate is noted")?;
            figures.note(name, speed.rate);
        }
        Ok(())
    }

    /// What can be seen of a side at any time; `None` where that takes a load.
    fn look(&self, measure: Measure) -> anyhow::Result<Option<f64>> {
        let process = || self.subject.process();
        let for_each = |bytes: f64| {
            let contents = self.contents.as_ref().context("nothing is stored")?;
            anyhow::Ok(bytes / f64::from(u32::try_from(contents.keys)?))
        };
        Ok(Some(match (measure, &self.subject) {
            (Measure::Resident, _) => process()?.resident()?,
            (Measure::Peak, _) => process()?.peak()?,
            (Measure::ResidentEach, _) => for_each(process()?.resident()? * 1_048_576.0)?,
            (Measure::DiskEach, _) => for_each(disk(self.data)?)?,
            (Measure::Ready, Started::Ours(server)) => server.ready_after(),
            _ => return Ok(None),
        }))
    }

    fn ask(&self, load: &Load, seconds: u32) -> anyhow::Result<Speed> {
        let (url, _) = self.subject.urls();
        match &*load.asks {
            "redis-get" => subjects::redis_gets(&url, seconds),
            "redis-set" => subjects::redis_sets(&url, seconds),
            "nothing" => {
                std::thread::sleep(IDLE);
                let (rate, median, p99) = (0.0, 0.0, 0.0);
                Ok(Speed { rate, median, p99 })
            }
            _ => self.generator(load, seconds)?.0.run(),
        }
    }

    /// What bears a load, and a folder that is to be there as long.
    fn generator(
        &self,
        load: &Load,
        seconds: u32,
    ) -> anyhow::Result<(Generator, Option<tempfile::TempDir>)> {
        let (url, hot) = self.subject.urls();
        let (bytes, keys) = self.value(load);
        let connections = load.connections;
        match &*load.asks {
            "appends" => {
                let appends = Generator::appends(self.lab, load.bytes, connections, seconds)?;
                return Ok((appends.0, Some(appends.1)));
            }
            "nats-put" => return Ok((subjects::nats_puts(&url, connections, seconds)?, None)),
            _ => {}
        }
        let is_hot = load.asks == "hot";
        let url = if is_hot { url + hot } else { url };
        let mut wrk = Wrk::new(url, seconds, connections);
        wrk.token = self.subject.token(self.lab).map(str::to_owned);
        if !is_hot {
            wrk = wrk.asks(&load.asks, keys).with("BENCH_BYTES", bytes);
        }
        if let Some(tokens) = &self.tokens {
            wrk = wrk.with("BENCH_TOKENS", tokens.display());
        }
        Ok((wrk.generator(), None))
    }

    /// Bytes of a value, and keys to choose from.
    fn value(&self, load: &Load) -> (u64, u64) {
        let contents = self.contents.as_ref();
        contents.map_or((load.bytes, load.keys), |held| (held.bytes, held.keys))
    }
}

/// What has been counted up to a moment.
struct Counted {
    spent: Option<Spent>,
    written: Option<Result<f64, String>>,
}

impl Counted {
    fn take(bench: &Bench<'_>, notes: &Notes) -> anyhow::Result<Self> {
        let wants = |measure| notes.contains_key(&measure);
        let device = bench.device.as_ref().filter(|_| wants(Measure::Device));
        let written = device.map(|device| {
            // What is still in the operating system's cache counts as well.
            let written = device
                .as_ref()
                .map(|device| settle_disk().and_then(|()| device.written()));
            written?.map_err(|error| error.to_string())
        });
        let times = wants(Measure::User) || wants(Measure::System);
        let spent = times.then(|| bench.subject.process()?.spent());
        let spent = spent.transpose()?;
        Ok(Self { spent, written })
    }

    /// Bytes that the device was given since, or why they aren't known.
    fn written_since(&self, before: &Self) -> Result<f64, String> {
        let bytes = |at: &Self| {
            at.written
                .clone()
                .unwrap_or_else(|| Err("not counted".into()))
        };
        Ok(bytes(self)? - bytes(before)?)
    }
}

/// A file with a token of each user, which the requests choose from.
fn sign_tokens(lab: &Lab, data: &Path, users: u64) -> anyhow::Result<PathBuf> {
    let mut sign = lab.own("tokens");
    sign.arg(data).args(["--users", &users.to_string()]);
    let file = data.join("tokens");
    std::fs::write(&file, sh::output(&mut sign)?)?;
    Ok(file)
}
