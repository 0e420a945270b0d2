//! Requests to a proxy that forwards them to a server without TLS: their first line has the whole URL (RFC 9112,
//! section 3.2.2), and they are sent to the proxy's address.

use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Agent, Error, config::Config};

use crate::transport::TellingConnector;

/// An agent that sends all requests to a proxy. Each needs its own connection (`Connection: close`), since only the
/// first line of a connection is rewritten.
pub(crate) fn agent(config: Config, proxy: &Uri) -> Agent {
    let connector = TellingConnector::new(None).chain(Rewriting);
    let resolver = ProxyResolver {
        proxy: proxy.clone(),
        inner: DefaultResolver::default(),
    };
    Agent::with_parts(config, connector, resolver)
}

/// Resolves every name to the address of the proxy.
#[derive(Debug)]
struct ProxyResolver {
    proxy: Uri,
    inner: DefaultResolver,
}

impl Resolver for ProxyResolver {
    fn resolve(
        &self,
        _: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        self.inner.resolve(&self.proxy, config, timeout)
    }
}

/// Makes transports that write the whole URL.
#[derive(Debug)]
struct Rewriting;

impl<In: Transport> Connector<In> for Rewriting {
    type Out = Forwarded<In>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let origin = match (details.uri.scheme_str(), details.uri.authority()) {
            (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
            _ => return Err(Error::BadUri(details.uri.to_string())),
        };
        Ok(chained.map(|inner| Forwarded {
            inner,
            origin: Some(origin),
        }))
    }
}

/// A connection to the proxy.
#[derive(Debug)]
struct Forwarded<T> {
    inner: T,
    /// The scheme and host to insert before the path in the first line; `None` after that.
    origin: Option<String>,
}

impl<T: Transport> Transport for Forwarded<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let output = self.inner.buffers().output();
        let line = output.get(..amount).unwrap_or_default();
        let space = line.iter().position(|byte| *byte == b' ');
        let (Some(space), Some(origin)) = (space, self.origin.take()) else {
            return self.inner.transmit_output(amount, timeout);
        };
        let (method, rest) = line.split_at(space + 1);
        let whole = [method, origin.as_bytes(), rest].concat();
        // The line may be longer than the buffer.
        for part in whole.chunks(self.inner.buffers().output().len().max(1)) {
            let output = self.inner.buffers().output();
            if let Some(place) = output.get_mut(..part.len()) {
                place.copy_from_slice(part);
            }
            self.inner.transmit_output(part.len(), timeout)?;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}
