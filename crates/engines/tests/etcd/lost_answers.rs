//! Transactions that are done although their answer is lost.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use prominence_core::clock::ManualClock;
use prominence_core::commit::Outcome;
use prominence_core::conformance::START;
use prominence_core::{Commit, Key, Operation, Store as _};
use prominence_engines::EtcdStore;
use prominence_engines::etcd::{Endpoints, Options};
use tokio::time::timeout;

use crate::support::{cluster, commit, namespace, one, options};

/// The time limit for anything on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections to a member, the answers on which can be held back.
struct Proxy {
    address: SocketAddr,
    is_silent: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    fn start(member: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            is_silent: Arc::default(),
            connections: Arc::default(),
        };
        let member = member.strip_prefix("http://").unwrap().to_owned();
        let is_silent = Arc::clone(&proxy.is_silent);
        let connections = Arc::clone(&proxy.connections);
        // The thread ends with the program.
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&member).unwrap());
                let both = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                lock(&connections).extend(both);
                let requests = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || {
                    let (mut client, mut server) = requests;
                    io::copy(&mut client, &mut server)
                });
                let is_silent = Arc::clone(&is_silent);
                thread::spawn(move || answer(server, client, &is_silent));
            }
        });
        proxy
    }

    /// Lets answers through again, on new connections.
    fn recover(&self) {
        self.is_silent.store(false, Ordering::SeqCst);
        for connection in lock(&self.connections).drain(..) {
            // It may have ended by itself.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn lock(connections: &Mutex<Vec<TcpStream>>) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes answers on, or drops them.
fn answer(mut server: TcpStream, mut client: TcpStream, is_silent: &AtomicBool) {
    let mut bytes = [0; 8_192];
    while let Ok(count) = server.read(&mut bytes) {
        let is_dropped = is_silent.load(Ordering::SeqCst);
        if count == 0 || (!is_dropped && client.write_all(&bytes[..count]).is_err()) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_answer_is_lost_is_not_done_twice() {
    let cluster = cluster();
    let proxy = Proxy::start(&cluster.endpoints()[0]);
    let direct = options(&cluster);
    let through = Options {
        endpoints: Endpoints::parse(&format!("http://{}", proxy.address)).unwrap(),
        request_timeout: PATIENCE,
        ..direct.clone()
    };
    let clock = Arc::new(ManualClock::new(START));
    let other = EtcdStore::open(direct, clock.clone()).unwrap();
    let store = Arc::new(EtcdStore::open(through, clock).unwrap());
    let counter = Key::parse("/counter").unwrap();
    let add = || {
        let key = counter.clone();
        Operation::Add { key, by: 1 }
    };
    assert_eq!(one(&store, add()).await.0, Outcome::Added(1));
    proxy.is_silent.store(true, Ordering::SeqCst);
    let adding = {
        let (store, add) = (Arc::clone(&store), Commit::single(None, add()));
        tokio::spawn(async move { commit(&store, add).await })
    };
    // The transaction is done, and its answer dropped. Another process writes before the retry.
    let is_added = async {
        loop {
            let entry = other.get(&namespace(), &counter).await.unwrap().unwrap();
            if entry.value.as_integer() == Some(2) {
                return;
            }
        }
    };
    timeout(PATIENCE, is_added).await.unwrap();
    assert_eq!(one(&other, add()).await.0, Outcome::Added(3));
    proxy.recover();
    let (added, revision) = adding.await.unwrap().unwrap();
    assert_eq!((added, revision.get()), (Outcome::Added(2), 2));
    assert_eq!(one(&store, add()).await.0, Outcome::Added(4));
}
