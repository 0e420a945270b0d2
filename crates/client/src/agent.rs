//! The configuration of the HTTP library: its limits, certificates and proxy.

use std::time::Duration;

use ureq::Agent;
use ureq::unversioned::resolver::DefaultResolver;

use crate::config::Config;
use crate::error::Error;
use crate::proxy::{Passage, Proxy, Route, forward};
use crate::tls;
use crate::transport::TellingConnector;

/// The number of connections that are kept open between requests: one for each thread that may share a client. With
/// fewer, most of many threads would open a connection for each request.
const MAX_IDLE_CONNECTIONS: usize = 64;

/// A connection that was idle for longer is not used again. Servers and proxies close idle connections after 5 s
/// (Node.js, some load balancers) or later. A request that is sent at that moment is lost, and its fate is unknown.
const MAX_IDLE_AGE: Duration = Duration::from_secs(3);

/// The configured HTTP agent, and the proxy for its requests.
pub(crate) fn build(config: &Config) -> Result<(Agent, Option<Proxy>), Error> {
    let mut agent = Agent::config_builder()
        .http_status_as_error(false)
        // A redirect would send values to another server than the configured one.
        .max_redirects(0)
        .max_idle_connections_per_host(MAX_IDLE_CONNECTIONS)
        .max_idle_connections(MAX_IDLE_CONNECTIONS)
        .max_idle_age(MAX_IDLE_AGE)
        .timeout_connect(Some(config.timeouts.connect))
        .timeout_recv_response(Some(config.timeouts.silence))
        .timeout_per_read(Some(config.timeouts.silence))
        .timeout_per_write(Some(config.timeouts.silence))
        .user_agent(concat!("prominence/", env!("CARGO_PKG_VERSION")));
    if config.url.is_encrypted() {
        agent = agent.tls_config(tls::config(&config.certificates)?);
    }
    let proxy = match config.route {
        Route::Direct => None,
        Route::Environment => Proxy::named(&config.url, |name| std::env::var(name).ok())?,
    };
    let agent = match proxy.as_ref().map(|proxy| proxy.passage(&config.url)) {
        None => {
            let connector = TellingConnector::new(None);
            Agent::with_parts(
                agent.proxy(None).build(),
                connector,
                DefaultResolver::default(),
            )
        }
        Some(Passage::Tunnel(tunnel)) => {
            let connector = TellingConnector::new(proxy.as_ref().map(Proxy::place));
            let config = agent.proxy(Some(tunnel.clone())).build();
            Agent::with_parts(config, connector, DefaultResolver::default())
        }
        Some(Passage::Forward(uri)) => forward::agent(agent.proxy(None).build(), uri),
    };
    Ok((agent, proxy))
}
