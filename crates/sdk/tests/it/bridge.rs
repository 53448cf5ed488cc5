//! A WebSocket server in front of an engine, which tests can cut off.

use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use trunkline_api::frame::{CONNECT_PATH, SUBPROTOCOL, decode_batch, encode_batch};
use trunkline_engine::Engine;

pub(crate) struct Bridge {
    address: SocketAddr,
    cut: broadcast::Sender<()>,
    pub(crate) connections: Arc<AtomicU32>,
}

impl Bridge {
    pub(crate) async fn open(engine: &Engine) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, _) = broadcast::channel(1);
        let connections = Arc::new(AtomicU32::new(0));
        let (engine, cuts, count) = (engine.clone(), cut.clone(), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (engine, mut cut) = (engine.clone(), cuts.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        () = serve(stream, engine) => {}
                        _ = cut.recv() => {}
                    }
                });
            }
        });
        Self {
            address,
            cut,
            connections,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks every connection.
    pub(crate) fn cut(&self) {
        let _ = self.cut.send(());
    }
}

async fn serve(stream: TcpStream, engine: Engine) {
    #[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
    let check = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        assert_eq!(request.uri().path(), CONNECT_PATH);
        let protocol = request.headers()["Sec-WebSocket-Protocol"].clone();
        assert_eq!(protocol, SUBPROTOCOL);
        response
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", protocol);
        Ok(response)
    };
    let socket = tokio_tungstenite::accept_hdr_async(stream, check)
        .await
        .unwrap();
    let (mut sink, mut stream) = socket.split();
    let (session, mut mailbox) = engine.connect();
    loop {
        tokio::select! {
            frame = stream.next() => match frame {
                Some(Ok(Message::Binary(bytes))) => {
                    session.send(decode_batch(&bytes).unwrap());
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return,
            },
            batch = mailbox.recv() => match batch {
                Some(batch) => {
                    if sink.send(Message::Binary(encode_batch(&batch).into())).await.is_err() {
                        return;
                    }
                }
                None => return,
            },
        }
    }
}
