//! A hundred thousand users with a hundred keys each, beside one user with as many as all.

use std::path::{Path, PathBuf};

use crate::bench::figures::Figures;
use crate::bench::lab::Lab;
use crate::bench::rows::reads::CONNECTIONS;
use crate::bench::server::Server;
use crate::bench::stores::{Contents, MANY_USERS, TEN_MILLION, copied};
use crate::bench::wrk::Wrk;
use crate::sh;

/// Connections that set keys.
const WRITERS: u32 = 128;

/// What one store came to.
struct Side {
    ready: f64,
    gets: f64,
    page: f64,
    sets: f64,
    memory: f64,
}

/// The same requests on both stores, by random users.
pub(crate) fn many(lab: &Lab) -> anyhow::Result<Figures> {
    let many = measure(lab, MANY_USERS)?;
    let one = measure(lab, TEN_MILLION)?;
    let mut figures = Figures::default();
    figures.note("many: gets", many.gets);
    figures.note("one: gets", one.gets);
    figures.note("many: sets", many.sets);
    figures.note("one: sets", one.sets);
    figures.note("many: page", many.page);
    figures.note("one: page", one.page);
    figures.note("many: ready", many.ready);
    figures.note("one: ready", one.ready);
    figures.note("many: memory", many.memory);
    figures.note("one: memory", one.memory);
    Ok(figures)
}

fn measure(lab: &Lab, contents: Contents) -> anyhow::Result<Side> {
    let data = copied(lab, contents)?;
    let contents = contents.scaled(lab);
    // The first start makes the secret that signs tokens; the second one is measured.
    Server::start(lab, data.path())?.stop()?;
    let file = tokens(lab, data.path(), contents.users)?;
    let server = Server::start(lab, data.path())?;
    let ask = |what: &str| -> Wrk {
        let wrk = server
            .wrk(lab, "")
            .asks(what)
            .with("BENCH_KEYS", contents.keys);
        wrk.with("BENCH_BYTES", contents.bytes)
            .with("BENCH_TOKENS", file.display())
    };
    let gets = ask("get").connections(CONNECTIONS).run()?.rate;
    let page = ask("page").connections(1).run()?.median;
    let sets = ask("set").connections(WRITERS).run()?.rate;
    let memory = server.process().resident()?;
    let ready = server.ready_after();
    server.stop()?;
    Ok(Side {
        ready,
        gets,
        page,
        sets,
        memory,
    })
}

/// A file with a token of each user, which the requests choose from.
fn tokens(lab: &Lab, data: &Path, users: u64) -> anyhow::Result<PathBuf> {
    let mut sign = lab.own("tokens");
    sign.arg(data).args(["--users", &users.to_string()]);
    let file = data.join("tokens");
    std::fs::write(&file, sh::output(&mut sign)?)?;
    Ok(file)
}
