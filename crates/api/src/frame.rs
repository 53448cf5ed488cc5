//! Frames of the worker protocol: one WebSocket message is one batch, a CBOR array of messages.
//!
//! The connection is `GET /v1/connect` with the subprotocol [`SUBPROTOCOL`]. The peer sends batches of
//! [`FromPeer`](crate::core::peer::FromPeer), the server batches of [`ToPeer`](crate::core::peer::ToPeer).

use minicbor::{Decode, Encode, Encoder};

/// The WebSocket subprotocol of the compact form.
pub const SUBPROTOCOL: &str = "trunkline.v1.cbor";

/// Where peers connect.
pub const CONNECT_PATH: &str = "/v1/connect";

/// Bytes of one batch from the server: room for the longest history that a run may have, with all that goes with it.
pub const TOLD_BYTES_MAX: usize = 64 << 20;

/// Bytes of one batch to the server: a larger one is refused, and the connection ends.
pub const BATCH_BYTES_MAX: usize = 16 << 20;

/// Encodes `messages` as one batch.
pub fn encode_batch<T: Encode<()>>(messages: &[T]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::with_capacity(64 * messages.len() + 16));
    let written = encoder.array(messages.len() as u64).map(|_| ());
    let written = messages.iter().try_fold(written, |_, message| {
        encoder.encode(message).map(|_| Ok(()))
    });
    debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
    encoder.into_writer()
}

/// Decodes a batch.
///
/// # Errors
/// If the bytes are not one CBOR array of such messages, and nothing behind it.
pub fn decode_batch<'b, T: Decode<'b, ()>>(
    bytes: &'b [u8],
) -> Result<Vec<T>, minicbor::decode::Error> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let messages: Vec<T> = decoder.decode()?;
    if decoder.position() != bytes.len() {
        return Err(minicbor::decode::Error::message(
            "there are bytes behind the batch",
        ));
    }
    Ok(messages)
}
