//! The servers, and the faults that are injected into them.

use std::time::Duration;

use crate::Server;
use crate::history::operation::Moment;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A server's process ends at once, as in a crash.
    Kill,
    /// A server's process is stopped for a while and continued.
    Pause,
    /// Every server is asked to end, waited for, and started again, one after another.
    Roll,
    /// A node of the shared store ends as in a crash.
    KillNode,
    /// The leading node ends as in a crash, and the others have to elect a new leader.
    KillLeader,
    /// The leading node is stopped until the others have elected a new leader.
    PauseLeader,
    /// Nobody can reach a node.
    CutNode,
    /// The leading node can't reach the other nodes, and servers can still reach it.
    PartLeader,
    /// Most nodes end, so that nothing can be written, and are started again.
    LoseMajority,
    /// The nodes are compacted and then defragmented; each answers nothing meanwhile.
    Tidy,
    /// The nodes raise the alarm of no space, and then end it.
    Fill,
}

/// The faults of each round.
#[derive(Clone, Copy, Debug)]
pub struct Schedule<'a> {
    /// The number of faults in a round.
    pub strikes: usize,
    /// The kinds from which each is drawn; a kind that is listed twice is drawn twice as often.
    pub among: &'a [Fault],
}

/// One fault of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// The number of answered requests of the round after which it is injected.
    pub after: usize,
    /// Its kind.
    pub fault: Fault,
}

impl Schedule<'_> {
    /// The faults of a round with this number of answered requests, in the order of time. There is none in the first
    /// tenth, so that connections and keys exist before it.
    #[must_use]
    pub fn draw(&self, requests: usize, random: &mut fastrand::Rng) -> Vec<Strike> {
        let mut strikes: Vec<_> = (0..self.strikes)
            .filter_map(|_| {
                let fault = *random.choice(self.among)?;
                let after = random.usize(requests / 10..requests);
                Some(Strike { after, fault })
            })
            .collect();
        strikes.sort_by_key(|strike| strike.after);
        strikes
    }
}

/// Servers that share one store.
pub trait Cluster {
    /// Their present addresses.
    fn urls(&self) -> Vec<String>;

    /// A token of a user, which all servers accept.
    fn token(&self, user: &str) -> String;

    /// Injects a fault into a server of its choice while clients send requests. The fault may last until
    /// [`Cluster::heal`].
    fn strike(&mut self, fault: Fault, random: &mut fastrand::Rng);

    /// Ends every fault.
    fn heal(&mut self);

    /// True if a request can no longer take effect once its connection is broken.
    fn forgets_broken_requests(&self) -> bool;

    /// The largest difference between the servers' clocks, in nanoseconds.
    fn disagreement(&self) -> Moment {
        0
    }
}

/// The time for which a server is stopped: longer than locks and claims last, so that they end meanwhile, and shorter
/// than clients wait for an answer.
pub(super) const STANDS_STILL: Duration = Duration::from_millis(1_500);

/// Asks a server to end, and starts it again with the same address.
pub(super) fn roll(server: &mut Server) {
    let ended = server.terminate();
    assert!(ended.success(), "a server that is asked to stop: {ended}");
    server.restart_in_place();
}

/// One server with the embedded engine.
pub struct Single {
    server: Server,
    is_up: bool,
}

impl Single {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        Self {
            server: Server::start(&[]),
            is_up: true,
        }
    }
}

impl Cluster for Single {
    fn urls(&self) -> Vec<String> {
        vec![self.server.url.clone()]
    }

    fn token(&self, user: &str) -> String {
        self.server.token(user)
    }

    fn strike(&mut self, fault: Fault, _random: &mut fastrand::Rng) {
        match fault {
            Fault::Kill => {
                self.server.kill();
                self.is_up = false;
            }
            Fault::Pause => self.server.stand_still(STANDS_STILL),
            Fault::Roll => roll(&mut self.server),
            other => panic!("there is nothing but a server: {other:?}"),
        }
    }

    fn heal(&mut self) {
        if !self.is_up {
            self.server.restart();
            self.is_up = true;
        }
    }

    fn forgets_broken_requests(&self) -> bool {
        // Connections end with the process, and no request of theirs is executed after that.
        true
    }
}
