//! Carries out the sides of a row: starts servers, runs the loads, and notes the figures.

mod measures;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use prominence_cluster::etcd::Cluster;
use tempfile::TempDir;

use super::figures::Figures;
use super::lab::{Lab, Names};
use super::load::{Program, Speed, shared};
use super::rows::{Contents, Load, Side};
use super::stores::{copied, prepared, read_through, settle_disk};
use super::subject::{Subject, VALUE_BYTES};
use super::{instructions, report};

/// A load that runs beside another begins this time before it and ends this time after it.
const MARGIN_SECONDS: u32 = 1;

/// A side whose servers run.
struct Setup<'a> {
    lab: &'a Lab<'a>,
    /// Empty for `nobody`; more than one where servers share each load.
    subjects: Vec<Subject>,
    /// The folders of all servers except the first.
    folders: Vec<TempDir>,
    cluster: Option<&'a Cluster>,
    data: &'a Path,
    /// The names that are known before a server runs.
    names: Names,
    /// The contents of its store.
    contents: Option<Contents>,
    /// The reason why the writes to its folder's device can't be counted, if any.
    device: Result<(), String>,
}

/// Measures a side; its servers run over the cluster, if there is one.
pub(crate) fn measure(
    lab: &Lab,
    side: &Side,
    cluster: Option<&Cluster>,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let peer = lab.catalogue.peers.get(&side.of);
    let mut needs = peer.iter().flat_map(|peer| &peer.needs);
    if let Some(reason) = needs.find_map(|program| lab.lacks(program)) {
        for name in side.names() {
            figures.insert(name.clone(), Err(reason.clone()));
        }
        return Ok(());
    }
    let folder = match &side.data {
        Some(store) if side.copy => copied(lab, store)?,
        _ => lab.folder()?,
    };
    let data = match &side.data {
        Some(store) if !side.copy => prepared(lab, store)?,
        _ => folder.path().to_owned(),
    };
    let setup = Setup::start(lab, side, cluster, &data)?;
    for (measure, name) in &side.note {
        figures.insert(name.clone(), Ok(setup.gauge(measure)?));
    }
    for load in &side.loads {
        setup.measure_load(load, figures)?;
    }
    setup.subjects.into_iter().try_for_each(Subject::stop)
}

impl<'a> Setup<'a> {
    fn start(
        lab: &'a Lab<'a>,
        side: &Side,
        cluster: Option<&'a Cluster>,
        data: &'a Path,
    ) -> anyhow::Result<Self> {
        let contents = side.data.as_ref().map(|name| Contents::of(lab, name));
        let contents = contents.transpose()?;
        let endpoints = cluster.map(|cluster| cluster.endpoints().join(","));
        let mut names = Names::new(data, &endpoints.unwrap_or_default());
        names.set("users", contents.as_ref().map_or(1, |held| held.users));
        let mut setup = Self {
            lab,
            subjects: Vec::new(),
            folders: Vec::new(),
            cluster,
            data,
            names,
            contents,
            device: Ok(()),
        };
        if side.cached {
            // Without this, the rows before would decide whether the files are in the system's cache.
            read_through(data)?;
        }
        if side.reopened {
            setup.start_subject(side, data)?.stop()?;
        }
        if let Some(load) = &side.killed_amid {
            setup.start_and_kill(side, load)?;
        }
        if side
            .all_loads()
            .any(|load| load.note.contains_key("device"))
        {
            let quiet = settle_disk().and_then(|()| measures::ensure_quiet(data));
            setup.device = quiet.map_err(|reason| format!("{reason:#}"));
        }
        if side.of == "nobody" {
            return Ok(setup);
        }
        setup.subjects.push(setup.start_subject(side, data)?);
        for _ in 0..side.further_servers {
            // Each server has its own secret and token; the user is the same.
            let folder = lab.folder()?;
            setup
                .subjects
                .push(setup.start_subject(side, folder.path())?);
            setup.folders.push(folder);
        }
        if side.hot {
            setup.subject()?.post("/hot", &"x".repeat(VALUE_BYTES))?;
        }
        Ok(setup)
    }

    fn start_subject(&self, side: &Side, data: &Path) -> anyhow::Result<Subject> {
        let mut names = self.names.clone();
        names.set("data", data.display());
        let subject = Subject::start(self.lab, &side.of, names, &[], &side.settings);
        subject.with_context(|| side.of.clone())
    }

    /// Starts a server, and kills it during a load.
    fn start_and_kill(&self, side: &Side, load: &Load) -> anyhow::Result<()> {
        let server = self.start_subject(side, self.data)?;
        let seconds = self.lab.options.seconds;
        // Its output is not read, since its last requests fail.
        let load = self.program(load, Some(&server), seconds + 60)?;
        std::thread::sleep(Duration::from_secs(u64::from(seconds)));
        server.kill()?;
        drop(load);
        settle_disk()
    }

    fn subject(&self) -> anyhow::Result<&Subject> {
        self.subjects.first().context("nothing runs")
    }

