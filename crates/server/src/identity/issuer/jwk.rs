//! The keys of an issuer, read key by key: one that can't be used does not spoil the others (RFC 7517, section 5).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::algorithm::{Alg, Curve};

/// The most keys of a set that are looked at.
const MAX_KEYS: usize = 100;

/// The most keys that are tried for a token that names none.
const MAX_TRIED: usize = 8;

/// The sizes of RSA keys that are used, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// The keys of an issuer that can be used.
#[derive(Default)]
pub(super) struct KeySet {
    keys: Vec<PublicKey>,
}

struct PublicKey {
    kid: Option<String>,
    /// The algorithm that the set names for it. Without one, every algorithm of its type fits.
    alg: Option<Alg>,
    kind: KeyKind,
    key: DecodingKey,
    /// The key as a text, equal for equal keys.
    material: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyKind {
    Rsa,
    Ec(Curve),
    Ed25519,
}

/// The keys of a set for a token.
pub(super) enum Fit<'a> {
    /// These may have signed it.
    Keys(Vec<&'a DecodingKey>),
    /// The token names a key that the set does not have, or none fits.
    Unknown,
}

impl KeySet {
    /// Reads a set. Keys that can't be used are left out, each with the reason in the log.
    pub(super) fn parse(set: &Value, issuer: &str) -> Self {
        let listed = set.get("keys").and_then(Value::as_array);
        let listed = listed.map(Vec::as_slice).unwrap_or_default();
        let mut keys = Vec::new();
        for (number, key) in listed.iter().take(MAX_KEYS).enumerate() {
            match PublicKey::parse(key) {
                Ok(key) => keys.push(key),
                Err(why) => tracing::debug!(issuer, number, why, "a key is left out"),
            }
        }
        Self { keys }
    }

    /// True if no key can be used.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys that may have signed a token with this header.
    pub(super) fn fitting(&self, kid: Option<&str>, alg: Alg) -> Fit<'_> {
        let fits = |key: &&PublicKey| {
            let is_named = kid.is_none() || key.kid.as_deref() == kid;
            is_named && key.kind.signs_by(alg) && key.alg.is_none_or(|own| own == alg)
        };
        let keys = self.keys.iter().filter(fits).map(|key| &key.key);
        let keys: Vec<_> = keys.take(MAX_TRIED).collect();
        if keys.is_empty() {
            Fit::Unknown
        } else {
            Fit::Keys(keys)
        }
    }

    /// True if every key of this set is also in a later one.
    pub(super) fn is_kept_in(&self, later: &Self) -> bool {
        let identities = |set: &Self| -> BTreeSet<_> {
            let all = set.keys.iter();
            all.map(|key| (key.kid.clone(), key.material.clone()))
                .collect()
        };
        identities(self).is_subset(&identities(later))
    }
}

impl KeyKind {
    fn signs_by(self, alg: Alg) -> bool {
        match (self, alg) {
            (Self::Rsa, Alg::Rsa(_)) | (Self::Ed25519, Alg::Ed25519) => true,
            (Self::Ec(own), Alg::Ec(_, curve)) => own == curve,
            _ => false,
        }
    }
}

impl PublicKey {
    fn parse(key: &Value) -> Result<Self, &'static str> {
        let members = key.as_object().ok_or("it is not an object")?;
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err("a member that is a string is something else"),
        };
        if !matches!(text("use")?, None | Some("sig")) {
            return Err("it is not for signatures");
        }
        if let Some(operations) = members.get("key_ops") {
            let operations = operations.as_array().ok_or("key_ops is not an array")?;
            if !operations.iter().any(|operation| operation == "verify") {
                return Err("it is not for verifying");
            }
        }
        let alg = text("alg")?;
        let alg = alg.map(|name| name.parse::<Alg>()).transpose()?;
        let (kind, key, material) = material(members)?;
        if alg.is_some_and(|alg| !kind.signs_by(alg)) {
            return Err("its algorithm is not one of its type");
        }
        Ok(Self {
            kid: text("kid")?.map(str::to_owned),
            alg,
            kind,
            key,
            material,
        })
    }
}

/// The key itself, and a text that is equal for equal keys.
fn material(members: &Map<String, Value>) -> Result<(KeyKind, DecodingKey, String), &'static str> {
    let part = |name: &str| {
        let text = members.get(name).and_then(Value::as_str);
        let text = text.ok_or("a part of the key is missing")?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text);
        Ok::<_, &'static str>((text, bytes.map_err(|_| "a part of the key is not base64")?))
    };
    let unusable = |_| "the key can't be used";
    match members.get("kty").and_then(Value::as_str) {
        Some("RSA") => {
            let ((n, modulus), (e, _)) = (part("n")?, part("e")?);
            if !RSA_BITS.contains(&bits(&modulus)) {
                return Err("it has fewer than 2048 or more than 8192 bits");
            }
            let key = DecodingKey::from_rsa_components(n, e).map_err(unusable)?;
            Ok((KeyKind::Rsa, key, format!("RSA {n} {e}")))
        }
        Some("EC") => {
            let (curve, bytes) = match members.get("crv").and_then(Value::as_str) {
                Some("P-256") => (Curve::P256, 32),
                Some("P-384") => (Curve::P384, 48),
                _ => return Err("its curve is neither P-256 nor P-384"),
            };
            let ((x, first), (y, second)) = (part("x")?, part("y")?);
            if first.len() != bytes || second.len() != bytes {
                return Err("its point is not one of its curve");
            }
            let key = DecodingKey::from_ec_components(x, y).map_err(unusable)?;
            Ok((KeyKind::Ec(curve), key, format!("EC {bytes} {x} {y}")))
        }
        Some("OKP") if members.get("crv").and_then(Value::as_str) == Some("Ed25519") => {
            let (x, point) = part("x")?;
            if point.len() != 32 {
                return Err("its point is not one of its curve");
            }
            let key = DecodingKey::from_ed_components(x).map_err(unusable)?;
            Ok((KeyKind::Ed25519, key, format!("OKP {x}")))
        }
        // Secrets (`oct`) above all: who publishes one lets everybody sign.
        _ => Err("its type is not one that is used"),
    }
}

