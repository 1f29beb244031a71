//! How a connection is encrypted and who is believed.

/// Files as the plant file names them, relative to it. Left out: the operating system's roots, no certificate of our own,
/// the name of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the authorities that are believed, instead of the system's.
    pub ca: Option<String>,
    /// PEM file with our own certificate, and where its key is kept: `file:PATH` or `env:NAME`.
    pub client: Option<(String, String)>,
    /// The name that the server's certificate must have, where it is not the host's.
    pub server_name: Option<String>,
}
