//! The settings of a server.

use std::time::Duration;
use trunkline_engine::Config as EngineConfig;
use trunkline_engine::vault::ApiToken;

/// How a server treats those who connect to it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Connections that may be open at once, those of workers aside. More wait until one closes.
    pub connections_max: usize,
    /// Workers and clients that may be connected to `/v1/connect` at once. More are refused.
    pub peers_max: usize,
    /// Streams of events that may be open at once. More are refused.
    pub streams_max: usize,
    /// How often a stream of events on which nothing happens gets a heartbeat.
    pub heartbeat: Duration,
    /// Bytes of all headers of a request together.
    pub header_bytes_max: usize,
    /// Bytes of a request's address.
    pub uri_bytes_max: usize,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// How long a client may take to send the headers of a request.
    pub header_timeout: Duration,
    /// How long a request that waits for a run is held, if it does not say.
    pub wait_default: Duration,
    /// How long a request that waits for a run is held at most.
    pub wait_max: Duration,
    /// How often a worker's connection gets a ping.
    pub ping_every: Duration,
    /// A worker's connection on which nothing came in for so long is closed.
    pub silence_max: Duration,
    /// True: nothing but health is answered without a token. False: what comes without one may do everything, as the default tenant.
    pub tokens_required: bool,
    /// A token with every scope, from a file of the operator's.
    pub admin_token: Option<ApiToken>,
    /// How the engines of tenants are opened, in folders of their own in its data folder; absent: there is the default tenant only.
    pub tenants: Option<EngineConfig>,
    /// How many tenants there may be beside the default one.
    pub tenants_max: usize,
    /// Destinations that have metrics of their own: those with the most work.
    pub metrics_destinations: usize,
    /// How long what is under way may take once the server has been told to stop.
    pub grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            peers_max: 10_000,
            streams_max: 1_000,
            heartbeat: Duration::from_secs(15),
            header_bytes_max: 16 << 10,
            uri_bytes_max: 8 << 10,
            body_bytes_max: 16 << 20,
            header_timeout: Duration::from_secs(30),
            wait_default: Duration::from_secs(30),
            wait_max: Duration::from_secs(60),
            ping_every: Duration::from_secs(20),
            silence_max: Duration::from_secs(60),
            tokens_required: false,
            admin_token: None,
            tenants: None,
            tenants_max: 64,
            metrics_destinations: 50,
            grace: Duration::from_secs(10),
        }
    }
}
