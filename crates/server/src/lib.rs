//! The HTTP service: configuration → engine → router; token → permission → handler.
//!
//! The folders and files, each of which names only those above it:
//!
//! | module | its part |
//! | --- | --- |
//! | `failure` | errors as answers: a status and a JSON body |
//! | `identity` | the token in `Authorization` becomes a principal; the rate of each user |
//! | `request` | path, parameters, conditions and body become valid values |
//! | `wait` | the server's clock, long polls and their limit, barriers, the queues of claims, memory, places of connections |
//! | `metrics` | the counters of `/metrics` |
//! | `app` | the state that all handlers share |
//! | `handler` | parse, call the store through a permit, write the answer |
//! | `http` | the fast path, the router, the steps around every request, the OpenAPI document |
//! | `net` | connections: the listener, TLS, limits, time-outs, how they close |
//! | [`settings`] | flags, environment and file become one valid [`Config`] |
//! | [`admin`] | backups, checks and usage for operators, on a socket of their own |
//! | `engine` | the storage engine that the configuration chose |
//! | [`mod@serve`] | opens the engine, binds, listens, stops |

pub mod admin;
mod app;
mod engine;
mod failure;
mod handler;
mod http;
mod identity;
mod metrics;
mod net;
mod request;
pub mod serve;
pub mod settings;
#[cfg(test)]
mod testing;
mod wait;

pub use app::{App, Bounds, Identity};
pub use http::fast_path::Service;
pub use http::openapi::document;
pub use http::router::Page;
pub use identity::login::Login;
pub use identity::minting::Minter;
pub use identity::records::Records;
pub use identity::{issuer, token};
pub use net::listener::{Limits, run};
pub use net::tls::Tls;
pub use request::log::{LineFormat, LogTarget, RequestLogs};
pub use serve::{ServeError, Started, serve};
pub use settings::{Config, ConfigError, Settings};
pub use wait::clock::{SteadyClock, Timer, wall_time};
pub use wait::connection::{Network, Proxies};
pub use wait::long_poll::LongPollLimits;
