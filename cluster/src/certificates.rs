//! An authority of a cluster's own, and what it signs for servers and clients. Everything is a PEM
//! file in one folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// A certificate and its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The private key's file.
    pub key: PathBuf,
}

/// Who signs.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    /// Makes one, and writes its certificate to `ca.pem` in a folder.
    ///
    /// # Errors
    /// Where the folder can't be written.
    pub fn make(folder: &Path, name: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        fs::write(ca(folder), certificate.pem()).context("the authority can't be written")?;
        Ok(Self {
            issuer: Issuer::new(params, key),
            folder: folder.to_owned(),
        })
    }

    /// Signs what a server at these addresses shows, also where it is the client of another one.
    ///
    /// # Errors
    /// Where the folder can't be written, or an address can't stand in a certificate.
    pub fn sign_server(&self, name: &str, addresses: &[&str]) -> anyhow::Result<Pair> {
        let addresses: Vec<_> = addresses.iter().map(|one| (*one).to_owned()).collect();
        let params = CertificateParams::new(addresses)?;
        let both = [
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        self.sign(name, params, &both)
    }

    /// Signs what a client shows.
    ///
    /// # Errors
    /// Where the folder can't be written.
    pub fn sign_client(&self, name: &str) -> anyhow::Result<Pair> {
        let params = CertificateParams::new(Vec::new())?;
        self.sign(name, params, &[ExtendedKeyUsagePurpose::ClientAuth])
    }

    fn sign(
        &self,
        name: &str,
        mut params: CertificateParams,
        purposes: &[ExtendedKeyUsagePurpose],
    ) -> anyhow::Result<Pair> {
        params.distinguished_name.push(DnType::CommonName, name);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = purposes.to_vec();
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let pair = pair(&self.folder, name);
        fs::write(&pair.certificate, certificate.pem())?;
        fs::write(&pair.key, key.serialize_pem())?;
        Ok(pair)
    }
}

/// The authority's certificate in a folder.
#[must_use]
pub fn ca(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

/// What was signed for a name in a folder.
#[must_use]
pub fn pair(folder: &Path, name: &str) -> Pair {
    Pair {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    }
}
