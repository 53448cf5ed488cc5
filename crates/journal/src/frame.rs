//! Frames: the records of a journal, and how they lie in a segment.
//!
//! A frame is a commit of its owner. It is one checksummed record, so it is found whole or not at
//! all. This module encodes frames and judges bytes; which bytes must be good is decided by
//! recovery.
//!
//! Invariants:
//!
//! - The checksum covers every byte of the frame after it, padding included, and starts from a
//!   seed that no other segment has. Bytes that an earlier use of a recycled segment left behind
//!   are therefore never taken for frames.
//! - A frame starts at a multiple of [`FRAME_ALIGN`].
//! - Decoding any bytes whatever never panics.

use crate::Position;

#[cfg(test)]
mod tests;

/// The size of a frame without its body, in bytes.
pub const FRAME_HEADER_BYTES: usize = 32;

/// Frames start and end at multiples of this, in bytes.
pub const FRAME_ALIGN: usize = 8;

/// A record of the journal, as recovery hands it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its place in the order.
    pub position: Position,
    /// The highest position that was known to be durable when this frame was written.
    pub durable: Position,
    /// The shard that the owner wrote it for.
    pub shard: u16,
    /// What the owner calls this type of frame.
    pub kind: u8,
    /// The owner's bytes.
    pub body: &'a [u8],
}

/// Where the checksums of a segment start: they depend on the journal and the segment's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    /// The seed of a segment. For one journal, numbers that differ in their low 32 bits only give
    /// different seeds, because a CRC is invertible.
    pub(crate) fn new(journal_id: u128, segment: u64) -> Self {
        let crc = crc32c::crc32c(&journal_id.to_le_bytes());
        Self(crc32c::crc32c_append(crc, &segment.to_le_bytes()))
    }
}

/// The bytes that a frame with such a body takes in the segment.
pub(crate) fn frame_bytes(body_bytes: usize) -> usize {
    (FRAME_HEADER_BYTES + body_bytes).next_multiple_of(FRAME_ALIGN)
}

/// Appends a frame to `buffer`. `frame.body` is ignored in favour of `parts`, which are joined.
///
/// The caller has checked that the body's length fits in a `u32`.
pub(crate) fn encode(buffer: &mut Vec<u8>, seed: Seed, frame: &Frame<'_>, parts: &[&[u8]]) {
    let body_bytes: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(body_bytes).expect("a frame's body was checked to be small");
    let start = buffer.len();
    let total = frame_bytes(body_bytes);
    buffer.reserve(total);
    let mut header = [0; FRAME_HEADER_BYTES];
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..16].copy_from_slice(&frame.position.0.to_le_bytes());
    header[16..24].copy_from_slice(&frame.durable.0.to_le_bytes());
    header[24..26].copy_from_slice(&frame.shard.to_le_bytes());
    header[26] = frame.kind;
    buffer.extend_from_slice(&header);
    for part in parts {
        buffer.extend_from_slice(part);
    }
    buffer.resize(start + total, 0);
    let crc = crc32c::crc32c_append(seed.0, &buffer[start + 4..]);
    buffer[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadFrame {
    /// Fewer bytes are left than a frame header takes.
    NoRoom,
    /// The header contradicts itself or does not carry a position in the range asked for.
    Header,
    /// The length points beyond the end of the segment.
    Length,
    /// The checksum does not match.
    Checksum,
}

impl BadFrame {
    /// The reason in words, for an error message.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::NoRoom => "the segment ends here",
            Self::Header => "there is no frame header with the expected position",
            Self::Length => "the frame is longer than the rest of the segment",
            Self::Checksum => "the checksum of the frame does not match",
        }
    }
}

/// A frame, and the offset at which it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decoded<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) end: usize,
}

/// Reads the frame at `offset`, whose position must lie between `first` and `last`, both included.
///
/// The cheap tests come first: recovery calls this for every eighth byte behind a bad frame.
pub(crate) fn decode(
    segment: &[u8],
    offset: usize,
    seed: Seed,
    first: Position,
    last: Position,
) -> Result<Decoded<'_>, BadFrame> {
    let Some(header) = segment
        .get(offset..)
        .and_then(|rest| rest.first_chunk::<FRAME_HEADER_BYTES>())
    else {
        return Err(BadFrame::NoRoom);
    };
    let position = Position(u64_at(header, 8));
    if position < first || position > last {
        return Err(BadFrame::Header);
    }
    let durable = Position(u64_at(header, 16));
    if durable >= position || header[27..32] != [0; 5] {
        return Err(BadFrame::Header);
    }
    let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
    let end = offset + frame_bytes(length);
    let Some(checked) = segment.get(offset + 4..end) else {
        return Err(BadFrame::Length);
    };
    let crc = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    if crc32c::crc32c_append(seed.0, checked) != crc {
        return Err(BadFrame::Checksum);
    }
    let body = offset + FRAME_HEADER_BYTES;
    Ok(Decoded {
        frame: Frame {
            position,
            durable,
            shard: u16::from_le_bytes([header[24], header[25]]),
            kind: header[26],
            body: &segment[body..body + length],
        },
        end,
    })
}

fn u64_at(header: &[u8; FRAME_HEADER_BYTES], offset: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&header[offset..offset + 8]);
    u64::from_le_bytes(bytes)
}
