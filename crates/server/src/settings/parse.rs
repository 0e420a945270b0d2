//! Texts of the command line, the environment and the configuration file that become settings. Their errors
//! say what to write, while those of the standard library describe a digit or a type.

use std::net::SocketAddr;

use bytesize::ByteSize;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "write an IP address and a port, as in 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080"
            .to_owned()
    })
}

pub(super) fn size(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse().map_err(|_| {
        "write a size such as 64KiB, 16MiB or 1GiB, or a number of bytes".to_owned()
    })?;
    // A number that is too large becomes the largest one.
    if size.as_u64() == u64::MAX {
        return Err("the size has to be less than 16EiB".to_owned());
    }
    Ok(size)
}

/// Reads a size such as `64KiB` as a number of bytes.
///
/// # Errors
/// What to write instead.
pub fn bytes(text: &str) -> Result<u64, String> {
    size(text).map(|size| size.as_u64())
}

/// Reads a whole number from 0 to this one, which is within the type's range.
pub(super) fn number<T: TryFrom<u64>>(
    greatest: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync {
    move |text| {
        let number = text.parse().ok().filter(|number| *number <= greatest);
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("write a whole number from 0 to {greatest}"))
    }
}

/// Reads a setting of the file, a text or a number, by the rules of the command line.
pub(super) fn in_file<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    let text = match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    parse(&text).map_err(|why| D::Error::custom(format!("\"{text}\" is not valid: {why}")))
}

pub(super) fn file_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    in_file(deserializer, address).map(Some)
}

pub(super) fn file_size<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<ByteSize>, D::Error> {
    in_file(deserializer, size).map(Some)
}

/// Writes a size to the byte; its usual text is rounded.
pub(super) fn to_file<S: Serializer>(
    size: &Option<ByteSize>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match size {
        Some(size) => serializer.serialize_some(&size.as_u64().to_string()),
        None => serializer.serialize_none(),
    }
}

pub(super) fn file_u64<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    in_file(deserializer, number(u64::MAX)).map(Some)
}

pub(super) fn file_u32<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    in_file(deserializer, number(u32::MAX.into())).map(Some)
}

pub(super) fn file_usize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<usize>, D::Error> {
    in_file(deserializer, number(u32::MAX.into())).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_setting_is_refused_with_what_to_write() {
        assert_eq!(address("[::1]:0"), Ok("[::1]:0".parse().unwrap()));
        for text in [
            "8080",
            ":8080",
            "localhost:8080",
            "127.0.0.1",
            "127.0.0.1:99999",
            "",
        ] {
            assert!(
                address(text).unwrap_err().contains("127.0.0.1:8080"),
                "{text}"
            );
        }
        assert_eq!(size("64KiB"), Ok(ByteSize::kib(64)));
        assert_eq!(bytes("15EiB"), Ok(15 << 60));
        for large in ["16EiB", "99999999EiB", "18446744073709551615"] {
            assert!(bytes(large).unwrap_err().contains("16EiB"), "{large}");
        }
        for text in ["", "many", "-1", "1 parsec"] {
            assert!(size(text).unwrap_err().contains("64KiB"), "{text}");
        }
        assert_eq!(number::<u32>(9)("9"), Ok(9));
        for text in ["", "-1", "1.5", "10", "abc", "99999999999999999999"] {
            assert_eq!(
                number::<u32>(9)(text),
                Err("write a whole number from 0 to 9".to_owned()),
                "{text}"
            );
        }
    }
}
