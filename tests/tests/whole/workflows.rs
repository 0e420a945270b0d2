//! Programs that people start many jobs with, and whose jobs use the store: GNU parallel, joblib, Snakemake, Jupyter.

use std::process::Command;

use prominence_tests::{Server, clean, program, root, succeed, text};
use serde_json::{Value, json};

use super::book;

/// A command that finds the program, the library, and these workflows' programs, in an empty folder.
fn command(server: &Server, name: &str) -> Command {
    let mut command = clean(name, server.home());
    server.as_user(&mut command, "scientist");
    let tools = root().join("target/workflows/bin/python3");
    let folders =
        [program(), tools.as_path()].map(|program| program.parent().unwrap().display().to_string());
    command
        .current_dir(server.home())
        .env(
            "PATH",
            format!("{}:{}", folders.join(":"), std::env::var("PATH").unwrap()),
        )
        .env("PYTHONPATH", root().join("python/src"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("XDG_CACHE_HOME", server.home().join("cache"));
    command
}

#[test]
fn two_thousand_tasks_of_gnu_parallel_are_each_counted_once() {
    let server = Server::start(&[]);
    let script = root().join("examples/workflows/parallel.sh");
    let printed = text(succeed(&mut command(&server, script.to_str().unwrap())));
    assert_eq!(printed, "2000\n2000 done\n");
}

#[test]
fn tasks_of_joblib_share_a_counter() {
    let server = Server::start(&[]);
    let mut python = command(&server, "python3");
    let printed = text(succeed(
        python.arg(root().join("examples/workflows/count_with_joblib.py")),
    ));
    assert_eq!(printed, "True 400 400\n");
}

#[test]
fn jobs_of_snakemake_pass_values_through_the_store() {
    let server = Server::start(&[]);
    let numbers: String = (1..=12).map(|n| format!("{}\n", n * 10)).collect();
    std::fs::write(server.home().join("numbers.csv"), format!("n\n{numbers}")).unwrap();
    succeed(command(&server, "prominence").args(["kv", "load", "/snake/in/", "numbers.csv"]));
    let mut snakemake = command(&server, "snakemake");
    snakemake.args(["--cores", "4", "--quiet", "all", "--snakefile"]);
    succeed(snakemake.arg(root().join("examples/workflows/Snakefile")));
    let table = std::fs::read_to_string(server.home().join("table.csv")).unwrap();
    let mut rows: Vec<_> = table.lines().skip(1).collect();
    let mut squares: Vec<_> = (1..=12)
        .map(|n| format!("{},{}", n * 10, n * n * 100))
        .collect();
    squares.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, squares, "{table}");
}

/// What a cell of a notebook shows: the text that it prints, and the value of its last line.
fn shown(cell: &Value) -> String {
    let outputs = cell["outputs"].as_array().unwrap();
    let parts = outputs
        .iter()
        .map(|output| match output["output_type"].as_str().unwrap() {
            "stream" => output["text"].clone(),
            _ => output["data"]["text/plain"].clone(),
        });
    let texts = parts.map(|part| match part {
        Value::Array(lines) => lines.iter().map(|line| line.as_str().unwrap()).collect(),
        other => other.as_str().unwrap_or_default().to_owned(),
    });
    texts.collect()
}

#[test]
fn the_page_about_notebooks_runs_as_a_notebook() {
    let server = Server::start(&[]);
    let blocks = book::blocks("notebook.md");
    let cell = |code: &str| json!({"cell_type": "code", "source": code, "metadata": {}, "outputs": [], "execution_count": null});
    let notebook = json!({
        "cells": blocks.iter().map(|block| cell(&block.code)).collect::<Vec<_>>(),
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 4,
    });
    std::fs::write(server.home().join("page.ipynb"), notebook.to_string()).unwrap();
    let mut convert = command(&server, "jupyter-nbconvert");
    convert.args([
        "--to",
        "notebook",
        "--execute",
        "--stdout",
        "--log-level",
        "ERROR",
        "page.ipynb",
    ]);
    let executed: Value = serde_json::from_str(&text(succeed(&mut convert))).unwrap();
    let cells = executed["cells"].as_array().unwrap();
    assert_eq!(cells.len(), blocks.len());
    for (block, cell) in blocks.iter().zip(cells) {
        assert_eq!(shown(cell), block.printed.trim_end(), "line {}", block.line);
    }
    let stored = server
        .client("scientist")
        .ask("GET", "/kv/study/out/?count", "")
        .1;
    assert_eq!(stored, "{\"count\":6}");
}
