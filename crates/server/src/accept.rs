//! Accepting connections, and the end of it.
//!
//! ```text
//! told to stop ─▶ no new connections ─▶ the engine refuses new work and lets finish what workers do (at most `grace`)
//!              ─▶ workers are disconnected ─▶ requests under way get their answer ─▶ the end
//! ```

use crate::config::Config;
use crate::house::House;
use crate::{gate, tenants};
use futures_util::future::join_all;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use trunkline_api::core::code::Code;
use trunkline_engine::Engine;

/// How a server ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// It was told to stop, and everything accepted is durable.
    Stopped,
    /// A write to the disk failed. The process is to exit without another acknowledgement.
    Failed(String),
}

/// Why a server cannot listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BindError {
    /// `TL0046`, or `TL0047` if the address is none of this machine's.
    pub code: Code,
    /// What exactly, for a person.
    pub message: String,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BindError {}

/// Listens on `address`; port 0 takes any free one.
///
/// # Errors
/// If the address is taken, or not usable.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|error| BindError {
        code: match error.kind() {
            io::ErrorKind::AddrInUse => Code::AddressInUse,
            _ => Code::ConfigInvalid,
        },
        message: format!("cannot listen on {address}: {error}"),
    })
}

/// Serves `engine` on `listener` until `stop` is ready or the engine fails.
pub async fn serve(
    engine: Engine,
    listener: TcpListener,
    config: Config,
    stop: impl Future<Output = ()>,
) -> End {
    let (stopping_sender, stopping) = watch::channel(false);
    let house = House::new(engine, config, stopping);
    if let Err(rejection) = house.settle_admin_token().await {
        return failure(&house, rejection.detail.to_string());
    }
    tenants::open_all(&house).await;
    let config = &house.config;
    let connections = Arc::new(Semaphore::new(config.connections_max));
    tokio::select! {
        never = accept(Arc::clone(&house), &listener, &connections) => match never {},
        reason = house.failed() => return failure(&house, reason),
        () = stop => {}
    }
    drop(listener);
    tracing::info!(grace_ms = config.grace.as_millis() as u64, "stopping");
    stopping_sender.send_replace(true);
    let others = house.others();
    let all = others.iter().chain([house.home()]);
    join_all(all.map(|tenant| tenant.app.engine.shutdown(config.grace))).await;
    if let Some(reason) = house.failure() {
        return failure(&house, reason);
    }
    // What is left are answers on their way, and connections that nothing was asked on.
    let all = u32::try_from(config.connections_max).unwrap_or(u32::MAX);
    let all_closed = connections.acquire_many(all);
    if tokio::time::timeout(Duration::from_secs(2), all_closed)
        .await
        .is_err()
    {
        tracing::warn!("some connections did not close in time");
    }
    house.dismiss_all();
    tracing::info!("stopped");
    End::Stopped
}

fn failure(house: &House, reason: String) -> End {
    tracing::error!(
        reason,
        "the engine failed: nothing is acknowledged any more"
    );
    house.dismiss_all();
    End::Failed(reason)
}

async fn accept(
    house: Arc<House>,
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Infallible {
    loop {
        let permit = Arc::clone(connections)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(attend(Arc::clone(&house), stream, permit));
            }
            Err(error) => {
                // Out of descriptors, or a connection that was gone again at once. Neither heals by asking at once.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves one connection. One that becomes a WebSocket leaves here with the upgrade.
async fn attend(house: Arc<House>, stream: TcpStream, permit: OwnedSemaphorePermit) {
    // Answers are written whole; waiting for more to send would only add latency.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let service = service_fn(|request| {
        let house = Arc::clone(&house);
        async move { Ok::<_, Infallible>(gate::enter(&house, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(house.config.header_timeout)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = house.stopped() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
    drop(permit);
}
