//! PostgreSQL out: pages of the store are copied into a staging table and inserted from there, what exists already is left
//! alone. Interrupted anywhere, the export is simply run again.

use super::tls::{Verified, url_parts};
use drivers::tls::{self, Material};
use std::{
    pin::pin,
    str::FromStr,
    time::{Duration, SystemTime},
};
use store::{ExportRow, Reader, StoreError};
use tokio_postgres::{
    Client, Config, NoTls,
    binary_copy::BinaryCopyInWriter,
    config::{Host, SslMode},
    types::Type,
};

/// Frames of one transaction.
const PAGE: usize = 5000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
create schema if not exists nox;
create table if not exists nox.reading (
    plant text not null, turbine text not null, tag text not null, ts timestamptz not null, seq bigint not null,
    value double precision, quality smallint not null, reason text, model text,
    primary key (plant, turbine, tag, ts, seq));
create or replace view nox.measured_predicted as
    select p.plant, p.turbine, left(p.tag, -5) as target, p.ts, m.value as measured, p.value as predicted,
           lo.value as lo, hi.value as hi
    from nox.reading p
    left join nox.reading lo on (lo.plant, lo.turbine, lo.tag, lo.ts, lo.seq) = (p.plant, p.turbine, p.tag || '_LO', p.ts, p.seq)
    left join nox.reading hi on (hi.plant, hi.turbine, hi.tag, hi.ts, hi.seq) = (p.plant, p.turbine, p.tag || '_HI', p.ts, p.seq)
    left join lateral (
        select value from nox.reading r
        where (r.plant, r.turbine, r.tag, r.ts) = (p.plant, p.turbine, left(p.tag, -5), p.ts) and r.quality < 2
        order by r.seq desc limit 1) m on true
    where p.model is not null and p.tag like '%\\_PRED';
";

const STAGE: &str = "create temp table stage (like nox.reading) on commit drop";
const COPY: &str = "copy stage (plant, turbine, tag, ts, seq, value, quality, reason, model) from stdin binary";
const INSERT: &str = "insert into nox.reading select * from stage on conflict do nothing";

/// What an export did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Readings sent.
    pub readings: u64,
    /// Readings that were not there before.
    pub inserted: u64,
}

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
    },
    /// The file of authorities cannot be used.
    #[error("sslrootcert: {0}")]
    RootCertificate(String),
    /// The database that is exported.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no thread.
    #[error("the system gives no thread: {0}")]
    Runtime(#[from] std::io::Error),
}

/// A connection's settings, parsed.
#[derive(Clone)]
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

    fn error(&self, error: &tokio_postgres::Error) -> PostgresError {
        PostgresError::Server {
            server: self.server.clone(),
            message: full(error),
        }
    }

    /// Encrypted where the server offers it, its certificate verified then; `sslmode=disable` in the URL turns it off.
    async fn connect(&self) -> Result<Client, PostgresError> {
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

/// An error with its causes: PostgreSQL's own words are the cause.
fn full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Exports everything the store holds. `progress` hears of every page.
///
/// # Errors
/// [`PostgresError`]; every page before it is committed.
pub fn export(reader: &Reader, target: &Target, progress: impl FnMut(Exported)) -> Result<Exported, PostgresError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(export_after(reader, target, 0, progress))
        .map(|(exported, _)| exported)
}

/// Exports what is behind `after`; gives the last seq exported too.
async fn export_after(
    reader: &Reader,
    target: &Target,
    mut after: i64,
    mut progress: impl FnMut(Exported),
) -> Result<(Exported, i64), PostgresError> {
    let mut client = target.connect().await?;
    client.batch_execute(SCHEMA).await.map_err(|e| target.error(&e))?;
    let identity = reader.plant().clone();
    let mut total = Exported::default();
    loop {
        let rows = reader.export_page(after, PAGE)?;
        let Some(last) = rows.iter().map(|r| r.seq).max() else {
            return Ok((total, after));
        };
        let inserted = insert(&mut client, &identity.plant, &identity.turbine, &rows).await;
        total.inserted += inserted.map_err(|e| target.error(&e))?;
        total.readings += rows.len() as u64;
        after = last;
        progress(total);
    }
}

async fn insert(
    client: &mut Client,
    plant: &str,
    turbine: &str,
    rows: &[ExportRow],
) -> Result<u64, tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(STAGE).await?;
    let sink = transaction.copy_in(COPY).await?;
    let types = [
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::INT8,
        Type::FLOAT8,
        Type::INT2,
        Type::TEXT,
        Type::TEXT,
    ];
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for row in rows {
        let ts = system_time(row.time.micros());
        let quality = row.status.quality() as i16;
        let reason = row.status.reason().map(|r| r.as_str());
        let model = row.model.as_deref();
        let columns: [&(dyn tokio_postgres::types::ToSql + Sync); 9] = [
            &plant,
            &turbine,
            &row.tag.as_str(),
            &ts,
            &row.seq,
            &row.value,
            &quality,
            &reason,
            &model,
        ];
        writer.as_mut().write(&columns).await?;
    }
    writer.finish().await?;
    let inserted = transaction.execute(INSERT, &[]).await?;
    transaction.commit().await?;
    Ok(inserted)
}

fn system_time(micros: i64) -> SystemTime {
    let distance = Duration::from_micros(micros.unsigned_abs());
    if micros < 0 {
        SystemTime::UNIX_EPOCH - distance
    } else {
        SystemTime::UNIX_EPOCH + distance
    }
}
