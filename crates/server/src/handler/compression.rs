//! Compressed answers (RFC 9110, section 8.4), for listings and the files of the page: whole, or part by part, so that
//! each part leaves as early as it would without.
//!
//! Values are sent as they are stored, and events and errors as they are made.

use std::io::{self, Write as _};

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use zstd::stream::write::Encoder as ZstdEncoder;

/// Answers of no more bytes fit into a packet or little more, so compressing them saves nothing.
const MIN_BYTES: usize = 1 << 10;

/// The fastest levels: most of what slower ones save is saved by these.
const GZIP_LEVEL: Compression = Compression::fast();
const ZSTD_LEVEL: i32 = 1;

/// The binary logarithm of the bytes in which zstd looks for repetitions, which determine its memory.
const ZSTD_WINDOW: u32 = 17;

/// The codings that are offered, the preferred one first.
const CODINGS: [Coding; 2] = [Coding::Zstd, Coding::Gzip];

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Coding {
    Gzip,
    Zstd,
}

/// Compresses an answer part by part.
pub(super) enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl Coding {
    /// The coding that a request prefers, or `None` if it accepts none of them or prefers none (RFC 9110, section
    /// 12.5.3).
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let given = headers.get_all(header::ACCEPT_ENCODING).iter();
        let given: Vec<_> = given
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(weighted)
            .collect();
        let weight_of = |name: &str| {
            let named = given
                .iter()
                .find(|(given, _)| given.eq_ignore_ascii_case(name));
            named.map(|(_, weight)| *weight)
        };
        let weight = |coding: Coding| weight_of(coding.name()).or_else(|| weight_of("*"));
        let plain = weight_of("identity").unwrap_or_default();
        let mut best = None;
        for coding in CODINGS {
            let weight = weight(coding).unwrap_or_default();
            if weight > 0.0 && weight >= plain && best.is_none_or(|(_, most)| weight > most) {
                best = Some((coding, weight));
            }
        }
        best.map(|(coding, _)| coding)
    }

    /// The header that names it.
    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }

    /// The memory that an encoder takes, about.
    pub(super) fn memory(self) -> usize {
        match self {
            Self::Gzip => 320 << 10,
            Self::Zstd => 1 << 20,
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

impl Encoder {
    pub(super) fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), GZIP_LEVEL)),
            Coding::Zstd => {
                let mut encoder = ZstdEncoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.window_log(ZSTD_WINDOW)?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Compresses a part so that a reader can decode all of it before the next one comes.
    pub(super) fn part(&mut self, part: &[u8]) -> io::Result<Bytes> {
        let compressed = match self {
            Self::Gzip(encoder) => {
                encoder.write_all(part)?;
                encoder.flush()?;
                encoder.get_mut()
            }
            Self::Zstd(encoder) => {
                encoder.write_all(part)?;
                encoder.flush()?;
                encoder.get_mut()
            }
        };
        Ok(std::mem::take(compressed).into())
    }

    /// Ends the answer. Without this end a reader takes it for one that was broken off.
    pub(super) fn finish(self) -> io::Result<Bytes> {
        let end = match self {
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        Ok(end.into())
    }
}

/// A whole answer, and the coding that it is in: none if the answer is small.
pub(super) fn whole(coding: Option<Coding>, bytes: Bytes) -> io::Result<(Bytes, Option<Coding>)> {
    let Some(coding) = coding.filter(|_| bytes.len() > MIN_BYTES) else {
        return Ok((bytes, None));
    };
    let mut encoder = Encoder::new(coding)?;
    match &mut encoder {
        Encoder::Gzip(encoder) => encoder.write_all(&bytes)?,
        Encoder::Zstd(encoder) => encoder.write_all(&bytes)?,
    }
    Ok((encoder.finish()?, Some(coding)))
}

/// A coding with its weight, such as `gzip;q=0.5`. A weight that is not a number is none.
fn weighted(text: &str) -> (&str, f32) {
    let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
    let weight = parameters.split_once('=');
    let weight = weight.filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let weight = weight.map_or(1.0, |(_, weight)| weight.trim().parse().unwrap_or_default());
    (name.trim(), weight)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn decoded(coding: Coding, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain)?,
            Coding::Zstd => zstd::stream::read::Decoder::new(bytes)?.read_to_end(&mut plain)?,
        };
        Ok(plain)
    }

    #[test]
    fn a_request_gets_the_coding_that_it_prefers() {
        for (accepted, coding) in [
            ("gzip", Some(Coding::Gzip)),
            ("GZIP", Some(Coding::Gzip)),
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip;q=1.0, zstd;q=0.5", Some(Coding::Gzip)),
            ("gzip;q=0.5, zstd;q=0", Some(Coding::Gzip)),
            ("*", Some(Coding::Zstd)),
            ("*;q=0.1, zstd;q=0", Some(Coding::Gzip)),
            ("gzip;q=0", None),
            ("gzip ; q=0.000", None),
            ("gzip;q=x", None),
            ("gzip;Q=0", None),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip", Some(Coding::Gzip)),
            ("deflate, br", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            assert_eq!(Coding::accepted(&headers), None);
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(Coding::accepted(&headers), coding, "{accepted}");
        }
    }

    #[test]
    fn each_part_can_be_decoded_before_the_next_and_a_missing_end_is_noticed() {
        for coding in CODINGS {
            let mut encoder = Encoder::new(coding).unwrap();
            let mut compressed = Vec::new();
            let mut plain = Vec::new();
            for part in ["[\"/a\"", ",\"/b\"", "]"] {
                plain.extend_from_slice(part.as_bytes());
                compressed.extend_from_slice(&encoder.part(part.as_bytes()).unwrap());
                let mut seen = vec![0; plain.len()];
                match coding {
                    Coding::Gzip => {
                        let mut decoder = flate2::read::GzDecoder::new(&compressed[..]);
                        decoder.read_exact(&mut seen).unwrap();
                    }
                    Coding::Zstd => {
                        let mut decoder =
                            zstd::stream::read::Decoder::new(&compressed[..]).unwrap();
                        decoder.read_exact(&mut seen).unwrap();
                    }
                }
                assert_eq!(seen, plain, "{coding:?}");
            }
            assert!(decoded(coding, &compressed).is_err(), "{coding:?}");
            compressed.extend_from_slice(&encoder.finish().unwrap());
            assert_eq!(decoded(coding, &compressed).unwrap(), plain);
        }
    }
}
