//! Where deliveries go: a server of HTTP/1.1 that answers at once, so lean that it takes as little as possible of the machine
//! that it shares with what is measured.
//!
//! It understands what the engine sends (a length, no chunks) and nothing more. `/d/17` is the door of destination 17; what comes
//! through a door that is [dead](Receiver::kill) is read and never answered. A job's number is the last of its body's digits. A call of
//! the connector contract is answered by saying that each of its items is done.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A running receiver. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    address: SocketAddr,
    doors: Arc<[Door]>,
    /// Job number and time of arrival, if somebody wants to know.
    arrivals: Option<Arc<Mutex<Arrivals>>>,
}

/// Job numbers and when they came.
type Arrivals = Vec<(u64, Instant)>;

#[derive(Debug, Default)]
struct Door {
    taken: AtomicU64,
    dead: AtomicBool,
}

impl Receiver {
    /// Listens, with so many doors; `noting` each arrival or only counting them.
    pub(crate) async fn listen(doors: usize, noting: bool) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let receiver = Self {
            address: listener.local_addr()?,
            doors: (0..doors).map(|_| Door::default()).collect(),
            arrivals: noting.then(Arc::default),
        };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receiver = serving.clone();
                // A connection ends when the engine closes it; there is nobody to tell.
                tokio::spawn(async move { receiver.serve(stream).await });
            }
        });
        Ok(receiver)
    }

    /// The URL of a door.
    pub(crate) fn url(&self, door: usize) -> String {
        format!("http://{}/d/{door}", self.address)
    }

    /// What came through this door is not answered from now on.
    pub(crate) fn kill(&self, door: usize) {
        self.doors[door].dead.store(true, Ordering::SeqCst);
    }

    /// Calls that were answered, through the doors of `range`.
    pub(crate) fn taken(&self, range: std::ops::Range<usize>) -> u64 {
        let doors = &self.doors[range];
        doors
            .iter()
            .map(|door| door.taken.load(Ordering::Relaxed))
            .sum()
    }

    /// The arrivals so far.
    pub(crate) fn arrivals(&self) -> Arrivals {
        let Some(arrivals) = &self.arrivals else {
            return Vec::new();
        };
        let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut arrivals)
    }

    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(8 << 10);
        loop {
            while let Some((length, door, number)) = request(&buffer) {
                let answer = contract_answer(&buffer[..length]);
                buffer.drain(..length);
                let Some(door) = self.doors.get(door) else {
                    return Err(io::Error::other("there is no such door"));
                };
                if door.dead.load(Ordering::SeqCst) {
                    continue;
                }
                if let Some(arrivals) = &self.arrivals {
                    let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
                    arrivals.push((number, Instant::now()));
                }
                door.taken.fetch_add(1, Ordering::Relaxed);
                match &answer {
                    None => stream.write_all(OK).await?,
                    Some(items) => stream.write_all(items).await?,
                }
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
    }
}

/// The first request of a buffer, if it is complete: its length, the number of its door, and that of its job.
fn request(buffer: &[u8]) -> Option<(usize, usize, u64)> {
    let head = find(buffer, b"\r\n\r\n")? + 4;
    let length = find(&buffer[..head], b"content-length: ")? + 16;
    let length = number(&buffer[length..head]) as usize;
    let body = buffer.get(head..head + length)?;
    let door = find(&buffer[..head], b"/d/")? + 3;
    let digits = body.iter().rposition(u8::is_ascii_digit).unwrap_or(0);
    let first = body[..=digits]
        .iter()
        .rposition(|byte| !byte.is_ascii_digit());
    let job = number(&body[first.map_or(0, |at| at + 1)..]);
    Some((head + length, number(&buffer[door..head]) as usize, job))
}

/// The answer to a call of the connector contract: each item is done. Nothing if it is none.
fn contract_answer(request: &[u8]) -> Option<Vec<u8>> {
    const ITEM: &[u8] = b"{\"id\":\"";
    let body = find(request, b"\r\n\r\n")? + 4;
    let mut rest = &request[body..];
    if !rest.starts_with(b"{\"contract\"") {
        return None;
    }
    let mut items = Vec::new();
    while let Some(at) = find(rest, ITEM) {
        let id = rest.get(at + ITEM.len()..at + ITEM.len() + 32)?;
        if !items.is_empty() {
            items.push(b',');
        }
        items.extend(ITEM);
        items.extend(id);
        items.extend(b"\",\"status\":\"succeeded\"}");
        rest = &rest[at + ITEM.len()..];
    }
    let length = items.len() + "{\"items\":[]}".len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{{\"items\":[");
    Some([head.as_bytes(), &items, b"]}"].concat())
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

/// The number that a text begins with.
fn number(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::{contract_answer, request};

    #[test]
    fn each_item_of_a_call_is_answered() {
        let id = "0123456789abcdef0123456789abcdef";
        let item = format!("{{\"id\":\"{id}\",\"lane\":\"a\"}}");
        let body = format!("{{\"contract\":1,\"items\":[{item},{item}]}}");
        let answer = contract_answer(format!("POST / HTTP/1.1\r\n\r\n{body}").as_bytes());
        let answer = String::from_utf8(answer.unwrap_or_default()).unwrap_or_default();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        assert!(
            head.ends_with(&format!("content-length: {}", body.len())),
            "{answer}"
        );
        assert_eq!(body.matches(id).count(), 2, "{answer}");
        assert!(contract_answer(b"POST / HTTP/1.1\r\n\r\n{}").is_none());
    }

    #[test]
    fn a_request_is_taken_when_it_is_complete() {
        let text = b"POST /d/17 HTTP/1.1\r\ncontent-length: 22\r\nhost: x\r\n\r\n{\"body\":{\"number\":45}}POST";
        assert_eq!(request(text), Some((text.len() - 4, 17, 45)));
        assert_eq!(request(&text[..text.len() - 5]), None);
    }
}