    /// Runs a load, and notes its figures.
    fn measure_load(&self, load: &Load, figures: &mut Figures) -> anyhow::Result<()> {
        if load.asks == "instructions" {
            return instructions::count(self.lab, figures);
        }
        let seconds = load.seconds.unwrap_or(self.lab.at_least(load.at_least));
        if load.warm > 0 {
            self.ask(load, self.lab.at_least(load.warm))?;
        }
        let beside = load.beside.as_deref();
        let beside = beside.map(|beside| self.start_beside(beside, seconds));
        let beside = beside.transpose()?;
        if load.note.contains_key("growth") {
            self.forget_peak()?;
        }
        let before: Vec<_> = load
            .note
            .keys()
            .map(|measure| self.counter(measure))
            .collect();
        let speed = self.ask(load, seconds)?;
        let answers = speed.get("rate").map(|rate| rate * f64::from(seconds));
        for ((measure, name), before) in load.note.iter().zip(before) {
            let figure = match (speed.get(measure), before) {
                (Some(figure), _) => Ok(*figure),
                (None, Some(before)) => before.and_then(|before| {
                    let after = self.counter(measure).context("it counts no more")??;
                    self.per_unit(measure, after - before, answers, load)
                }),
                (None, None) => self.gauge(measure),
            };
            let figure = match figure {
                // The count is worthless if other processes write to the device.
                Err(reason) if measure == "device" => Err(format!("{reason:#}")),
                other => Ok(other?),
            };
            figures.insert(name.clone(), figure);
        }
        note_printed(&load.prints, &load.prints, &speed, figures)?;
        if let (Some(load), Some(program)) = (load.beside.as_deref(), beside) {
            let speed = program.finish()?;
            note_printed(load.note.keys(), load.note.values(), &speed, figures)?;
            note_printed(&load.prints, &load.prints, &speed, figures)?;
        }
        Ok(())
    }

    fn start_beside(&self, load: &Load, seconds: u32) -> anyhow::Result<Program> {
        let subject = self.subjects.first();
        if load.prints.is_empty() {
            let seconds = seconds + 2 * MARGIN_SECONDS;
            let started = self.program(load, subject, seconds)?;
            std::thread::sleep(Duration::from_secs(u64::from(MARGIN_SECONDS)));
            return Ok(started);
        }
        let seconds = self.lab.options.seconds;
        let mut started = self.program(load, subject, seconds)?;
        // It prints its own figures first, and then keeps the load up beside which the other load is measured.
        started.until_ready()?;
        Ok(started)
    }

    /// Runs the load generators, one for each server, for this time.
    fn ask(&self, load: &Load, seconds: u32) -> anyhow::Result<Speed> {
        let subjects: Vec<_> = match &self.subjects[..] {
            [] => vec![None],
            some => some.iter().map(Some).collect(),
        };
        let programs = subjects.into_iter();
        let programs = programs.map(|one| self.program(load, one, seconds));
        let programs: Vec<_> = programs.collect::<Result<_, _>>()?;
        let speeds = programs.into_iter().map(Program::finish);
        let speed = shared(&speeds.collect::<Result<Vec<_>, _>>()?);
        let is_asked = speed.get("rate").is_none_or(|rate| *rate > 0.0);
        ensure!(is_asked, "the generator got nowhere");
        Ok(speed)
    }

    /// Starts a load generator.
    fn program(
        &self,
        load: &Load,
        subject: Option<&Subject>,
        seconds: u32,
    ) -> anyhow::Result<Program> {
        let lab = self.lab;
        let mut words = load.asks.split(' ');
        let program = words.next().unwrap_or_default();
        let program = lab.catalogue.asks.get(program);
        let program = program.with_context(|| format!("nothing asks {}", load.asks))?;
        let scratch = lab.folder()?;
        let mut names = subject.map_or(&self.names, |one| &one.names).clone();
        names.set("scratch", scratch.path().display());
        // The servers share the connections.
        let servers = u32::try_from(self.subjects.len().max(1))?;
        names.set("connections", load.connections.unwrap_or(64) / servers);
        names.set("keys", self.keys(load));
        names.set("bytes", self.bytes(load));
        names.set("seconds", seconds);
        names.set("minutes", lab.options.minutes);
        names.set("plot", report::plot(lab.options).display());
        let words = program.iter().map(String::as_str).chain(words);
        Program::start(lab.command(&names, words)?, scratch)
    }

    /// The number of keys of each user from which requests choose.
    fn keys(&self, load: &Load) -> u64 {
        let stored = self.contents.as_ref().map(|contents| contents.keys);
        match load.keys {
            Some(keys) if load.shrinks => self.lab.scaled(keys),
            said => said.or(stored).unwrap_or(1_000_000),
        }
    }

    /// Bytes of a value.
    fn bytes(&self, load: &Load) -> u64 {
        let stored = self.contents.as_ref().map(|contents| contents.bytes);
        load.bytes.or(stored).unwrap_or(1_000)
    }
}

/// Notes the figures that a program has printed with some names.
fn note_printed<'a>(
    printed: impl IntoIterator<Item = &'a String>,
    names: impl IntoIterator<Item = &'a String>,
    speed: &Speed,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    for (printed, name) in printed.into_iter().zip(names) {
        let figure = speed.get(printed);
        let figure = figure.with_context(|| format!("no {printed}: {speed:?}"))?;
        figures.insert(name.clone(), Ok(*figure));
    }
    Ok(())
}
