//! A watch goes on where it was when the server is killed and comes back.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

use prominence_tests::Server;

/// How long the next change may take to be told, a restart and the pauses before it included.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_watch_survives_a_server_that_is_killed_without_a_gap() {
    let mut server = Server::start(&[]);
    let mut watch = server
        .command("alice")
        .args(["kv", "watch", "/n/", "--since", "0", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            let _ = tell.send(event["key"].as_str().unwrap().to_owned());
        }
    });
    for round in 0..4 {
        let client = server.client("alice");
        let name = |n: u32| format!("/n/{round}-{n}");
        for n in 0..20 {
            let (status, answer) = client.ask("POST", &format!("/kv{}", name(n)), "x");
            assert_eq!(status, 201, "{answer}");
            // In the first rounds the kill finds changes on their way; then all have been told.
            if round >= 2 {
                assert_eq!(told.recv_timeout(PATIENCE).unwrap(), name(n));
            }
        }
        server.kill();
        server.restart_in_place();
        if round < 2 {
            for n in 0..20 {
                assert_eq!(told.recv_timeout(PATIENCE).unwrap(), name(n));
            }
        }
    }
    assert!(told.try_recv().is_err(), "nothing is told twice");
    watch.kill().unwrap();
    watch.wait().unwrap();
}
