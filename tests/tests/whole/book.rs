//! The book: its pages, its links, and every command on them, run in a shell as a reader types it.
//!
//! A block marked `sh` or `python` is run, in the order of its page, and has to print the block `text` that follows it, or
//! nothing. `…` stands for anything on its line. A block that can't be run says why: `sh,not-run=needs-a-release`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use prominence_tests::{Server, clean, program, python, root, succeed};

/// Pages whose blocks other tests run: in one session of Python, as a notebook, where they are descriptions, and under Slurm.
const RUN_ELSEWHERE: [&str; 4] = [
    "notebook.md",
    "python.md",
    "python-reference.md",
    "slurm.md",
];

/// Blocks that are not run. A new one needs a reason that no test can get round; the number may only shrink.
const NOT_RUN: usize = 11;

/// What separates the blocks in the output of a page; no block prints it.
const BETWEEN: char = '\0';

fn docs() -> PathBuf {
    root().join("docs")
}

/// A block of a page.
pub(crate) struct Block {
    pub(crate) line: usize,
    /// The first word behind the backticks.
    language: String,
    not_run: bool,
    pub(crate) code: String,
    /// The block `text` behind it.
    pub(crate) printed: String,
}

/// The blocks of a page that are marked `sh` or `python`.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let text = std::fs::read_to_string(docs().join(page)).unwrap();
    let mut lines = text.lines().enumerate();
    // A block of output belongs to the block of code right before it.
    let mut is_behind_code = false;
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let mut content = String::new();
        for (_, line) in lines.by_ref().take_while(|(_, line)| *line != "```") {
            let _ = writeln!(content, "{line}");
        }
        let (language, rest) = info.split_once(',').unwrap_or((info, ""));
        match language {
            "sh" | "python" => blocks.push(Block {
                line: number + 2,
                language: language.to_owned(),
                not_run: rest.starts_with("not-run="),
                code: content,
                printed: String::new(),
            }),
            "text" if is_behind_code => {
                blocks.last_mut().unwrap().printed = content;
            }
            _ => {}
        }
        is_behind_code = ["sh", "python"].contains(&language);
    }
    blocks
}

/// The pages that SUMMARY.md names, in its order.
fn pages() -> Vec<String> {
    let summary = std::fs::read_to_string(docs().join("SUMMARY.md")).unwrap();
    let links = summary.split("](").skip(1);
    links
        .map(|link| link.split(')').next().unwrap().to_owned())
        .collect()
}

