//! From the settings to a connection: TCP, TLS where it is asked for, and the gate for packets that would end it.

use super::gate::Gate;
use crate::{
    api::{Context, SetupError},
    tls::{self, Material},
};
use domain::plant::{MqttSource, Tls};
use rumqttc::{AckMode, AsyncClient, Broker, EventLoop, MqttOptions};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};

/// How long connecting may take.
pub const CONNECT_SECS: u64 = 5;
/// Room for requests: acknowledgements of all that may be in flight.
const REQUESTS: usize = 10_000;
/// What the client library has to take beside the largest message that may pass: a topic may have 64 KiB.
const BESIDE_PAYLOAD: usize = 128 * 1024;

/// Everything that a connection needs, checked.
#[derive(Clone)]
pub struct Connector {
    host: String,
    port: u16,
    most: usize,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    credentials: Option<(String, String)>,
    keep_alive: Duration,
}

/// What reads and writes.
trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

impl Connector {
    /// Reads certificates and secrets.
    ///
    /// # Errors
    /// What is missing or not usable.
    pub fn new(settings: &MqttSource, context: &Context) -> Result<Self, SetupError> {
        let password = match &settings.password {
            Some(reference) => (context.secret)(reference).map_err(SetupError::Secret)?,
            None => String::new(),
        };
        let tls = settings
            .tls
            .as_ref()
            .map(|tls| tls_config(tls, settings, context))
            .transpose()?;
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port,
            most: settings.max_packet_bytes,
            tls,
            credentials: settings.username.clone().map(|user| (user, password)),
            keep_alive: settings.keep_alive,
        })
    }

    /// A client that is not connected yet, with its loop. The session is the broker's to keep, unless it `is_clean`.
    pub fn client(&self, client_id: &str, is_clean: bool) -> (AsyncClient, EventLoop) {
        let mut options = MqttOptions::new(client_id, Broker::tcp(&self.host, self.port));
        options
            .set_clean_session(is_clean)
            .set_ack_mode(AckMode::Manual)
            .set_keep_alive(u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX))
            .set_max_packet_size(self.most + BESIDE_PAYLOAD, self.most + BESIDE_PAYLOAD);
        if let Some((user, password)) = &self.credentials {
            options.set_credentials(user, password.clone());
        }
        let connector = self.clone();
        options.set_socket_connector(move |_, _| {
            let connector = connector.clone();
            async move { connector.connect().await }
        });
        let (client, mut events) = AsyncClient::builder(options).capacity(REQUESTS).build();
        let mut network = events.network_options();
        network.set_connection_timeout(CONNECT_SECS);
        events.set_network_options(network);
        (client, events)
    }

    async fn connect(&self) -> io::Result<Gate<Box<dyn Stream>>> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some((config, name)) => Box::new(TlsConnector::from(config.clone()).connect(name.clone(), tcp).await?),
        };
        Ok(Gate::new(stream, self.most))
    }
}

fn tls_config(
    tls: &Tls,
    settings: &MqttSource,
    context: &Context,
) -> Result<(Arc<ClientConfig>, ServerName<'static>), SetupError> {
    let read = |name: &str| {
        let path = context.folder.join(name);
        std::fs::read(&path).map_err(|e| SetupError::Tls(format!("cannot read {}: {e}", path.display())))
    };
    let ca = tls.ca.as_deref().map(read).transpose()?;
    let client = match &tls.client {
        None => None,
        Some((certificate, key)) => {
            let key = (context.secret)(key).map_err(SetupError::Secret)?;
            Some((read(certificate)?, key))
        }
    };
    let material = Material {
        ca: ca.as_deref(),
        client: client
            .as_ref()
            .map(|(certificate, key)| (certificate.as_slice(), key.as_bytes())),
    };
    let config = tls::client_config(material).map_err(SetupError::Tls)?;
    let name = tls::server_name(server_name(settings)).map_err(SetupError::Tls)?;
    Ok((config, name))
}

/// The name that the broker's certificate has to have.
pub fn server_name(settings: &MqttSource) -> &str {
    let wanted = settings.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
    wanted.unwrap_or(&settings.host)
}
