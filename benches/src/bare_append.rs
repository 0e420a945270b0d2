//! Appends to a file and syncs, as fast as the disk does it: the limit for a durable write.
//!
//! `bare-append FOLDER BYTES GROUP`: for two seconds appends groups of GROUP records of BYTES,
//! syncing the data after each group, and prints the records a second.
#![expect(clippy::print_stdout, reason = "prints its measurement")]

use std::io::Write as _;
use std::time::{Duration, Instant};

const LASTS: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or(format!("{what} is missing"));
    let folder = next("FOLDER")?;
    let bytes: usize = next("BYTES")?.parse()?;
    let group: usize = next("GROUP")?.parse()?;

    let path = std::path::Path::new(&folder).join("append");
    let mut file = std::fs::File::create(&path)?;
    let records = vec![b'x'; bytes * group];
    let started = Instant::now();
    let mut written = 0;
    while started.elapsed() < LASTS {
        file.write_all(&records)?;
        file.sync_data()?;
        written += group;
    }
    let seconds = started.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    let written = u32::try_from(written)?;
    println!("{:.0}", f64::from(written) / seconds);
    Ok(())
}
