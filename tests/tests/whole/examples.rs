//! The job scripts in `examples/` do what they say.

use std::process::Command;

use prominence_tests::{Server, root, succeed, text};

/// Runs an example as a user's shell would, with the program on its path.
fn example(server: &Server, name: &str) -> String {
    text(succeed(&mut example_command(server, name)))
}

fn example_command(server: &Server, name: &str) -> Command {
    let mut command = Command::new(root().join("examples").join(name));
    let programs = prominence_tests::program().parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    server.as_user(&mut command, "scientist");
    command
        .env("PATH", path)
        .env("PROMINENCE_SERVE_DATA_DIR", server.data());
    command.env("HOME", server.home());
    command
}

#[test]
fn a_parameter_sweep_reads_its_input_and_writes_its_output() {
    let server = Server::start(&[]);
    let table = example(&server, "sweep.sh");
    let rows: Vec<_> = table.lines().collect();
    assert_eq!(rows, ["1 1", "2 4", "3 9", "4 16", "5 25"], "{table}");
    let (_, count) = server
        .client("scientist")
        .ask("GET", "/kv/sweep/output/?count", "");
    assert_eq!(count, "{\"count\":5}");
}

#[test]
fn a_sweep_from_a_table_ends_in_a_table() {
    let server = Server::start(&[]);
    let table = example(&server, "table-sweep.sh");
    assert_eq!(table, "name,volume\ncrate,24\ncube,3.375\nplank,0.1\n");
    let input = server
        .client("scientist")
        .ask("GET", "/kv/boxes/input/cube", "")
        .1;
    assert_eq!(
        input,
        r#"{"name":"cube","width":1.50,"depth":1.50,"height":1.50}"#
    );
}

#[test]
fn a_task_of_an_array_reads_its_parameter_however_the_number_is_written() {
    let server = Server::start(&[]);
    let client = server.client("scientist");
    for (task, radius, area) in [
        ("1", "1.5e-3", "0.0000"),
        ("2", "-2", "12.5664"),
        ("3", "1.50", "7.0686"),
    ] {
        let input = format!("{{\"n\":{task},\"radius\":{radius}}}");
        let set = client.ask("PUT", &format!("/kv/circles/input/{task}"), &input);
        assert_eq!(set.0, 201, "{}", set.1);
        let mut command = example_command(&server, "slurm/sweep.sh");
        command
            .env("SLURM_ARRAY_TASK_ID", task)
            .env("SLURM_JOB_ID", "17")
            .env("SLURMD_NODENAME", "node1");
        succeed(&mut command);
        let output = client.ask("GET", &format!("/kv/circles/output/{task}"), "");
        let expected = format!("{{\"n\":{task},\"radius\":{radius},\"area\":{area}}}");
        assert_eq!(output.1, expected);
    }
}

#[test]
fn two_jobs_pass_a_value() {
    let server = Server::start(&[]);
    let said = example(&server, "pass-a-value.sh");
    assert!(said.contains("the consumer got: 42 widgets"), "{said}");
}

#[test]
fn a_counter_counts_jobs_that_run_side_by_side() {
    let server = Server::start(&[]);
    assert_eq!(
        example(&server, "progress.sh").lines().last(),
        Some("20 of 20 done")
    );
}

#[test]
fn nodes_find_each_other_in_whatever_order_they_start() {
    let server = Server::start(&[]);
    let said = example(&server, "rendezvous.sh");
    let mut nodes: Vec<_> = said.lines().map(|line| line.split_at(12)).collect();
    nodes.sort_unstable();
    let names: Vec<_> = nodes.iter().map(|(name, _)| name.trim()).collect();
    assert_eq!(names, ["node 1 joins", "node 2 joins", "node 3 joins"]);
    assert!(
        nodes.iter().all(|(_, address)| *address == nodes[0].1),
        "{said}"
    );
}

#[test]
fn nobody_passes_a_barrier_before_all_have_arrived() {
    let server = Server::start(&[]);
    let said = example(&server, "barrier.sh");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 10, "{said}");
    let (before, after) = lines.split_at(5);
    assert!(
        before.iter().all(|line| line.ends_with("has arrived")),
        "{said}"
    );
    assert!(after.iter().all(|line| line.ends_with("goes on")), "{said}");
}

#[test]
fn jobs_of_a_pipeline_wait_for_what_they_need() {
    let server = Server::start(&[]);
    assert_eq!(example(&server, "pipeline.sh").trim(), "385");
}

#[test]
fn a_progress_display_ends_with_the_last_job() {
    let server = Server::start(&[]);
    let said = example(&server, "watch-progress.sh");
    let counts: Vec<_> = said
        .lines()
        .filter_map(|line| line.split(':').next())
        .collect();
    let expected: Vec<_> = (1..=8).map(|n| format!("{n} of 8")).collect();
    assert_eq!(counts, expected, "{said}");
}

#[test]
fn jobs_take_turns_with_a_licence() {
    let server = Server::start(&[]);
    let said = example(&server, "licence.sh");
    let lines: Vec<_> = said.lines().collect();
    let (turns, table) = lines.split_at(6);
    for turn in turns.chunks(2) {
        let job = turn[0].strip_suffix(" has the licence").expect(&said);
        assert_eq!(turn[1], format!("{job} gives it back"), "{said}");
    }
    assert_eq!(table, ["result", "1", "4", "9"], "{said}");
}

#[test]
fn workers_share_a_queue_until_it_is_empty() {
    let server = Server::start(&[]);
    let table = example(&server, "workers.sh");
    let rows: Vec<_> = table.lines().collect();
    let cubes = [
        "n,cube", "1,1", "2,8", "3,27", "4,64", "5,125", "6,216", "7,343",
    ];
    assert_eq!(rows, cubes, "{table}");
    let (_, left) = server.client("scientist").ask("GET", "/kv/queue/?list", "");
    assert_eq!(left, "[]\n");
}

#[test]
fn a_hundred_workers_compute_every_row_of_a_table_exactly_once() {
    let server = Server::start(&[]);
    let table = example(&server, "hundred-workers.sh");
    let rows: Vec<_> = table.lines().collect();
    let sums = (1..=300).map(|n| format!("{n},{}", n * (n + 1) / 2));
    let expected: Vec<_> = std::iter::once("n,sum".to_owned()).chain(sums).collect();
    assert_eq!(rows, expected, "{table}");
    let client = server.client("scientist");
    let left = client.ask("GET", "/kv/hundred/queue/?list", "").1;
    assert_eq!(left, "[]\n");
    // The value of each is the number of times that its row was computed.
    let runs = client.ask("GET", "/kv/hundred/runs/?list&values", "").1;
    let runs: Vec<std::collections::BTreeMap<String, String>> =
        serde_json::from_str(&runs).unwrap();
    let often: Vec<_> = runs.iter().flatten().collect();
    assert_eq!(often.len(), 300, "{often:?}");
    assert!(often.iter().all(|(_, times)| *times == "1"), "{often:?}");
}