/// True if a text is what a pattern says, in which `…` stands for anything on its line.
fn fits(pattern: &str, text: &str) -> bool {
    let line_fits = |(pattern, line): (&str, &str)| {
        let mut parts = pattern.split('…');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = line.strip_prefix(first) else {
            return false;
        };
        let mut parts = parts.peekable();
        let is_open = parts.peek().is_some();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            let Some(at) = rest.find(part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        is_open || rest.is_empty()
    };
    pattern.lines().count() == text.lines().count()
        && pattern.lines().zip(text.lines()).all(line_fits)
}

/// The blocks of a page as one script for bash, which prints a mark behind each.
fn script(blocks: &[Block]) -> String {
    let mut script = "set -eu\nexec 2>&1\n".to_owned();
    for block in blocks.iter().filter(|block| !block.not_run) {
        let _ = match block.language.as_str() {
            "sh" => writeln!(script, "{}printf '\\0'", block.code),
            _ => writeln!(
                script,
                "python3 - <<'END_OF_PYTHON'\n{}END_OF_PYTHON\nprintf '\\0'",
                block.code
            ),
        };
    }
    script
}

/// Runs a page; `prepare` gives the shell what the page needs beside a server.
pub(crate) fn run_page(
    page: &str,
    server: &Server,
    user: &str,
    prepare: impl FnOnce(&mut Command),
) {
    let blocks = blocks(page);
    let folder = tempfile::tempdir().unwrap();
    let mut shell = clean("bash", folder.path());
    server.as_user(&mut shell, user);
    let tools = python::with_tools();
    let programs =
        [program(), tools.as_path()].map(|program| program.parent().unwrap().display().to_string());
    shell
        .args(["-c", &script(&blocks)])
        .current_dir(folder.path())
        .env(
            "PATH",
            format!("{}:{}", programs.join(":"), std::env::var("PATH").unwrap()),
        )
        .env("PYTHONPATH", root().join("python/src"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    prepare(&mut shell);
    let output = shell.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut printed = printed.split(BETWEEN);
    for block in blocks.iter().filter(|block| !block.not_run) {
        let found = printed.next().unwrap_or_default();
        assert!(
            fits(&block.printed, found),
            "docs/{page}, line {}: it prints\n{found}and not\n{}",
            block.line,
            block.printed
        );
    }
    assert!(output.status.success(), "docs/{page}: {:?}", printed.next());
}

#[test]
fn every_command_of_the_book_prints_what_follows_it() {
    let mut run = 0;
    for page in pages() {
        let runs = blocks(&page).iter().filter(|block| !block.not_run).count();
        if runs > 0 && !RUN_ELSEWHERE.contains(&page.as_str()) {
            run_page(&page, &Server::start(&[]), "alice", |_| {});
            run += runs;
        }
    }
    assert!(run > 25, "only {run} blocks were run");
}

#[test]
fn blocks_that_are_not_run_say_why_and_do_not_become_more() {
    let mut not_run = 0;
    for page in pages() {
        for block in blocks(&page).iter().filter(|block| block.not_run) {
            println!("docs/{page}, line {}: {}", block.line, block.code.trim());
            not_run += 1;
        }
    }
    assert_eq!(not_run, NOT_RUN);
}

#[test]
fn output_is_compared_and_not_only_collected() {
    assert!(fits("a … c\n", "a b c\n") && fits("…\n", "\n") && fits("", ""));
    assert!(fits("x…y…z\n", "x1y2z\n"));
    for (pattern, text) in [
        ("a\n", "b\n"),
        ("a\n", "a\nb\n"),
        ("", "a\n"),
        ("a…c\n", "a b\n"),
        ("a\n", "ab\n"),
    ] {
        assert!(!fits(pattern, text), "{pattern:?} {text:?}");
    }
}

/// The names of a page's headings in links, as mdBook and GitHub make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let name = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(name).collect()
}

/// Links of a page: the file that each leads to, and the heading in it.
fn links(page: &str, text: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(page).parent().unwrap();
    let prose = text.split("```").step_by(2).collect::<String>();
    let targets = prose
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap().to_owned());
    let inside = targets.filter(|target| !target.contains("://"));
    let resolve = |target: String| {
        let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let file = if file.is_empty() {
            PathBuf::from(page)
        } else {
            folder.join(file)
        };
        (file, anchor.to_owned())
    };
    inside.map(resolve).collect()
}

#[test]
fn every_page_is_in_the_book_once_and_every_link_leads_to_a_page_and_a_heading_of_it() {
    let pages = pages();
    let named: BTreeSet<_> = pages.iter().cloned().collect();
    assert_eq!(named.len(), pages.len(), "{pages:?}");
    let files = std::fs::read_dir(docs())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap());
    let left_out: Vec<_> = files
        .filter(|file| file.ends_with(".md") && file != "SUMMARY.md" && !named.contains(file))
        .collect();
    assert_eq!(left_out, [""; 0], "SUMMARY.md does not name them");
    let mut wrong = Vec::new();
    for page in &pages {
        let text = std::fs::read_to_string(docs().join(page)).unwrap();
        for (file, anchor) in links(page, &text) {
            let target = std::fs::read_to_string(docs().join(&file));
            let is_page = named.contains(file.to_str().unwrap());
            let is_picture =
                file.extension().is_some_and(|ending| ending == "svg") && target.is_ok();
            let leads =
                is_page && (anchor.is_empty() || anchors(&target.unwrap()).contains(&anchor));
            if !leads && !is_picture {
                wrong.push(format!("{page}: {} {anchor}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_book_is_built_with_a_search_and_loads_nothing_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut mdbook = Command::new(root().join("target/mdbook/bin/mdbook"));
    mdbook
        .args(["build", "--dest-dir"])
        .arg(folder.path())
        .arg(docs());
    succeed(&mut mdbook);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    for page in pages() {
        let html = read(&page.replace(".md", ".html"));
        for tag in html
            .split('<')
            .filter(|tag| tag.starts_with("script") || tag.starts_with("link"))
        {
            assert!(!tag.contains("//"), "{page}: <{tag}");
        }
    }
    let names = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    let index = names
        .iter()
        .find(|name| name.starts_with("searchindex"))
        .unwrap();
    assert!(read(index).contains("Wait for 100 results"));
}

#[test]
fn drawings_have_their_content_as_text() {
    let mut seen = 0;
    for picture in std::fs::read_dir(docs().join("pictures")).unwrap() {
        let path = picture.unwrap().path();
        // A screenshot can have no text inside; the page that shows it describes it.
        if path.extension().is_none_or(|extension| extension != "svg") {
            continue;
        }
        let drawn = std::fs::read_to_string(&path).unwrap();
        for part in ["<title id=\"title\">", "<desc id=\"desc\">", "role=\"img\""] {
            assert!(drawn.contains(part), "{} lacks {part}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 3);
}

#[test]
fn python_alone_is_two_commands_from_the_first_stored_result() {
    let folder = tempfile::tempdir().unwrap();
    let wheel = super::python_library::build(&folder.path().join("dist"));
    let environment = folder.path().join("fresh");
    succeed(
        Command::new(python::with_tools())
            .args(["-m", "venv"])
            .arg(&environment),
    );
    let server = Server::start(&[]);
    let page = blocks("start.md");
    let install = page
        .iter()
        .find(|block| block.code.contains("pip install"))
        .unwrap();
    // The wheel of this source instead of that of a release.
    let install = install
        .code
        .replace("prominence-kv", wheel.to_str().unwrap());
    let set = &page[page
        .iter()
        .position(|block| block.code.contains("pip install"))
        .unwrap()
        + 1]
    .code;
    let mut shell = clean("bash", folder.path());
    server.as_user(&mut shell, "newcomer");
    let path = format!("{}:/usr/bin:/bin", environment.join("bin").display());
    let two = format!("set -eu\n{install}{set}");
    assert_eq!(install.lines().count() + set.lines().count(), 2, "{two}");
    succeed(
        shell
            .args(["-c", &two])
            .env("PATH", path)
            .env("PIP_NO_INDEX", "1")
            .env("PIP_QUIET", "1"),
    );
    let stored = server.client("newcomer").ask("GET", "/kv/first/result", "");
    assert_eq!(stored, (200, "42".to_owned()));
}
