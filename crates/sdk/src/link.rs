//! Links: how a client or worker reaches the engine.
//!
//! A link carries batches of messages both ways. Over a network it is one WebSocket; in library mode the engine takes the
//! values as they are. Who uses a link does not know which it is.

#[cfg(feature = "embedded")]
mod embedded;
mod remote;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use trunkline_api::core::code::Code;
use trunkline_api::core::peer::{FromPeer, Rejection, ToPeer};

/// A boxed future.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The sending half of a link. Sending never blocks; what cannot be sent because the link broke is dropped, and the
/// receiving half says so by ending.
pub trait Outbound: Send + Sync {
    /// Sends a batch.
    fn send(&self, batch: Vec<FromPeer>);

    /// Closes the link once what was sent has left.
    fn close(&self) -> Boxed<'_, ()>;
}

/// The receiving half of a link.
pub trait Inbound: Send {
    /// The next batch; nothing once the link is broken or closed.
    fn recv(&mut self) -> Boxed<'_, Option<Vec<ToPeer>>>;
}

/// A way to make links. Tests may implement it to play the engine.
pub trait Connect: Send + Sync {
    /// Makes a link.
    fn connect(&self) -> Boxed<'_, Result<Link, Rejection>>;

    /// How long to wait before the second attempt; it doubles with each.
    fn patience(&self) -> Duration {
        Duration::from_millis(50)
    }
}

/// A connection to the engine.
pub struct Link {
    /// What is sent.
    pub outbound: Arc<dyn Outbound>,
    /// What is received.
    pub inbound: Box<dyn Inbound>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

/// Where the engine is: the URL of a server, or an engine in this process. Cheap to clone.
#[derive(Clone)]
pub struct Endpoint {
    connect: Arc<dyn Connect>,
    label: Arc<str>,
}

impl Endpoint {
    /// An endpoint of your own making.
    pub fn new(label: impl Into<Arc<str>>, connect: impl Connect + 'static) -> Self {
        Self {
            connect: Arc::new(connect),
            label: label.into(),
        }
    }

    /// The server at `url`, such as `http://127.0.0.1:7411`.
    #[must_use]
    pub fn remote(url: &str) -> Self {
        Self::new(url, remote::Remote::new(url))
    }

    /// The server at `url`, with an API token (`tl_…`): for [`Client::connect`](crate::Client::connect) and workers alike. Read it from
    /// a file or from the environment; it does not print.
    #[must_use]
    pub fn with_token(url: &str, token: &str) -> Self {
        Self::new(url, remote::Remote::with_token(url, token))
    }

    /// The engine in this process.
    #[cfg(feature = "embedded")]
    #[must_use]
    pub fn embedded(engine: &trunkline_engine::Engine) -> Self {
        Self::new("embedded", embedded::Embedded::new(engine))
    }

    pub(crate) async fn connect(&self) -> Result<Link, Rejection> {
        self.connect.connect().await
    }

    pub(crate) fn patience(&self) -> Duration {
        self.connect.patience()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.label)
    }
}

impl From<&str> for Endpoint {
    fn from(url: &str) -> Self {
        Self::remote(url)
    }
}

impl From<String> for Endpoint {
    fn from(url: String) -> Self {
        Self::remote(&url)
    }
}

impl From<&String> for Endpoint {
    fn from(url: &String) -> Self {
        Self::remote(url)
    }
}

#[cfg(feature = "embedded")]
impl From<&trunkline_engine::Engine> for Endpoint {
    fn from(engine: &trunkline_engine::Engine) -> Self {
        Self::embedded(engine)
    }
}

/// The server cannot be reached, and why.
fn unreachable(url: &str, reason: impl fmt::Display) -> Rejection {
    Rejection::new(
        Code::ServerUnreachable,
        format!("{url} does not answer: {reason}"),
    )
}
