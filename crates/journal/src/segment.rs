//! Segments: the files of a journal, their names and their header.
//!
//! A segment is prepared under a temporary name (`00000007.new`): filled, given its header and
//! synced. Then it is renamed (`00000007.seg`). Its header is never written again under that name.
//!
//! **Architecture Invariant:** a file called `.seg` has a valid header, whenever the power fails. So
//! a bad header is damage, never the trace of a crash.

use crate::{Error, ErrorKind};

#[cfg(test)]
mod tests;

/// The size of the header block, and the offset of the first frame.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 4096;

/// The newest version of the format of a segment, and the only one so far.
pub(crate) const SEGMENT_VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"TLSEGMNT";
const CHECKED_BYTES: usize = 48;

/// What the header block of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The journal it belongs to.
    pub(crate) journal_id: u128,
    /// Its place in the order of segments; 1 is the first.
    pub(crate) number: u64,
    /// The size of the file.
    pub(crate) segment_bytes: u64,
    /// Every flush starts at a multiple of this, in bytes.
    pub(crate) flush_align: u32,
}

impl SegmentHeader {
    /// The header as it is written: 4 KiB.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut block = vec![0; SEGMENT_HEADER_BYTES];
        block[0..8].copy_from_slice(&MAGIC);
        block[8..12].copy_from_slice(&SEGMENT_VERSION.to_le_bytes());
        block[12..16].copy_from_slice(&self.flush_align.to_le_bytes());
        block[16..32].copy_from_slice(&self.journal_id.to_le_bytes());
        block[32..40].copy_from_slice(&self.number.to_le_bytes());
        block[40..48].copy_from_slice(&self.segment_bytes.to_le_bytes());
        let crc = crc32c::crc32c(&block[..CHECKED_BYTES]);
        block[48..52].copy_from_slice(&crc.to_le_bytes());
        block
    }

    /// Reads a header block. The version is judged before the checksum, because a later version may
    /// compute that differently.
    pub(crate) fn decode(block: &[u8]) -> Result<Self, Error> {
        let Some(block) = block.first_chunk::<52>() else {
            return Err(Error::corrupt("the segment is shorter than its header"));
        };
        if block[0..8] != MAGIC {
            return Err(Error::corrupt("this is not a segment: the magic is wrong"));
        }
        let found = u32_at(block, 8);
        if found != SEGMENT_VERSION {
            return Err(Error::new(
                ErrorKind::UnsupportedVersion {
                    found,
                    supported: SEGMENT_VERSION,
                },
                format!(
                    "the segment has format version {found}, this program reads {SEGMENT_VERSION}"
                ),
            ));
        }
        if crc32c::crc32c(&block[..CHECKED_BYTES]) != u32_at(block, 48) {
            return Err(Error::corrupt("the checksum of the header does not match"));
        }
        let flush_align = u32_at(block, 12);
        if !is_flush_align(flush_align) {
            return Err(Error::corrupt("the header carries an impossible alignment"));
        }
        let mut journal_id = [0; 16];
        journal_id.copy_from_slice(&block[16..32]);
        Ok(Self {
            journal_id: u128::from_le_bytes(journal_id),
            number: u64_at(block, 32),
            segment_bytes: u64_at(block, 40),
            flush_align,
        })
    }
}

/// Whether flushes can be aligned to so many bytes.
pub(crate) fn is_flush_align(bytes: u32) -> bool {
    bytes.is_power_of_two() && (8..=4096).contains(&bytes)
}

/// What the name of a file in a journal's folder says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentName {
    /// A segment, complete with its header.
    Segment(u64),
    /// One that is being prepared. Of no use after a crash.
    Unfinished,
    /// None of ours.
    Foreign,
}

/// Reads a file's name.
pub(crate) fn parse_name(name: &str) -> SegmentName {
    if name.ends_with(".new") {
        return SegmentName::Unfinished;
    }
    name.strip_suffix(".seg")
        .filter(|digits| digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .map_or(SegmentName::Foreign, SegmentName::Segment)
}

/// The path of a segment.
pub(crate) fn segment_path(dir: &str, number: u64) -> String {
    format!("{dir}/{number:08}.seg")
}

/// The path of a segment while it is being prepared.
pub(crate) fn unfinished_path(dir: &str, number: u64) -> String {
    format!("{dir}/{number:08}.new")
}

fn u32_at(block: &[u8; 52], offset: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&block[offset..offset + 4]);
    u32::from_le_bytes(bytes)
}

fn u64_at(block: &[u8; 52], offset: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&block[offset..offset + 8]);
    u64::from_le_bytes(bytes)
}
