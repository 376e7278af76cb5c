//! TLS of the connection to a server: which CAs count, and who we are. Certificates are always verified.

use anyhow::Result;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::config::{ClientIdentity, HttpSettings, PemFile};

/// The configuration of the client.
///
/// # Errors
/// A file is not what it should be: exit code 2.
pub(super) fn config(settings: &HttpSettings) -> Result<TlsConfig> {
    let roots = match &settings.ca {
        None => RootCerts::PlatformVerifier,
        Some(file) => RootCerts::from(authorities(file)?),
    };
    let identity = settings.identity.as_ref().map(identity).transpose()?;
    Ok(TlsConfig::builder()
        .root_certs(roots)
        .client_cert(identity)
        .build())
}

fn authorities(file: &PemFile) -> Result<Vec<Certificate<'static>>> {
    let found = certificates(file)?;
    let mut store = RootCertStore::empty();
    for certificate in &found {
        store
            .add(certificate.clone())
            .map_err(|error| file.problem(&format!("has a CA that can't be used: {error}")))?;
    }
    Ok(found.iter().map(owned).collect())
}

/// The certificate and its key, tried together: the client takes for granted that they fit.
fn identity(identity: &ClientIdentity) -> Result<ClientCert> {
    let ClientIdentity { certificate, key } = identity;
    let chain = certificates(certificate)?;
    let pem = key.text.reveal().as_bytes();
    let unreadable = || {
        key.problem("holds no private key that can be read")
            .fix("a key in PEM's format without a password is wanted: openssl pkey -in OLD -out NEW")
    };
    let parsed = PrivateKeyDer::from_pem_slice(pem).map_err(|_| unreadable())?;
    let ours = PrivateKey::from_pem(pem).map_err(|_| unreadable())?;
    CertifiedKey::from_der(chain.clone(), parsed, &ring::default_provider()).map_err(|error| {
        let certificate = certificate.path.display();
        key.problem(&format!("is not a key for {certificate}: {error}"))
    })?;
    let chain: Vec<_> = chain.iter().map(owned).collect();
    Ok(ClientCert::new_with_certs(&chain, ours))
}

fn certificates(file: &PemFile) -> Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(file.text.reveal().as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => file
            .problem("holds no certificate that can be read")
            .fix("a file in PEM's format is wanted: -----BEGIN CERTIFICATE-----")
            .err(),
    }
}

fn owned(certificate: &CertificateDer<'_>) -> Certificate<'static> {
    Certificate::from_der(certificate).to_owned()
}
