//! Structs that are read only from JSON objects. serde's derived implementations also accept an array of the fields in
//! their order, which is not part of the interface.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A body, or a part of one, that is a JSON object.
pub trait Described {
    /// A description of the object, with its fields, for errors.
    const DESCRIPTION: &'static str;
}

/// Reads a struct from a JSON object, and refuses every other JSON value with the struct's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de> + Described> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = ObjectVisitor(PhantomData);
        deserializer.deserialize_any(visitor).map(Self)
    }
}

/// Reads a list of objects, for fields of derived structs.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Described,
{
    let objects = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(object)| object).collect())
}

struct ObjectVisitor<T>(PhantomData<T>);

/// The error for a JSON value that is not an object.
fn other<T: Described, E: Error>(found: &str) -> E {
    E::custom(format_args!("{}, and this is {found}", T::DESCRIPTION))
}

impl<'de, T: Deserialize<'de> + Described> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::DESCRIPTION)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        Err(other::<T, _>("an array"))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<T, E> {
        Err(other::<T, _>("a text"))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Err(other::<T, _>("true or false"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<T, E> {
        Err(other::<T, _>("a number"))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<T, E> {
        Err(other::<T, _>("a number"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Err(other::<T, _>("a number"))
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Err(other::<T, _>("null"))
    }
}
