//! The engine for more than one machine: any number of stateless processes over an etcd cluster.

mod options;

pub use options::{
    BadEndpoints, BadRoot, Endpoint, Endpoints, Identity, Login, Options, Root, Tls,
};
