//! Reading segments: in order from the front, and behind a bad frame for what proves it damaged.
//!
//! Nothing here writes or decides; [`super::recover`] and [`mod@crate::inspect`] do.

use crate::frame::{BadFrame, Decoded, FRAME_ALIGN, FRAME_HEADER_BYTES, Seed, decode};
use crate::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, segment_path};
use crate::{Disk, DiskFile, Error, Frame, Position};
use std::sync::Arc;

/// A segment on disk whose header was read and found good.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: String,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) header: SegmentHeader,
    pub(crate) seed: Seed,
}

impl Segment {
    /// Opens a segment and checks its header against its name and its length. `journal_id` is not
    /// checked if it is `None`.
    pub(crate) fn open(
        disk: &dyn Disk,
        dir: &str,
        number: u64,
        journal_id: Option<u128>,
    ) -> Result<Self, Error> {
        let path = segment_path(dir, number);
        let io = |error| Error::io(&path, "read the header", error);
        let file = disk.open(&path).map_err(io)?;
        let len = file.len().map_err(io)?;
        let mut block = vec![0; SEGMENT_HEADER_BYTES];
        if len < block.len() as u64 {
            return Err(Error::corrupt("the segment is shorter than its header").at(&path, len));
        }
        file.read_exact_at(&mut block, 0).map_err(io)?;
        let header = SegmentHeader::decode(&block).map_err(|error| error.at(&path, 0))?;
        if journal_id.is_some_and(|id| id != header.journal_id) {
            return Err(Error::corrupt("the segment belongs to another journal").at(&path, 16));
        }
        if header.number != number {
            let message = format!("the header carries the number {}", header.number);
            return Err(Error::corrupt(message).at(&path, 32));
        }
        if header.segment_bytes != len {
            let message = format!(
                "the file has {len} bytes, its header says {}",
                header.segment_bytes
            );
            return Err(Error::corrupt(message).at(&path, 40));
        }
        let seed = Seed::new(header.journal_id, number);
        Ok(Self {
            path,
            file,
            header,
            seed,
        })
    }

    /// Reads the whole segment into `image`.
    pub(crate) fn load(&self, image: &mut Vec<u8>) -> Result<(), Error> {
        let len = usize::try_from(self.header.segment_bytes)
            .map_err(|_| Error::corrupt("the segment is too large to read").at(&self.path, 40))?;
        image.resize(len, 0);
        self.file
            .read_exact_at(image, 0)
            .map_err(|error| Error::io(&self.path, "read", error))
    }

    /// The position of the first frame, if there is a good one.
    pub(crate) fn first_position(&self) -> Result<Option<Position>, Error> {
        let io = |error| Error::io(&self.path, "read the first frame", error);
        let start = SEGMENT_HEADER_BYTES as u64;
        let room = self.header.segment_bytes - start;
        let mut bytes = vec![0; FRAME_HEADER_BYTES];
        if room < bytes.len() as u64 {
            return Ok(None);
        }
        self.file.read_exact_at(&mut bytes, start).map_err(io)?;
        let length = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) as usize;
        let total = crate::frame::frame_bytes(length);
        if total as u64 > room {
            return Ok(None);
        }
        bytes.resize(total, 0);
        self.file.read_exact_at(&mut bytes, start).map_err(io)?;
        let first = decode(&bytes, 0, self.seed, Position(1), Position(u64::MAX));
        Ok(first.ok().map(|decoded| decoded.frame.position))
    }

    /// The bytes to which flushes of this segment are aligned.
    pub(crate) fn align(&self) -> usize {
        self.header.flush_align as usize
    }
}

/// Where the good frames of a segment end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// The offset behind the last good frame, where the next one would be.
    pub(crate) offset: usize,
    /// The position that the next frame would have.
    pub(crate) expected: Position,
    /// Why there is none.
    pub(crate) bad: BadFrame,
    /// The highest durable mark of the frames before.
    pub(crate) mark: Position,
}

/// Visits the frames of a segment in order, with their offsets, up to the first bad one.
pub(crate) fn walk(
    image: &[u8],
    seed: Seed,
    align: usize,
    first: Position,
    visit: &mut dyn FnMut(usize, Frame<'_>) -> Result<(), Error>,
) -> Result<End, Error> {
    let mut end = End {
        offset: SEGMENT_HEADER_BYTES,
        expected: first,
        bad: BadFrame::NoRoom,
        mark: Position::ZERO,
    };
    loop {
        match decode_next(image, end.offset, seed, align, end.expected) {
            Ok((offset, decoded)) => {
                visit(offset, decoded.frame)?;
                end.mark = end.mark.max(decoded.frame.durable);
                end.offset = decoded.end;
                end.expected = end.expected.next();
            }
            Err(bad) => {
                end.bad = bad;
                return Ok(end);
            }
        }
    }
}

/// The frame behind `offset`: there, or where the next flush starts.
fn decode_next(
    image: &[u8],
    offset: usize,
    seed: Seed,
    align: usize,
    expected: Position,
) -> Result<(usize, Decoded<'_>), BadFrame> {
    let here = decode(image, offset, seed, expected, expected);
    let aligned = offset.next_multiple_of(align);
    match here {
        Ok(decoded) => Ok((offset, decoded)),
        Err(bad) if aligned == offset => Err(bad),
        Err(bad) => match decode(image, aligned, seed, expected, expected) {
            Ok(decoded) => Ok((aligned, decoded)),
            // The more telling of the two reasons.
            Err(BadFrame::Header | BadFrame::NoRoom) => Err(bad),
            Err(other) => Err(other),
        },
    }
}

/// Good frames behind a bad one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behind {
    /// The offset behind the last of them, 0 if there is none.
    pub(crate) end: usize,
    /// The highest durable mark of any of them.
    pub(crate) mark: Position,
    /// How many there are.
    pub(crate) frames: u64,
}

/// Looks for good frames anywhere from `offset` on, with positions that can have followed
/// `expected`. They can be there because unsynced sectors reach the disk in any order.
pub(crate) fn search_behind(image: &[u8], offset: usize, seed: Seed, expected: Position) -> Behind {
    let mut behind = Behind::default();
    let frames_max = (image.len() / FRAME_HEADER_BYTES) as u64 + 1;
    let last = Position(expected.0.saturating_add(frames_max));
    let mut offset = offset.next_multiple_of(FRAME_ALIGN);
    while offset + FRAME_HEADER_BYTES <= image.len() {
        if let Ok(decoded) = decode(image, offset, seed, expected, last) {
            behind.end = decoded.end;
            behind.mark = behind.mark.max(decoded.frame.durable);
            behind.frames += 1;
            offset = decoded.end;
        } else {
            offset += FRAME_ALIGN;
        }
    }
    behind
}
