//! `cargo xtask book`: the pages of `docs/` as a book with a search, in `target/book`.

use std::process::Command;

use crate::{python, sh};

/// Builds the book, after installing what builds it.
pub(crate) fn run() -> anyhow::Result<()> {
    let mdbook = python::mdbook()?;
    let pages = sh::root().join("docs");
    sh::run(Command::new(mdbook).arg("build").arg(pages))?;
    let first = sh::root().join("target/book/index.html");
    println!("{} is its first page", first.display());
    Ok(())
}
