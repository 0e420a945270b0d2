//! Texts of the command line and the environment that become settings. Their errors say what to write, where
//! those of the standard library name what is wrong with a digit.

use std::net::SocketAddr;

use bytesize::ByteSize;

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "write an IP address and a port, as in 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080"
            .to_owned()
    })
}

pub(super) fn size(text: &str) -> Result<ByteSize, String> {
    text.parse()
        .map_err(|_| "write a size such as 64KiB, 16MiB or 1GiB, or a number of bytes".to_owned())
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
