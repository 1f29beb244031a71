//! TLS by rustls: always with verification, 1.2 or newer. Used by sources and by the export to PostgreSQL.

use std::{error::Error, fmt::Display, io, sync::Arc};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

/// What a client needs: authorities to believe and, where the server asks for one, a certificate of its own. PEM texts.
#[derive(Clone, Copy, Default)]
pub struct Material<'a> {
    /// Authorities; none: the operating system's.
    pub ca: Option<&'a [u8]>,
    /// Our certificate with its chain, and its key.
    pub client: Option<(&'a [u8], &'a [u8])>,
}

/// A configuration that believes nobody else.
///
/// # Errors
/// What is wrong with the material; never the key itself.
pub fn client_config(material: Material<'_>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = material.ca {
        for certificate in certificates("the certificate authority", ca)? {
            roots
                .add(certificate)
                .map_err(|e| format!("the certificate authority cannot be used: {e}"))?;
        }
    } else {
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if roots.is_empty() {
            let reasons: Vec<String> = system.errors.iter().map(ToString::to_string).collect();
            return Err(format!(
                "the system has no certificate authorities ({}); name one by `ca`",
                reasons.join("; ")
            ));
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots);
    let config = match material.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates("our certificate", certificate)?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "our key is no private key in PEM".to_owned())?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|e| format!("our certificate and key do not work together: {e}"))?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|_| format!("{what} is no certificate in PEM"))?;
    if all.is_empty() {
        return Err(format!("{what}: the file holds no certificate in PEM"));
    }
    Ok(all)
}

/// The name or address that a server's certificate has to have.
///
/// # Errors
/// It is neither.
pub fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(host.to_owned()).map_err(|_| format!("{host:?} is no host name that a certificate could have"))
}

/// What rustls found wrong in a connection, in words, with what to do; none when the error is of another kind.
pub fn explain(error: &(dyn Error + 'static), server: impl Display, name: &str) -> Option<String> {
    let words = match rustls_error(error)? {
        rustls::Error::InvalidCertificate(wrong) => format!(
            "the certificate of {server} is refused: {}",
            match wrong {
                // the second: an authority made anew under its old name
                CertificateError::UnknownIssuer | CertificateError::BadSignature =>
                    "no authority that we believe has signed it; is it the right server, and `ca` the right file?"
                        .into(),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } =>
                    "it has expired (or this computer's clock is wrong)".into(),
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } =>
                    "it is not valid yet (or this computer's clock is wrong)".into(),
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } =>
                    format!("it is of another name than {name:?}; `server_name` says which one is expected"),
                other => format!("{other}"),
            }
        ),
        rustls::Error::AlertReceived(alert) => {
            format!("{server} refuses the TLS connection ({alert:?}): does it want another certificate of ours?")
        }
        rustls::Error::InvalidMessage(_) => format!("{server} does not speak TLS: is the port right?"),
        other => format!("no TLS connection to {server}: {other}"),
    };
    Some(words)
}

/// The error of rustls that is wrapped in this one.
fn rustls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found);
    }
    // an io::Error's source is the source of what it wraps: what it wraps has to be asked itself
    if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return rustls_error(inner);
    }
    error.source().and_then(rustls_error)
}
