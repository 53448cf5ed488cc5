//! A target that looks at what authenticates a request: it decides by the whole request, and keeps all of them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it answers to a request, given as it came: status and body.
type Decide = dyn Fn(&str) -> (u16, String) + Send + Sync;

/// A running guard.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) address: SocketAddr,
    decide: Arc<Mutex<Arc<Decide>>>,
    got: Arc<Mutex<Vec<String>>>,
}

impl Guard {
    pub(crate) async fn start(
        decide: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let guard = Self {
            address: listener.local_addr().unwrap(),
            decide: Arc::new(Mutex::new(Arc::new(decide))),
            got: Arc::default(),
        };
        let serving = guard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().attend(stream));
            }
        });
        guard
    }

    /// Decides otherwise from now on.
    pub(crate) fn decide(&self, decide: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) {
        *self.decide.lock().unwrap() = Arc::new(decide);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/take", self.address)
    }

    /// The requests so far, heads and bodies.
    pub(crate) fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }

    async fn attend(self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            while let Some(len) = complete(&bytes) {
                let request = String::from_utf8_lossy(&bytes[..len]).into_owned();
                bytes.drain(..len);
                let decide = Arc::clone(&self.decide.lock().unwrap());
                let (status, body) = decide(&request);
                self.got.lock().unwrap().push(request);
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n{body}");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            }
        }
    }
}

/// The value of a header, as it came.
pub(crate) fn header<'r>(request: &'r str, name: &str) -> Option<&'r str> {
    request
        .split("\r\n\r\n")
        .next()?
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(header, _)| header.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// The length of the first request, if it is there whole.
fn complete(bytes: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    let head = text.find("\r\n\r\n")? + 4;
    let length = text[..head]
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.trim().parse().unwrap());
    (bytes.len() >= head + length).then_some(head + length)
}