/// The number of bits of an integer.
fn bits(bytes: &[u8]) -> usize {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    match bytes.get(zeros) {
        None => 0,
        Some(first) => 8 * (bytes.len() - zeros) - first.leading_zeros() as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The Ed25519 key of RFC 8037, appendix A.2.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn ed(more: &Value) -> Value {
        let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "good"});
        for (name, value) in more.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    }

    fn rsa(bits: usize) -> Value {
        let mut modulus = vec![0xff; bits / 8];
        modulus[0] = 0x80;
        json!({"kty": "RSA", "n": BASE64_URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB", "kid": "rsa"})
    }

    fn set(keys: &[Value]) -> KeySet {
        KeySet::parse(&json!({"keys": keys}), "test")
    }

    #[test]
    fn a_key_that_can_not_be_used_is_left_out_and_the_others_stay() {
        let ec = |curve: &str, bytes: usize| {
            let part = BASE64_URL_SAFE_NO_PAD.encode(vec![1; bytes]);
            json!({"kty": "EC", "crv": curve, "x": part, "y": part})
        };
        let odd = [
            ed(&json!({"kid": 7})),
            json!("a string"),
            json!({"kty": "oct", "k": "c2VjcmV0", "kid": "good", "alg": "HS256"}),
            json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}),
            ec("P-521", 66),
            ec("P-256", 31),
            rsa(1_024),
            rsa(8_200),
            ed(&json!({"use": "enc"})),
            ed(&json!({"key_ops": ["sign"]})),
            ed(&json!({"alg": "RS256"})),
            ed(&json!({"alg": "ES512"})),
            ed(&json!({"x": "AA"})),
            ed(&json!({"x": 7})),
        ];
        for key in &odd {
            assert!(set(std::slice::from_ref(key)).is_empty(), "{key}");
        }
        let mut all = odd.to_vec();
        all.push(ed(&json!({"use": "sig", "key_ops": ["verify"]})));
        all.push(rsa(2_048));
        assert_eq!(set(&all).len(), 2);
        for odd in [
            json!({}),
            json!([]),
            json!({"keys": {}}),
            json!({"keys": null}),
        ] {
            assert!(KeySet::parse(&odd, "test").is_empty(), "{odd}");
        }
    }

    #[test]
    fn a_key_fits_by_its_name_its_type_and_its_algorithm() {
        let rs256 = Alg::Rsa(jsonwebtoken::Algorithm::RS256);
        let ps256 = Alg::Rsa(jsonwebtoken::Algorithm::PS256);
        let mut named = rsa(2_048);
        named["alg"] = "RS256".into();
        let keys = set(&[ed(&json!({"alg": "Ed25519"})), named, rsa(3_072)]);
        let fitting = |kid, alg| match keys.fitting(kid, alg) {
            Fit::Keys(keys) => keys.len(),
            Fit::Unknown => 0,
        };
        assert_eq!(fitting(Some("good"), Alg::Ed25519), 1);
        assert_eq!(fitting(Some("good"), rs256), 0);
        assert_eq!(fitting(Some("other"), Alg::Ed25519), 0);
        assert_eq!(fitting(None, Alg::Ed25519), 1);
        assert_eq!(fitting(Some("rsa"), rs256), 2, "several keys have one name");
        assert_eq!(fitting(Some("rsa"), ps256), 1);
        let many: Vec<_> = (0..20)
            .map(|n| ed(&json!({"kid": format!("k{n}")})))
            .collect();
        match set(&many).fitting(None, Alg::Ed25519) {
            Fit::Keys(keys) => assert_eq!(keys.len(), MAX_TRIED),
            Fit::Unknown => panic!("no key"),
        }
    }

    #[test]
    fn a_set_without_a_key_of_the_earlier_one_is_told_apart_from_one_with_more() {
        let (first, second) = (ed(&json!({})), rsa(2_048));
        let one = set(std::slice::from_ref(&first));
        let both = set(&[second, first]);
        let renamed = set(&[ed(&json!({"kid": "other"}))]);
        assert!(one.is_kept_in(&both));
        assert!(!both.is_kept_in(&one));
        assert!(!one.is_kept_in(&renamed));
    }
}
