//! A client of the key-value store: one method per endpoint, blocking, without a runtime.
//!
//! | module | contents |
//! | --- | --- |
//! | [`config`], [`base_url`], [`token`], [`credentials`] | the configuration of a client, as valid values |
//! | [`error`], `explain` | errors, by the action that a caller can take; the causes of failed connections |
//! | `read`, `list`, `write`, `delete`, `batch`, `claim`, `wait`, `watch`, `account` | the methods, by endpoint |
//! | `request`, `reply` | one request, sent once; its answer, read whole |
//! | `persist`, [`retry`] | sending it again: whether, until when, and after which pause |
//! | `clock`, `notice` | the clock that deadlines are counted with; telling the caller of failures that are got over |
//! | [`oauth`] | requests to issuers of tokens |
//! | `agent`, `tls`, `proxy` | the HTTP library, configured; certificates, set up only for `https`; which proxy to go through |
//!
//! ```no_run
//! use prominence_client::{BaseUrl, Client, Config, SetOptions, Token};
//! use prominence_core::Key;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let url = BaseUrl::parse("http://127.0.0.1:8080/prominence/v1")?;
//! let client = Client::new(Config::new(url, Token::parse("…")?))?;
//! let key = Key::parse("/input/param1")?;
//! client.set(&key, b"42", &SetOptions::default())?;
//! let entry = client.get(&key)?;
//! assert_eq!(entry.map(|entry| entry.value), Some(b"42".to_vec()));
//! # Ok(())
//! # }
//! ```

mod account;
mod agent;
pub mod base_url;
mod batch;
mod claim;
mod clock;
pub mod config;
pub mod credentials;
mod delete;
pub mod error;
mod explain;
mod list;
mod notice;
pub mod oauth;
mod page;
mod persist;
mod proxy;
mod read;
mod reply;
mod request;
pub mod retry;
mod tls;
pub mod token;
mod transport;
mod wait;
mod watch;
mod write;

pub use account::TokenOptions;
pub use base_url::{BaseUrl, BaseUrlError};
pub use claim::{Claimed, Held};
pub use clock::Clock;
pub use config::{Certificates, Config, Timeouts};
pub use credentials::{Credentials, TokenFile, TokenFileError, TokenSource};
pub use error::{Error, Fate, Refusal};
pub use list::{Items, Levels, ListOptions, Pages, Show};
pub use notice::{Notice, OnNotice};
pub use oauth::{OAuth, OAuthAnswer, OAuthClient, OAuthError};
pub use persist::LONGEST_TURN;
pub use proxy::Route;
pub use read::{Entry, Metadata};
pub use request::Client;
pub use token::{Token, TokenError};
pub use wait::{Awaited, Until};
pub use watch::{Event, Reconnect, Start, Told, Watch, WatchOptions};
pub use write::{Lifetime, SetOptions, Stored, Written};
