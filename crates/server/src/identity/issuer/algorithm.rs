//! The algorithms by which issuers sign.

use std::str::FromStr;

use jsonwebtoken::Algorithm;

/// An algorithm with a public key. There is none with a secret and none without a signature, so that no issuer can be
/// configured with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alg {
    /// RSASSA-PKCS1-v1_5 or RSASSA-PSS, with the hash that its name says (RFC 7518, sections 3.3 and 3.5).
    Rsa(Algorithm),
    /// ECDSA on P-256 or P-384 (section 3.4).
    Ec(Algorithm, Curve),
    /// Ed25519 (RFC 8037). `EdDSA` and `Ed25519` are two names of it (RFC 9864).
    Ed25519,
}

/// A curve of ECDSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// P-256.
    P256,
    /// P-384.
    P384,
}

impl Alg {
    /// The algorithms that an issuer may use unless it is configured otherwise.
    pub(crate) const USUAL: [Self; 3] = [
        Self::Rsa(Algorithm::RS256),
        Self::Ec(Algorithm::ES256, Curve::P256),
        Self::Ed25519,
    ];

    /// The library's name of it.
    pub(super) fn of_library(self) -> Algorithm {
        match self {
            Self::Rsa(algorithm) | Self::Ec(algorithm, _) => algorithm,
            Self::Ed25519 => Algorithm::EdDSA,
        }
    }
}

impl FromStr for Alg {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "RS256" => Self::Rsa(Algorithm::RS256),
            "RS384" => Self::Rsa(Algorithm::RS384),
            "RS512" => Self::Rsa(Algorithm::RS512),
            "PS256" => Self::Rsa(Algorithm::PS256),
            "ES256" => Self::Ec(Algorithm::ES256, Curve::P256),
            "ES384" => Self::Ec(Algorithm::ES384, Curve::P384),
            "EdDSA" | "Ed25519" => Self::Ed25519,
            _ => {
                return Err("an algorithm is RS256, RS384, RS512, PS256, ES256, ES384 or EdDSA");
            }
        })
    }
}
