//! Where to: the connection, and what its errors mean.

use super::tls::{Verified, url_parts};
use drivers::tls::{self, Material};
use std::{str::FromStr, time::Duration};
use store::StoreError;
use tokio_postgres::{
    Client, Config, NoTls,
    config::{Host, SslMode},
    error::SqlState,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that vanished without a word is noticed within about this.
const SILENCE: Duration = Duration::from_secs(30);

/// Why an export stopped. Messages name the server, never the password.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The URL is not one.
    #[error("the PostgreSQL URL is not usable: {0}; expected postgresql://user@host:port/database")]
    Url(String),
    /// No connection.
    #[error("cannot connect to PostgreSQL at {server}: {message}")]
    Connect {
        /// Host and port.
        server: String,
        /// What it says.
        message: String,
    },
    /// An error while it worked.
    #[error("PostgreSQL at {server}: {message}")]
    Server {
        /// Host and port.
        server: String,
        /// What it says.
        message: String,
        /// Is it the fault of a row, which would be refused again?
        blames_row: bool,
    },
    /// The file of authorities cannot be used.
    #[error("sslrootcert: {0}")]
    RootCertificate(String),
    /// The database that is exported.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of refused rows.
    #[error("{}: {source}", path.display())]
    Refused {
        /// The file.
        path: std::path::PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The system gives no thread.
    #[error("the system gives no thread: {0}")]
    Runtime(#[from] std::io::Error),
}

impl PostgresError {
    /// May the same rows be taken one by one, but for some of them?
    pub fn blames_row(&self) -> bool {
        matches!(self, Self::Server { blames_row: true, .. })
    }
}

/// A connection's settings, parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    config: Config,
    server: String,
    host: String,
    root_certificate: Option<Vec<u8>>,
}

impl Target {
    /// From a URL and, where it is kept elsewhere, the password. `sslrootcert` in the URL names a PEM file.
    ///
    /// # Errors
    /// [`PostgresError::Url`], [`PostgresError::RootCertificate`].
    pub fn new(url: &str, password: Option<&str>) -> Result<Self, PostgresError> {
        let parts = url_parts(url);
        let root_certificate = parts.root_certificate.map(|path| {
            std::fs::read(&path).map_err(|e| PostgresError::RootCertificate(format!("cannot read {path}: {e}")))
        });
        let mut config = Config::from_str(&parts.url).map_err(|e| PostgresError::Url(full(&e)))?;
        if let Some(password) = password {
            config.password(password);
        }
        config
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(SILENCE)
            .keepalives_idle(SILENCE / 3)
            .application_name("TurbineNOxAnalyzer");
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => return Err(PostgresError::Url("it names no host".into())),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        Ok(Self {
            config,
            server: format!("{host}:{port}"),
            host,
            root_certificate: root_certificate.transpose()?,
        })
    }

    /// Host and port, for messages.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// An error while it worked.
    pub fn error(&self, error: &tokio_postgres::Error) -> PostgresError {
        PostgresError::Server {
            server: self.server.clone(),
            message: full(error),
            blames_row: blames_row(error),
        }
    }

    /// Something else that is wrong there.
    pub fn problem(&self, message: String) -> PostgresError {
        PostgresError::Server {
            server: self.server.clone(),
            message,
            blames_row: false,
        }
    }

    /// Encrypted where the server offers it, its certificate verified then; `sslmode=disable` in the URL turns it off.
    ///
    /// # Errors
    /// [`PostgresError::Connect`].
    pub async fn connect(&self) -> Result<Client, PostgresError> {
        let failed = |message: String| PostgresError::Connect {
            server: self.server.clone(),
            message,
        };
        if self.config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = self.config.connect(NoTls).await.map_err(|e| failed(full(&e)))?;
            tokio::spawn(connection);
            return Ok(client);
        }
        let material = Material {
            ca: self.root_certificate.as_deref(),
            client: None,
        };
        let tls = Verified(tls::client_config(material));
        let explained =
            |e: tokio_postgres::Error| failed(tls::explain(&e, &self.server, &self.host).unwrap_or_else(|| full(&e)));
        let (client, connection) = self.config.connect(tls).await.map_err(explained)?;
        tokio::spawn(connection);
        Ok(client)
    }
}

/// Would the same row be refused again? A constraint, a value that does not fit, a trigger that raises; not what is wrong
/// with the server, the connection, the tables or the rights, which pass or are mended.
fn blames_row(error: &tokio_postgres::Error) -> bool {
    let Some(database) = error.as_db_error() else {
        return false;
    };
    let code = database.code();
    match code.code().get(..2) {
        // no partition for it, in a table that an administrator made: that is mended by making one
        Some("23") => !(*code == SqlState::CHECK_VIOLATION && database.constraint().is_none()),
        Some("21" | "22" | "38" | "39" | "44" | "54" | "P0") => true,
        _ => false,
    }
}

/// The SQLSTATE of an error of the server.
pub fn sqlstate(error: &tokio_postgres::Error) -> String {
    error.code().map(|c| c.code().to_owned()).unwrap_or_default()
}

/// An error with its causes: PostgreSQL's own words are the cause.
pub fn full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
