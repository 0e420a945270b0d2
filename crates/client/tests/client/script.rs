//! A server that answers each connection with the next answer of a script.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prominence_client::{BaseUrl, Client, Clock, Config, Route, Token};

/// A clock that records pauses and does not wait; otherwise that of the machine.
struct NotedClock {
    started: Instant,
    pauses: Arc<Mutex<Vec<Duration>>>,
}

impl Clock for NotedClock {
    fn now(&self) -> Duration {
        let paused: Duration = self.pauses.lock().unwrap().iter().sum();
        self.started.elapsed() + paused
    }

    fn sleep(&self, time: Duration) {
        self.pauses.lock().unwrap().push(time);
    }
}

/// An answer, and the time for which the request is held before it.
pub(crate) enum Held {
    /// This time is part of the tested behaviour: it is longer or shorter than a limit.
    For(Duration, String),
}

/// The server; after the script it has ended.
pub(crate) struct Script {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    pub(crate) pauses: Arc<Mutex<Vec<Duration>>>,
    thread: Option<JoinHandle<()>>,
}

impl Script {
    /// Serves these answers, one for each connection. An empty one closes the connection without an answer.
    pub(crate) fn new(answers: &[String]) -> Self {
        let at_once = |answer: &String| Held::For(Duration::ZERO, answer.clone());
        Self::holding(answers.iter().map(at_once).collect())
    }

    /// Serves these answers, one for each connection, each after its time.
    pub(crate) fn holding(answers: Vec<Held>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/prominence/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let thread = std::thread::spawn(move || {
            for Held::For(time, answer) in answers {
                let (stream, _) = listener.accept().unwrap();
                log.lock().unwrap().push(converse(stream, time, &answer));
            }
        });
        Self {
            url,
            requests,
            pauses: Arc::default(),
            thread: Some(thread),
        }
    }

    /// A client of the server that records its pauses and does not wait.
    pub(crate) fn client(&self) -> Client {
        self.client_with(|_| {})
    }

    /// The same with a changed configuration.
    pub(crate) fn client_with(&self, change: impl FnOnce(&mut Config)) -> Client {
        let url = BaseUrl::parse(&self.url).unwrap();
        let mut config = Config::new(url, Token::parse("t").unwrap());
        config.route = Route::Direct;
        change(&mut config);
        let clock = NotedClock {
            started: Instant::now(),
            pauses: Arc::clone(&self.pauses),
        };
        Client::with_clock(config, clock).unwrap()
    }

    /// The requests, each with its head and body, after the whole script was played.
    pub(crate) fn played(mut self) -> Vec<String> {
        self.thread.take().unwrap().join().unwrap();
        self.requests.lock().unwrap().clone()
    }

    /// The pauses so far.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        self.pauses.lock().unwrap().clone()
    }
}

/// An answer of the server with a length.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    page(status, &format!("X-Request-Id: r-0\r\n{headers}"), body)
}

/// The same without the header that the server sends with every answer, as from proxies and other servers.
pub(crate) fn page(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}

/// An answer with an error.
pub(crate) fn refusal(status: &str, code: &str, headers: &str) -> String {
    let body = format!("{{\"error\": \"as the script says\", \"code\": \"{code}\"}}");
    answer(status, headers, &body)
}

/// A value with revision 7.
pub(crate) fn value(text: &str) -> String {
    answer("200 OK", "ETag: \"7\"\r\n", text)
}

fn converse(mut stream: TcpStream, held: Duration, answer: &str) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut request = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(digits) = line.to_lowercase().strip_prefix("content-length:") {
            length = digits.trim().parse().unwrap();
        }
        let end = line.trim().is_empty();
        request.push_str(&line);
        if end {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    request.push_str(&String::from_utf8(body).unwrap());
    std::thread::sleep(held);
    stream.write_all(answer.as_bytes()).unwrap();
    request
}
