//! Middleboxes between the program and the server that cut connections or lose answers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::proxies::copy;
use crate::running::{Job, Place, until};
use crate::support::{Server, run};

/// Longer than the client takes a cut connection for an outage, shorter than anything it waits for.
const IDLE: Duration = Duration::from_millis(1_500);

/// A middlebox that cuts every connection on which nothing passes for a while.
fn cutting(server: &Server) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let place = server.url.split('/').nth(2).unwrap().to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&place).unwrap());
            std::thread::spawn(move || cut_when_idle(&client, &server));
        }
    });
    format!("http://{address}/prominence/v1")
}

fn cut_when_idle(client: &TcpStream, server: &TcpStream) {
    let passed = Mutex::new(Instant::now());
    let copy = |mut from: &TcpStream, mut to: &TcpStream| {
        let mut bytes = [0; 4_096];
        from.set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        loop {
            match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => {
                    *passed.lock().unwrap() = Instant::now();
                    if to.write_all(&bytes[..length]).is_err() {
                        break;
                    }
                }
                Err(_) if passed.lock().unwrap().elapsed() > IDLE => break,
                Err(_) => {}
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| copy(client, server));
        copy(server, client);
    });
}

#[test]
fn idle_connections_that_are_cut_end_no_wait_no_watch_and_no_worker() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let url = cutting(&server);
    for piece in 1..=3 {
        let key = format!("/work/{piece}");
        me.kv(&["set", &key, "--string", "x"]).text();
    }
    me.kv(&["set", "/lock", "--string", "taken"]).text();
    let start = |arguments: &[&str]| {
        let mut command = me.command(&["kv"]);
        command.env("PROMINENCE_URL", &url);
        Job::spawn(command.args(arguments).current_dir(place.path()))
    };
    let get = start(&["get", "/result", "--wait", "1m"]);
    let wait = start(&["wait", "/done/", "--timeout", "1m"]);
    let claim = start(&["claim", "/queue/", "--wait", "1m", "--", "cat"]);
    let lock = start(&["lock", "/lock", "--", "echo", "locked"]);
    let work = "sleep 2.5; echo $PROMINENCE_KEY >> worked";
    let worker = start(&["claim", "/work/", "--until-empty", "--", "sh", "-c", work]);
    let mut watch = me.command(&["kv", "watch", "/done/"]);
    watch.env("PROMINENCE_URL", &url);
    let mut watch = watch
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Each piece takes longer than connections live, and all three longer than several do.
    until("all pieces are done", || {
        place.read("worked").lines().count() == 3
    });
    assert_eq!(worker.ended().text(), "");
    me.kv(&["set", "/done/1", "--string", "x"]).text();
    me.kv(&["set", "/result", "--string", "42"]).text();
    me.kv(&["set", "/queue/1", "--string", "work"]).text();
    me.kv(&["delete", "/lock"]).text();
    assert_eq!(wait.ended().text(), "1\n");
    assert_eq!(get.ended().text(), "42");
    assert_eq!(claim.ended().text(), "work");
    assert_eq!(lock.ended().text(), "locked\n");
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains("/done/1"), "{line}");
    watch.kill().unwrap();
    let said = watch.wait_with_output().unwrap().stderr;
    assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

/// A middlebox that passes the first request on and loses its answer.
fn losing_the_first_answer(server: &Server) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let place = server.url.split('/').nth(2).unwrap().to_owned();
    std::thread::spawn(move || {
        for (at, client) in listener.incoming().enumerate() {
            let (client, mut server) = (client.unwrap(), TcpStream::connect(&place).unwrap());
            let (from, up) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || copy(from, &up));
            if at == 0 {
                // The request is done once its answer begins.
                let _ = server.read(&mut [0]);
                let _ = client.shutdown(Shutdown::Both);
            } else {
                std::thread::spawn(move || copy(server, &client));
            }
        }
    });
    format!("http://{address}/prominence/v1")
}

#[test]
fn a_set_with_a_condition_is_done_once_although_its_answer_was_lost() {
    let server = Server::start();
    let me = server.user("me");
    let through = |arguments: &[&str]| {
        let mut command = me.command(&["kv"]);
        let url = losing_the_first_answer(&server);
        let ran = run(command.args(arguments).env("PROMINENCE_URL", url));
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(ran.stderr.contains("trying again"), "{ran:?}");
    };
    through(&["set", "/a", "--string", "1", "--if-absent"]);
    through(&["set", "/a", "--string", "2", "--if-revision", "1"]);
    assert_eq!(me.kv(&["get", "/a"]).text(), "2");
    let detail = me.kv(&["get", "--json", "/a"]).text();
    assert!(
        detail.contains("\"revision\": 2"),
        "each was done once: {detail}"
    );
    through(&["lock", "/lock", "--no-wait", "--", "true"]);
    assert_eq!(me.kv(&["list", "/lock"]).text(), "");
    // A value of another writer is not taken for our own.
    let mut command = me.command(&["kv", "set", "/a", "--string", "3", "--if-absent"]);
    command.env("PROMINENCE_URL", losing_the_first_answer(&server));
    let ran = run(&mut command);
    assert_eq!(ran.status, 1, "{ran:?}");
}

#[test]
fn a_claim_whose_answer_was_lost_is_named_where_nothing_else_is_free() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/queue/1", "--string", "1"]).text();
    let claim = ["claim", "/queue/", "--for", "20s", "--", "true"];
    let mut command = me.command(&["kv"]);
    let url = losing_the_first_answer(&server);
    let ran = run(command.args(claim).env("PROMINENCE_URL", url));
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.stderr.contains("may hold one for 20s"), "{ran:?}");
    // One that is claimed by somebody else is not.
    let complaint = me.kv(&claim).complaint(1);
    assert!(complaint.contains("all keys there are claimed; wait"), "{complaint}");
}
