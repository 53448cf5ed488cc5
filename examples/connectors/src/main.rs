//! `connector rest` serves the REST connector; `connector receive` is a receiver for it that verifies signatures.

use clap::{Parser, Subcommand};
use std::io::Write;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use trunkline_connectors::contract::Connector;
use trunkline_connectors::receiver;
use trunkline_connectors::rest::Rest;
use trunkline_connectors::signature::Key;

#[derive(Parser, Debug)]
#[command(name = "connector", about = "Connectors for Trunkline")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Serve the REST connector
    Rest {
        /// The address to listen on
        #[arg(long, default_value = "127.0.0.1:9100")]
        listen: SocketAddr,
        /// Where the API is, if the settings of a call do not say it
        #[arg(long, default_value = "http://127.0.0.1:9200")]
        base_url: String,
        /// Sign each call with this secret: whsec_ and base64
        #[arg(long, env = "CONNECTOR_SECRET", hide_env_values = true, value_parser = Key::read)]
        secret: Option<Key>,
        /// Take only calls with this bearer token
        #[arg(long, env = "CONNECTOR_TOKEN", hide_env_values = true)]
        token: Option<String>,
    },
    /// Take webhooks, verify them, and print them
    Receive {
        /// The address to listen on
        #[arg(long, default_value = "127.0.0.1:9200")]
        listen: SocketAddr,
        /// The secret that they are signed with
        #[arg(long, env = "CONNECTOR_SECRET", hide_env_values = true, value_parser = Key::read)]
        secret: Key,
    },
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    match Args::parse().command {
        Command::Rest {
            listen,
            base_url,
            secret,
            token,
        } => {
            let listener = listening(listen).await?;
            Connector::new(Rest::new(&base_url, secret), token)
                .serve(listener)
                .await;
        }
        Command::Receive { listen, secret } => {
            let listener = listening(listen).await?;
            let print = |method: &str, path: &str, body: &str| {
                let mut out = std::io::stdout().lock();
                // Whoever read it has gone: there is nobody to tell.
                let _ = writeln!(out, "{method} {path} {body}");
            };
            receiver::serve(listener, secret, print).await;
        }
    }
    Ok(())
}

async fn listening(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    writeln!(
        std::io::stdout(),
        "listening on http://{}",
        listener.local_addr()?
    )?;
    Ok(listener)
}
