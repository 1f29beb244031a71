//! TLS to PostgreSQL by rustls: always verified, whatever `sslmode` says of "require".

use drivers::tls;
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, pki_types::ServerName},
};

/// Makes connectors for the hosts of a URL. Without a configuration (no authorities on this system, say) connections
/// fail only where the server does offer TLS.
#[derive(Clone)]
pub struct Verified(pub Result<Arc<ClientConfig>, String>);

/// Connects to one host; or why it cannot, which is of no interest over a Unix socket.
pub struct VerifiedHost(Result<(Arc<ClientConfig>, ServerName<'static>), String>);

/// An encrypted connection.
pub struct Encrypted<S>(TlsStream<S>);

type Handshake<S> = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Verified {
    type Stream = Encrypted<S>;
    type TlsConnect = VerifiedHost;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<VerifiedHost> {
        let with_name = |config| Ok((config, tls::server_name(host)?));
        Ok(VerifiedHost(self.0.clone().and_then(with_name)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for VerifiedHost {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Handshake<S>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let (config, name) = self.0.map_err(io::Error::other)?;
            TlsConnector::from(config).connect(name, stream).await.map(Encrypted)
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> tokio_postgres::tls::TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The parameters of a URL that are ours: tokio-postgres knows neither a file of authorities nor the `verify-*` modes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UrlParts {
    /// The URL without them.
    pub url: String,
    /// `sslrootcert`: PEM file of the authorities that are believed, instead of the system's.
    pub root_certificate: Option<String>,
}

/// Takes them out. `verify-ca` and `verify-full` become `require`: the certificate is always verified, name included.
pub fn url_parts(url: &str) -> UrlParts {
    let Some((base, query)) = url.split_once('?') else {
        return UrlParts {
            url: url.to_owned(),
            root_certificate: None,
        };
    };
    let (mut kept, mut root_certificate) = (Vec::new(), None);
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("sslrootcert", "system")) => {}
            Some(("sslrootcert", path)) => root_certificate = Some(decoded(path)),
            Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
            _ => kept.push(parameter),
        }
    }
    let question = if kept.is_empty() { "" } else { "?" };
    UrlParts {
        url: format!("{base}{question}{}", kept.join("&")),
        root_certificate,
    }
}

/// `%2F` and the like as the bytes they stand for.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_authorities_is_taken_out_of_the_url() {
        let parts =
            url_parts("postgresql://u@h/d?sslmode=verify-full&sslrootcert=%2Fetc%2Fca%20x.pem&connect_timeout=3");
        assert_eq!(parts.url, "postgresql://u@h/d?sslmode=require&connect_timeout=3");
        assert_eq!(parts.root_certificate.as_deref(), Some("/etc/ca x.pem"));
        for plain in [
            "postgresql://u@h/d",
            "postgresql://u@h/d?sslmode=disable",
            "host=h user=u",
        ] {
            assert_eq!(url_parts(plain).url, plain);
        }
        assert_eq!(
            url_parts("postgresql://u@h/d?sslrootcert=system").url,
            "postgresql://u@h/d"
        );
    }
}
