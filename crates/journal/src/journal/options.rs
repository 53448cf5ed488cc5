//! How a journal is laid out on disk.

use crate::segment::{SEGMENT_HEADER_BYTES, is_flush_align};
use crate::{Error, ErrorKind};

/// How a journal is laid out on disk. May differ from one opening to the next, except for the id.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which journal this is, as [`crate::FolderMeta::journal_id`] says. Segments and frames of
    /// another journal are refused.
    pub journal_id: u128,
    /// The size of a new segment in bytes: a multiple of 4,096.
    pub segment_bytes: u64,
    /// The largest body of a frame, in bytes.
    pub frame_bytes_max: usize,
    /// Every flush starts at a multiple of so many bytes (a power of two from 8 to 4,096), so that
    /// writing it never touches a sector that holds confirmed frames. The default is the size of a
    /// sector, 512.
    pub flush_align: u32,
    /// How many prepared segments to keep ready. The last of them is the reserve that lets work in
    /// flight finish when the disk is full.
    pub spares: usize,
    /// How many trimmed segments to keep for reuse, beyond those that are needed as spares at once.
    pub retired_max: usize,
    /// A new segment is made only if so many bytes stay free.
    pub free_bytes_min: u64,
    /// Takes little disk before it is needed; absent: the spares are always there.
    pub thrift: Option<Thrift>,
}

/// How a journal is laid out of which there are many, most of them idle.
///
/// The spare that is the reserve is made at once, whole. The others are made when half of the
/// segment that is written is used: early enough, and the reserve is never less than it is without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thrift {
    /// The size of the very first segment in bytes, a multiple of 4,096. A frame that does not fit
    /// goes into the next.
    pub first_segment_bytes: u64,
}

impl Options {
    /// The defaults: segments of 64 MiB, frames of up to 16 MiB, two spares.
    pub fn new(journal_id: u128) -> Self {
        Self {
            journal_id,
            segment_bytes: 64 << 20,
            frame_bytes_max: 16 << 20,
            flush_align: 512,
            spares: 2,
            retired_max: 4,
            free_bytes_min: 16 << 20,
            thrift: None,
        }
    }

    /// The size of the segment `number` in bytes.
    pub(crate) fn bytes_of(&self, number: u64) -> u64 {
        match self.thrift {
            Some(thrift) if number == 1 => thrift.first_segment_bytes,
            _ => self.segment_bytes,
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |message: &str| Err(Error::new(ErrorKind::Invalid, message));
        if !self.segment_bytes.is_multiple_of(4096) || self.segment_bytes < 2 * 4096 {
            return invalid("segment_bytes must be a multiple of 4096, and at least 8192");
        }
        if let Some(Thrift {
            first_segment_bytes,
        }) = self.thrift
            && (!first_segment_bytes.is_multiple_of(4096)
                || !(2 * 4096..=self.segment_bytes).contains(&first_segment_bytes))
        {
            return invalid(
                "first_segment_bytes must be a multiple of 4096, at least 8192, and at most segment_bytes",
            );
        }
        if usize::try_from(self.segment_bytes).is_err() || self.segment_bytes > 1 << 31 {
            return invalid("segment_bytes must be at most 2 GiB");
        }
        if !is_flush_align(self.flush_align) {
            return invalid("flush_align must be a power of two from 8 to 4096");
        }
        let room = self.segment_bytes - SEGMENT_HEADER_BYTES as u64;
        if crate::frame::frame_bytes(self.frame_bytes_max) as u64 > room {
            return invalid("frame_bytes_max does not fit in a segment");
        }
        if self.spares == 0 {
            return invalid("spares must be at least 1");
        }
        Ok(())
    }
}
