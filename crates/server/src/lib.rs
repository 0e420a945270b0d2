//! The HTTP service: configuration → engine → router; token → permission → handler.
//!
//! A request reads in this order:
//!
//! | module | its part |
//! | --- | --- |
//! | [`settings`] | flags, environment and file become one valid [`Config`] |
//! | `engine` | the engine that was chosen |
//! | [`serve`] | opens the engine, binds, listens, stops |
//! | `descriptors` | how many connections the process may have open |
//! | `listener` | connections: limits, TLS, time-outs, heads that are no requests, how they close |
//! | `exchange` | the state of a connection that its stream and its service share |
//! | `framing` | refuses requests whose head is ambiguous |
//! | `unread` | bodies that no handler read |
//! | `front` | the short way for plain reads and sets |
//! | `router` | every route on one screen |
//! | `middleware` | what happens to every request: its name, its deadline, its headers |
//! | `auth` | `Authorization` becomes a principal |
//! | [`token`] | job tokens and the secrets that sign them |
//! | `query`, `target`, `conditional` | path, parameters and conditions become valid values |
//! | `handler` | extract, call through a permit, render |
//! | `clock` | the server's own clock, and the machine's |
//! | `hold` | requests that wait: for how long, how many, and what ends them |
//! | `barrier` | counts that many requests wait for |
//! | `failure` | what went wrong becomes a status and a JSON body |
//! | `telemetry` | what is counted, for `/metrics` |
//! | [`admin`] | backups, checks and usage for whoever runs the server, on a socket of their own |
//! | `openapi` | the interface, as a document |

pub mod admin;
mod app;
mod auth;
mod barrier;
mod clock;
mod conditional;
mod descriptors;
mod engine;
mod exchange;
mod failure;
mod framing;
mod front;
mod handler;
mod hold;
mod line;
mod listener;
mod middleware;
mod openapi;
mod query;
mod rate;
mod router;
pub mod serve;
pub mod settings;
mod target;
mod telemetry;
#[cfg(test)]
mod testing;
pub mod token;
mod unread;

pub use app::{App, Bounds};
pub use clock::{SteadyClock, Timer, wall_time};
pub use front::Front;
pub use hold::HeldLimits;
pub use listener::{Limits, Tls, run};
pub use openapi::document;
pub use serve::{ServeError, Started, serve};
pub use settings::{Config, ConfigError, Settings};
