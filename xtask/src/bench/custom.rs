//! Measurements that sides can't describe. Each starts what it needs and ends it again, so that none is
//! measured on what another has left behind.

mod client;
mod clusters;
mod deletes;
mod held;
mod instructions;
mod listings;
mod long_run;
mod space;

use anyhow::bail;

use super::figures::Figures;
use super::lab::Lab;

/// The figures of the measurement that a row names.
pub(crate) fn measure(lab: &Lab, name: &str) -> anyhow::Result<Figures> {
    match name {
        "kv-get" => client::get(lab),
        "kv-load" => client::load(lab),
        "instructions" => instructions::count(lab),
        "etcd-1" => clusters::beside(lab, 1),
        "etcd-3" => clusters::beside(lab, 3),
        "list-all" => listings::everything(lab),
        "one-level" => listings::level(lab),
        "delete-100k" => deletes::delete(lab, "/k/0", 10),
        "delete-1m" => deletes::delete(lab, "/k/", 1),
        "waits" => held::beside_reads(lab, name, &[("--requests", 10_000), ("--sets", 2_000)]),
        "watches" => held::beside_reads(lab, name, &[("--watches", 1_000), ("--prefixes", 100)]),
        "claims" => held::beside_reads(lab, name, held::CLAIMS),
        "disk" => space::overwritten(lab),
        "open-killed" => space::open_killed(lab),
        "long-run" => long_run::measure(lab),
        _ => bail!("there is no measurement {name}"),
    }
}
