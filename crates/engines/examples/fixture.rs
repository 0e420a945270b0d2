//! Writes the fixtures of the current format: data folders, a backup, and what is in them.
//!
//! ```text
//! cargo run -p prominence-engines --example fixture -- crates/engines/tests/fixtures/format-3
//! ```
//!
//! makes the folders `written` and `restored`, the file `backup`, and `content.txt`, which
//! describes them. This is done once for each format, when it is new; from then on
//! `tests/embedded/formats.rs` demands that they be read.

use std::error::Error;
use std::path::PathBuf;

// What is only for the tests of the fixtures is not used here.
#[allow(dead_code)]
#[path = "../tests/embedded/fixture.rs"]
mod fixture;

fn main() -> Result<(), Box<dyn Error>> {
    let place = std::env::args_os().nth(1).map(PathBuf::from);
    let place = place.ok_or("name the folder to make")?;
    std::fs::create_dir(&place)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(fixture::make(&place))?;
    // It is no part of the format, and has another text each time.
    for folder in ["written", "restored"] {
        std::fs::remove_file(place.join(folder).join("LOCK"))?;
    }
    Ok(())
}
