//! Bodies without a type of their own: values, and answers whose form depends on a parameter.
#![expect(
    dead_code,
    reason = "describes answers; handlers make them of their parts"
)]

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use prominence_api::{Added, Counted, Listed, Released, Renewed, Usage};

/// A value's bytes. (A vector of bytes would be an array of numbers.)
pub(crate) struct AnyBytes;

impl PartialSchema for AnyBytes {
    fn schema() -> RefOr<Schema> {
        let bytes = ObjectBuilder::new().schema_type(Type::String);
        let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
        bytes.format(Some(format)).into()
    }
}

impl ToSchema for AnyBytes {}

/// The answer to `list` or `count`.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(crate) enum ListingOrCount {
    /// With `list`.
    Listing(Vec<Listed>),
    /// With `count`.
    Count(Counted),
}

/// The answer to `list`, `count` or `usage`.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(crate) enum ListingCountOrUsage {
    /// With `list`.
    Listing(Vec<Listed>),
    /// With `count`.
    Count(Counted),
    /// With `usage`.
    Usage(Usage),
}

/// The answer to `add`, `renew` or `release`.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(crate) enum AddedRenewedOrReleased {
    /// With `add`.
    Added(Added),
    /// With `renew`.
    Renewed(Renewed),
    /// With `release`.
    Released(Released),
}
