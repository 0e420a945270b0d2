//! One load of a side: what bears it, what goes on beside it, and what is noted of it.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::{Bench, asks};
use crate::bench::catalogue::{Load, Measure, Notes};
use crate::bench::figures::Figures;
use crate::bench::generators::{Generator, Program, Running, Speed, Wrk, shared};
use crate::bench::process::Spent;
use crate::bench::stores::settle_disk;
use crate::bench::subjects::{self, Started};
use crate::bench::{instructions, report};

/// What goes on beside a load begins so much before it and ends as much after it.
const MARGIN_SECONDS: u32 = 1;
const MARGIN: Duration = Duration::from_secs(1);

/// How long a server stands idle that is asked nothing.
const IDLE: Duration = Duration::from_secs(2);

/// What goes on beside a load.
enum Beside<'a> {
    Timed(&'a Load, Running, Option<tempfile::TempDir>),
    Held(Program),
}

impl Bench<'_> {
    /// Lets it be asked, and notes what came of it.
    pub(super) fn bear(&self, load: &Load, figures: &mut Figures) -> anyhow::Result<()> {
        let seconds = load.seconds.unwrap_or(self.lab.at_least(load.at_least));
        if load.warm > 0 {
            self.ask(load, self.lab.at_least(load.warm), figures)?;
        }
        let beside = load.beside.as_deref();
        let beside = beside.map(|beside| self.start_beside(beside, seconds, figures));
        let beside = beside.transpose()?;
        let before = Counted::take(self, &load.note)?;
        let speed = self.ask(load, seconds, figures)?;
        let after = Counted::take(self, &load.note)?;
        let count = speed
            .get(&Measure::Rate)
            .map(|rate| rate * f64::from(seconds));
        for (measure, name) in &load.note {
            let spent = |of: fn(&Spent) -> f64| {
                let (before, after) = (before.spent.as_ref()?, after.spent.as_ref()?);
                Some((of(after) - of(before)) * 1e6 / count?)
            };
            let figure = match measure {
                Measure::User => spent(|spent| spent.user),
                Measure::System => spent(|spent| spent.system),
                Measure::Processor => spent(|spent| spent.user + spent.system),
                Measure::Device => {
                    let bytes = f64::from(u32::try_from(self.value(load).0)?);
                    let count = count.context("no rate")?;
                    match after.written_since(&before) {
                        Ok(written) => figures.note(name, written / (count * bytes)),
                        Err(reason) => figures.lack(name, reason),
                    }
                    continue;
                }
                other => match speed.get(other) {
                    Some(figure) => Some(*figure),
                    None => self.look(*other)?,
                },
            };
            figures.note(name, figure.with_context(|| format!("no {measure:?}"))?);
        }
        match beside {
            Some(Beside::Timed(load, running, _folder)) => {
                let speed = running.finish()?;
                for (measure, name) in &load.note {
                    let figure = speed.get(measure);
                    figures.note(name, *figure.with_context(|| format!("no {measure:?}"))?);
                }
            }
            Some(Beside::Held(mut program)) => program.finish(figures)?,
            None => {}
        }
        Ok(())
    }

    fn start_beside<'b>(
        &self,
        load: &'b Load,
        seconds: u32,
        figures: &mut Figures,
    ) -> anyhow::Result<Beside<'b>> {
        if load.asks.starts_with("held ") {
            let mut program = Program::start(&mut self.program(load)?)?;
            // What it measures itself comes first; then it keeps up what is measured beside.
            program.note(figures)?;
            return Ok(Beside::Held(program));
        }
        let subject = self.subjects.first().context("nothing runs")?;
        let seconds = seconds + 2 * MARGIN_SECONDS;
        let (generator, folder) = self.generator(subject, load, load.connections, seconds)?;
        let running = generator.start()?;
        std::thread::sleep(MARGIN);
        Ok(Beside::Timed(load, running, folder))
    }

    fn ask(&self, load: &Load, seconds: u32, figures: &mut Figures) -> anyhow::Result<Speed> {
        let lab = self.lab;
        let stored = || self.contents.as_ref().context("nothing is stored");
        match &*load.asks {
            "nothing" => std::thread::sleep(IDLE),
            "instructions" => instructions::count(lab, figures)?,
            "load" | "long-run" => Program::start(&mut self.program(load)?)?.finish(figures)?,
            "redis-get" => return subjects::redis_gets(&self.subject()?.urls().0, seconds),
            "redis-set" => return subjects::redis_sets(&self.subject()?.urls().0, seconds),
            "every page" => asks::every_page(self.server()?, stored()?)?,
            "stream" => {
                let expected = load.expected(lab).context("no number of lines")?;
                return asks::stream(self.server()?, &load.path, expected);
            }
            "delete" => {
                let expected = load.expected(lab).context("no number of keys")?;
                return asks::delete(lab, self.server()?, self.data, &load.path, expected);
            }
            "once" => return asks::once(self.server()?, &load.path),
            "kv get" => return asks::kv_get(lab, self.server()?),
            "kv load" => return asks::kv_load(lab, self.server()?),
            "batches" => return asks::batches(lab, self.server()?),
            "fill" => {
                let cluster = self.cluster.context("no cluster")?;
                return asks::fill(self.server()?, load.keys, cluster);
            }
            _ => return self.generate(load, seconds),
        }
        Ok(Speed::new())
    }

    /// Lets generators ask, of which each subject has one with its share of the connections.
    fn generate(&self, load: &Load, seconds: u32) -> anyhow::Result<Speed> {
        let connections = load.connections / u32::try_from(self.subjects.len())?;
        let mut running = Vec::new();
        for subject in &self.subjects {
            let (generator, folder) = self.generator(subject, load, connections, seconds)?;
            running.push((generator.start()?, folder));
        }
        let speeds = running
            .into_iter()
            .map(|(running, _folder)| running.finish());
        Ok(shared(&speeds.collect::<Result<Vec<_>, _>>()?))
    }

    /// What bears a load, and a folder that is to be there as long.
    fn generator(
        &self,
        subject: &Started,
        load: &Load,
        connections: u32,
        seconds: u32,
    ) -> anyhow::Result<(Generator, Option<tempfile::TempDir>)> {
        let (url, hot) = subject.urls();
        let (bytes, keys) = self.value(load);
        let mut wrk = Wrk::new(url.clone(), seconds, connections);
        match &*load.asks {
            "appends" => {
                let appends = Generator::appends(self.lab, load.bytes, connections, seconds)?;
                return Ok((appends.0, Some(appends.1)));
            }
            "nats-put" => return Ok((subjects::nats_puts(&url, connections, seconds)?, None)),
            "hot" => wrk.url = url + hot,
            "path" => wrk.url = url + &load.path,
            asks => {
                if let Some(request) = asks.strip_prefix("bare-etcd ") {
                    let cluster = self.cluster.context("no cluster")?;
                    let mut bare = self.lab.own("examples/bare_etcd");
                    bare.args([&cluster.endpoints().join(","), request]);
                    bare.args([connections.to_string(), seconds.to_string()]);
                    return Ok((Generator::new(bare), None));
                }
                wrk = wrk.asks(asks, keys).with("BENCH_BYTES", bytes);
            }
        }
        wrk.token = subject.token(self.lab).map(str::to_owned);
        if let Some(tokens) = &self.tokens {
            wrk = wrk.with("BENCH_TOKENS", tokens.display());
        }
        Ok((wrk.generator(), None))
    }

    /// A program of `benches` that prints figures by their names.
    fn program(&self, load: &Load) -> anyhow::Result<Command> {
        let lab = self.lab;
        let mut words = load.asks.split(' ');
        let mut command = match words.next() {
            Some("load") => {
                let mut load = lab.own("load");
                load.arg(self.data);
                load
            }
            Some("held") => {
                let mut held = self.server()?.asked_by(lab, "held");
                held.args(["--seconds", &lab.seconds.to_string()]);
                held
            }
            Some("long-run") => {
                let mut run = self.server()?.asked_by(lab, "long-run");
                run.args(["--minutes", &lab.options.minutes.to_string()]);
                run.arg("--folder").arg(self.data);
                run.arg("--plot").arg(report::plot(lab.options));
                run
            }
            _ => bail!("there is no program {}", load.asks),
        };
        command.args(words).args(&load.options);
        for (option, number) in &load.counts {
            command.args([&format!("--{option}"), &lab.scaled(*number).to_string()]);
        }
        Ok(command)
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
        let times = [Measure::User, Measure::System, Measure::Processor];
        let times = times.into_iter().any(wants);
        let spent = times.then(|| bench.subject()?.process()?.spent());
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
