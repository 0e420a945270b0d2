//! The engine over etcd, on real clusters.

mod conformance;
mod support;
mod together;
