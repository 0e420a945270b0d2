//! The servers, and the faults that they are put through.

use crate::Server;

/// Servers that share one store.
pub trait Cluster {
    /// Where they listen now.
    fn urls(&self) -> Vec<String>;

    /// A token of a user, which all of them take.
    fn token(&self, user: &str) -> String;

    /// Does harm while clients are at work. What it did may last until [`Cluster::heal`].
    fn strike(&mut self, random: &mut fastrand::Rng);

    /// Ends every harm.
    fn heal(&mut self);

    /// Whether a request whose connection broke can no longer take effect.
    fn forgets_broken_requests(&self) -> bool;
}

/// One server with the embedded engine, which is killed.
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

    fn strike(&mut self, _random: &mut fastrand::Rng) {
        self.server.kill();
        self.is_up = false;
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
