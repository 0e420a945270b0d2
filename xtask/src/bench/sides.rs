//! Carries out what a row's sides say: starts a subject, bears its loads, and notes the figures.
//!
//! | module | its part |
//! | --- | --- |
//! | `load` | one load: what bears it, what goes on beside it, what is noted of it |
//! | `asks` | loads that no generator bears |

mod asks;
mod load;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use prominence_cluster::etcd::Cluster;

use super::catalogue::{Contents, Load, Measure, Restart, Side};
use super::device::Device;
use super::figures::Figures;
use super::generators::Wrk;
use super::lab::Lab;
use super::server::{Additions, Server};
use super::stores::{copied, disk, prepared, read_through, settle_disk};
use super::subjects::{self, Started};
use crate::sh;

/// Connections that set keys of a server that is killed.
const WRITERS: u32 = 128;

/// A side that runs.
struct Bench<'a> {
    lab: &'a Lab<'a>,
    /// More than one where servers share each load.
    subjects: Vec<Started>,
    /// Of the other servers than the first.
    _folders: Vec<tempfile::TempDir>,
    cluster: Option<&'a Cluster>,
    data: &'a Path,
    /// What is in its store.
    contents: Option<Contents>,
    /// A file with a token for each user.
    tokens: Option<PathBuf>,
    /// The device below its folder, or why that can't be counted; where a load wants it.
    device: Option<Result<Device, String>>,
}

/// Measures a side; its servers run over the cluster, where there is one.
pub(crate) fn measure(
    lab: &Lab,
    side: &Side,
    cluster: Option<&Cluster>,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    if let Some(reason) = subjects::lacking(lab, &side.of) {
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
    let bench = Bench::start(lab, side, cluster, &data)?;
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
    bench.subjects.into_iter().try_for_each(Started::stop)
}

impl<'a> Bench<'a> {
    fn start(
        lab: &'a Lab<'a>,
        side: &Side,
        cluster: Option<&'a Cluster>,
        data: &'a Path,
    ) -> anyhow::Result<Self> {
        let contents = side.data.as_ref().map(|name| Contents::of(lab, name));
        let contents = contents.transpose()?;
        if side.cached {
            // Whether the system has a file in its cache depends on the row before.
            read_through(data)?;
        }
        match side.restart {
            Some(Restart::Closed) => Server::start(lab, data)?.stop()?,
            Some(Restart::Killed) => {
                let contents = contents.as_ref();
                let keys = contents.context("a store that is killed")?.keys;
                start_and_kill(lab, data, keys)?;
            }
            None => {}
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
        let mut additions = Additions::default();
        additions.settings.clone_from(&side.settings);
        if let Some(cluster) = cluster {
            let endpoints = cluster.endpoints().join(",");
            let engine = ["--engine", "etcd", "--etcd-endpoints", &endpoints];
            additions.settings.extend(engine.map(str::to_owned));
        }
        let mut subjects = vec![Started::start(lab, &side.of, data, &additions)?];
        let mut folders = Vec::new();
        for _ in 1..side.servers {
            // Each has a secret and a token of its own; the user is the same.
            let folder = lab.folder()?;
            subjects.push(Started::start(lab, &side.of, folder.path(), &additions)?);
            folders.push(folder);
        }
        let bench = Self {
            lab,
            subjects,
            _folders: folders,
            cluster,
            data,
            contents,
            tokens,
            device,
        };
        if side.hot {
            bench.server()?.set_hot()?;
        }
        Ok(bench)
    }

    /// What can be seen of a side at any time; `None` where that takes a load.
    fn look(&self, measure: Measure) -> anyhow::Result<Option<f64>> {
        let process = || self.subject()?.process();
        let for_each = |bytes: f64| {
            let contents = self.contents.as_ref().context("nothing is stored")?;
            anyhow::Ok(bytes / f64::from(u32::try_from(contents.keys)?))
        };
        Ok(Some(match measure {
            Measure::Resident => process()?.resident()?,
            Measure::Peak => process()?.peak()?,
            Measure::ResidentEach => for_each(process()?.resident()? * 1_048_576.0)?,
            Measure::DiskEach => for_each(disk(self.data)?)?,
            Measure::Ready => self.server()?.ready_after(),
            _ => return Ok(None),
        }))
    }

    fn subject(&self) -> anyhow::Result<&Started> {
        self.subjects.first().context("nothing runs")
    }

    fn server(&self) -> anyhow::Result<&Server> {
        match self.subject()? {
            Started::Ours(server) => Ok(server),
            Started::Peer(_) | Started::Nobody => bail!("only the server is asked that"),
        }
    }

    /// Bytes of a value, and keys to choose from.
    fn value(&self, load: &Load) -> (u64, u64) {
        let contents = self.contents.as_ref();
        contents.map_or((load.bytes, load.keys), |held| (held.bytes, held.keys))
    }
}

/// Starts a server, and kills it in the midst of sets.
fn start_and_kill(lab: &Lab, data: &Path, keys: u64) -> anyhow::Result<()> {
    let server = Server::start(lab, data)?;
    // Nobody reads what wrk says; its last requests are cut off.
    let mut sets = Wrk::new(server.kv(""), lab.seconds + 60, WRITERS).asks("set", keys);
    sets.token = Some(server.token().to_owned());
    let sets = sets.generator().start()?;
    std::thread::sleep(Duration::from_secs(u64::from(lab.seconds)));
    server.kill()?;
    drop(sets);
    settle_disk()
}

/// A file with a token of each user, which the requests choose from.
fn sign_tokens(lab: &Lab, data: &Path, users: u64) -> anyhow::Result<PathBuf> {
    let mut sign = lab.own("tokens");
    sign.arg(data).args(["--users", &users.to_string()]);
    let file = data.join("tokens");
    std::fs::write(&file, sh::output(&mut sign)?)?;
    Ok(file)
}
