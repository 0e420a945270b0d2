//! Details of failed connections that the errors of the HTTP library lack: TLS failed with the proxy and not with the
//! server, or an answer had begun.

use std::io;

use ureq::Error;
use ureq::http::Uri;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};

/// The connection ended after the beginning of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed before the answer was complete")]
pub(crate) struct CutOff;

/// TLS with a proxy failed.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub(crate) struct ProxyTls {
    pub(crate) cause: rustls::Error,
    /// The environment variable that names the proxy.
    pub(crate) variable: &'static str,
}

/// Connects as the library does, and adds these details to errors.
#[derive(Debug)]
pub(crate) struct TellingConnector {
    inner: DefaultConnector,
    /// The proxy for tunnels, and the variable that names it.
    proxy: Option<(Uri, &'static str)>,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct TellingTransport(Box<dyn Transport>);

/// The error of a connection that ended after the beginning of an answer.
pub(crate) fn cut_off(error: Error) -> Error {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            io::Error::new(io::ErrorKind::UnexpectedEof, CutOff).into()
        }
        other => other,
    }
}

impl TellingConnector {
    /// Connects through this proxy, if there is one.
    pub(crate) fn new(proxy: Option<(Uri, &'static str)>) -> Self {
        Self {
            inner: DefaultConnector::new(),
            proxy,
        }
    }

    /// Adds the proxy to an error of TLS.
    fn of_proxy(error: Error, variable: &'static str) -> Error {
        let cause = match &error {
            Error::Rustls(cause) => Some(cause),
            Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
            _ => None,
        };
        match cause.cloned() {
            Some(cause) => {
                // Nothing was sent, as after every failure of TLS.
                io::Error::new(io::ErrorKind::InvalidData, ProxyTls { cause, variable }).into()
            }
            None => error,
        }
    }
}

impl Connector<()> for TellingConnector {
    type Out = TellingTransport;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<TellingTransport>, Error> {
        // For a tunnel, the library connects to the proxy with this connector as well.
        let connected = self.inner.connect(details, chained).map_err(|error| {
            match self.proxy.as_ref().filter(|(uri, _)| uri == details.uri) {
                Some((_, variable)) => Self::of_proxy(error, variable),
                None => error,
            }
        });
        Ok(connected?.map(TellingTransport))
    }
}

impl Transport for TellingTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let has_more = self.0.await_input(timeout)?;
        // A part of a head stays in the buffer until the rest has arrived. (The library itself notices the end of a
        // body, and takes this error for an end.)
        if !has_more && !self.0.buffers().input().is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, CutOff).into());
        }
        Ok(has_more)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}
