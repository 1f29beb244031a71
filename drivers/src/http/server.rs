//! Connections: how many, how long, and how they end.

use crate::api::Stop;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet, time::timeout};

/// Connections at the same time; further clients wait in the system's queue.
const CONNECTIONS: usize = 64;
/// How long a client may take for its headers, and keep a connection open without a request.
const HEADER_PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of a request's headers.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// How long requests that are being answered may take after a stop.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// Wait after a connection could not be taken (no file handle left).
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// Serves until it is stopped; requests that have begun are answered.
pub async fn serve(listener: TcpListener, router: Router, mut stop: Stop) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = stop.stopped() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accepted => accepted,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection could not be taken: {error}");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_PATIENCE)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%from, "connection: {error}");
            }
            drop(place);
        });
    }
    drop(listener);
    let _ = timeout(LAST_ANSWERS, graceful.shutdown()).await;
}
