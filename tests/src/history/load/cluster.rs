//! The servers, and the faults that they are put through.

use std::time::Duration;

use crate::Server;
use crate::history::operation::Moment;

/// A kind of harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A server's process ends at once, as in a crash.
    Kill,
    /// A server's process stands still for a while and goes on as if nothing had been.
    Pause,
    /// Every server is stopped in an orderly way and started again, one after another.
    Roll,
    /// A node of the store that the servers share ends so.
    KillNode,
    /// The node that leads ends so, and others have to choose a new one.
    KillLeader,
    /// The node that leads stands still until others have chosen a new one.
    PauseLeader,
    /// A node is cut off from everybody.
    CutNode,
    /// The node that leads is cut off from the other nodes, and still reached by servers.
    PartLeader,
    /// Most nodes end, so that nothing can be written, and come back.
    LoseMajority,
    /// The nodes forget what is past, and then make their files small; each stands still meanwhile.
    Tidy,
    /// The nodes say that they have no room left for anything new, and then that they have.
    Fill,
}

/// Which faults happen in each round, and how many.
#[derive(Clone, Copy, Debug)]
pub struct Schedule<'a> {
    /// How many there are in a round.
    pub strikes: usize,
    /// What each of them is drawn from; a kind that stands here twice comes twice as often.
    pub among: &'a [Fault],
}

/// One fault of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// After how many answered requests of the round it happens.
    pub after: usize,
    /// What happens.
    pub fault: Fault,
}

impl Schedule<'_> {
    /// The faults of a round of so many answered requests, the first one first. None comes in the first
    /// tenth, so that there are connections and keys to be harmed.
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
    /// Where they listen now.
    fn urls(&self) -> Vec<String>;

    /// A token of a user, which all of them take.
    fn token(&self, user: &str) -> String;

    /// Does harm while clients are at work, to a server of its choice. What it did may last until
    /// [`Cluster::heal`].
    fn strike(&mut self, fault: Fault, random: &mut fastrand::Rng);

    /// Ends every harm.
    fn heal(&mut self);

    /// Whether a request whose connection broke can no longer take effect.
    fn forgets_broken_requests(&self) -> bool;

    /// By how much the servers' clocks differ, at most, in nanoseconds.
    fn disagreement(&self) -> Moment {
        0
    }
}

/// How long a paused server stands still: longer than locks and claims last, so that they end
/// meanwhile, and shorter than clients wait for an answer.
pub(super) const STANDS_STILL: Duration = Duration::from_millis(1_500);

/// Stops a server in an orderly way, and starts it again where clients find it.
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
        // Its connections end with its process, and after that nothing happens any more.
        true
    }
}
