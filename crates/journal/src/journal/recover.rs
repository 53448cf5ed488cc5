//! Opening a journal: finding its end, judging damage, cutting a torn tail.
//!
//! What a crash can leave is known: every segment that was left behind was synced before the next
//! one was entered, so only the flush that was under way can be incomplete, and that lies behind the
//! last good frame of the newest segment with frames, or at the front of the one after it. Which of
//! the two a bad frame is, torn or damaged, its neighbours tell: each frame carries the highest
//! position known to be durable when it was written. If any good frame anywhere carries a mark at or
//! above the position of the bad one, that one was durable once, and is damaged.
//!
//! Invariants:
//!
//! - Nothing is written before everything is judged.
//! - Frames are handed out only from bytes that are on the medium: the newest segments are synced,
//!   which writes what a killed process left in the cache, and then dropped from the cache, which
//!   may hold bytes of a failed sync that never got to the disk.
//! - The tail is cut by overwriting it with zeros and syncing, before the journal is handed out. So
//!   frames that were found and dropped cannot come back.
//! - No sector that holds a frame which was ever confirmed is written.

use std::collections::VecDeque;
use std::sync::Arc;

use super::scan::{Behind, End, Segment, search_behind, walk};
use super::spares::{Shelf, Spare};
use super::{Cursor, Journal, Live, Options};
use crate::frame::{BadFrame, Seed};
use crate::mutant::{self, Mutant};
use crate::segment::{SEGMENT_HEADER_BYTES, SegmentName, parse_name, segment_path};
use crate::{Disk, Error, Frame, Position};

/// The least that a cut overwrites: the sector in which the bad frame's header is.
const SECTOR_BYTES: usize = 512;

/// What opening a journal found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// How many frames were handed out.
    pub frames: u64,
    /// The file and the offset at which an unconfirmed, incomplete tail was cut.
    pub cut: Option<(String, u64)>,
}

/// See [`Journal::open`].
pub(super) fn open(
    disk: Arc<dyn Disk>,
    dir: &str,
    options: Options,
    from: Position,
    visit: &mut dyn FnMut(Frame<'_>) -> Result<(), Error>,
) -> Result<Journal, Error> {
    options.check()?;
    disk.create_dir(dir)
        .and_then(|()| disk.sync_dir(""))
        .map_err(|error| Error::io(dir, "create the folder", error))?;
    let (numbers, unfinished) = list(&*disk, dir)?;
    // A killed process may have left names that are not durable yet.
    disk.sync_dir(dir)
        .map_err(|error| Error::io(dir, "sync the folder", error))?;
    let run = newest_run(&numbers);
    if numbers.is_empty() {
        remove_all(&*disk, &unfinished)?;
        return create(disk, dir, options, from);
    }
    let mut segments = Vec::with_capacity(run.len());
    for &number in run {
        let id = Some(options.journal_id);
        segments.push(Segment::open(&*disk, dir, number, id)?);
    }

    let extent = find_extent(&segments, from)?;
    let mut recovery = Recovery::default();
    let tail = replay(&segments, &extent, from, visit, &mut recovery)?;
    let end = Position(tail.end.expected.0 - 1);
    if end < from {
        let message = format!("the journal ends at {end}, the checkpoint holds {from}");
        return Err(Error::corrupt(message).at(&segments[extent.last].path, 0));
    }
    cut(&segments, &extent, &tail, &mut recovery)?;

    remove_all(&*disk, &unfinished)?;
    for &number in &numbers[..numbers.len() - run.len()] {
        // A trimmed segment whose removal a crash undid.
        remove_all(&*disk, &[segment_path(dir, number)])?;
    }
    let spares = keep_spares(&*disk, dir, &options, segments.split_off(extent.last + 1))?;
    Ok(assemble(
        disk, dir, options, segments, &extent, &tail, spares, recovery,
    ))
}

/// The segments' numbers in order, and the paths of those that were being prepared.
pub(crate) fn list(disk: &dyn Disk, dir: &str) -> Result<(Vec<u64>, Vec<String>), Error> {
    let names = disk
        .list(dir)
        .map_err(|error| Error::io(dir, "list the folder", error))?;
    let mut numbers = Vec::new();
    let mut unfinished = Vec::new();
    for name in names {
        match parse_name(&name) {
            SegmentName::Segment(number) => numbers.push(number),
            SegmentName::Unfinished => unfinished.push(format!("{dir}/{name}")),
            SegmentName::Foreign => {}
        }
    }
    numbers.sort_unstable();
    Ok((numbers, unfinished))
}

/// The numbers without a gap that end at the newest. What lies before a gap was trimmed, or else
/// the first position of the run will show that something is missing.
pub(crate) fn newest_run(numbers: &[u64]) -> &[u64] {
    let mut start = numbers.len().saturating_sub(1);
    while start > 0 && numbers[start - 1] + 1 == numbers[start] {
        start -= 1;
    }
    &numbers[start..]
}

fn remove_all(disk: &dyn Disk, paths: &[String]) -> Result<(), Error> {
    for path in paths {
        disk.remove(path)
            .map_err(|error| Error::io(path, "remove", error))?;
    }
    Ok(())
}

/// The first opening: no segment was ever published.
fn create(
    disk: Arc<dyn Disk>,
    dir: &str,
    options: Options,
    from: Position,
) -> Result<Journal, Error> {
    if from > Position::ZERO {
        let message = format!("the journal has no segments, the checkpoint holds {from}");
        return Err(Error::corrupt(message).in_file(dir));
    }
    let shelf = Shelf::new(disk, dir, options.clone(), VecDeque::new(), 1);
    let spare = shelf.take()?;
    let first = Position::ZERO.next();
    let cursor = Cursor {
        number: spare.number,
        seed: Seed::new(options.journal_id, spare.number),
        segment_bytes: options.bytes_of(spare.number),
        align: options.flush_align as usize,
        offset: SEGMENT_HEADER_BYTES as u64,
        first,
    };
    let live = Live {
        number: spare.number,
        first,
        segment_bytes: options.bytes_of(spare.number),
        file: spare.file,
    };
    Ok(Journal::assemble(
        dir,
        options,
        shelf,
        VecDeque::from([live]),
        cursor,
        Recovery::default(),
    ))
}

/// Which of the segments hold the frames that are needed.
struct Extent {
    /// The one that holds the first frame after the checkpoint.
    start: usize,
    /// The newest one with frames, or the first one if the journal is empty.
    last: usize,
    /// The position of the first frame of each segment; zero for those before `start`.
    firsts: Vec<Position>,
}

fn find_extent(segments: &[Segment], from: Position) -> Result<Extent, Error> {
    let mut firsts = vec![Position::ZERO; segments.len()];
    let mut last = None;
    for (index, segment) in segments.iter().enumerate().rev() {
        segment
            .file
            .sync_data()
            .and_then(|()| segment.file.drop_cache())
            .map_err(|error| Error::io(&segment.path, "sync", error))?;
        if let Some(first) = segment.first_position()? {
            firsts[index] = first;
            last = Some(index);
            break;
        }
    }
    let Some(last) = last else {
        if segments[0].header.number > 1 {
            return Err(
                Error::corrupt("no segment has frames, but earlier segments were trimmed")
                    .at(&segments[0].path, SEGMENT_HEADER_BYTES as u64),
            );
        }
        firsts[0] = Position::ZERO.next();
        return Ok(Extent {
            start: 0,
            last: 0,
            firsts,
        });
    };
    let mut start = last;
    while firsts[start] > from.next() {
        if start == 0 {
            let message = format!(
                "the checkpoint holds {from}, but the oldest segment starts at {}: \
                 an earlier one is missing",
                firsts[0]
            );
            return Err(Error::corrupt(message).at(&segments[0].path, SEGMENT_HEADER_BYTES as u64));
        }
        start -= 1;
        firsts[start] = segments[start].first_position()?.ok_or_else(|| {
            Error::corrupt("the first frame is bad, but a later segment has good ones")
                .at(&segments[start].path, SEGMENT_HEADER_BYTES as u64)
        })?;
    }
    Ok(Extent {
        start,
        last,
        firsts,
    })
}

/// What lies behind the last good frame.
struct Tail {
    end: End,
    /// Good frames behind it in the same segment.
    behind: Behind,
    /// Good frames in the segment after it.
    ahead: Behind,
    /// The bytes of the cut that are to be zero, in the last segment.
    cut: std::ops::Range<usize>,
    /// The same for the segment after it.
    cut_ahead: std::ops::Range<usize>,
}

fn replay(
    segments: &[Segment],
    extent: &Extent,
    from: Position,
    visit: &mut dyn FnMut(Frame<'_>) -> Result<(), Error>,
    recovery: &mut Recovery,
) -> Result<Tail, Error> {
    let mut image = Vec::new();
    let mut index = extent.start;
    let end = loop {
        let segment = &segments[index];
        segment.load(&mut image)?;
        let first = extent.firsts[index];
        let end = walk(
            &image,
            segment.seed,
            segment.align(),
            first,
            &mut |offset, frame| {
                if frame.position <= from {
                    return Ok(());
                }
                recovery.frames += 1;
                visit(frame).map_err(|error| error.at(&segment.path, offset as u64))
            },
        )?;
        if index == extent.last {
            break end;
        }
        let next = extent.firsts[index + 1];
        if next != end.expected {
            let message = format!(
                "frame {} is damaged: {}, but the next segment starts with frame {next}",
                end.expected,
                end.bad.reason()
            );
            return Err(Error::corrupt(message).at(&segment.path, end.offset as u64));
        }
        index += 1;
    };

    let segment = &segments[extent.last];
    let behind = search_behind(&image, end.offset, segment.seed, end.expected);
    let cut = cut_range(&image, end.offset, segment.align(), behind.end);
    let mut ahead = Behind::default();
    let mut cut_ahead = 0..0;
    if let Some(next) = segments.get(extent.last + 1) {
        next.load(&mut image)?;
        ahead = search_behind(&image, SEGMENT_HEADER_BYTES, next.seed, end.expected);
        cut_ahead = cut_range(&image, SEGMENT_HEADER_BYTES, next.align(), ahead.end);
    }
    let mark = end.mark.max(behind.mark).max(ahead.mark);
    if mark >= end.expected && !mutant::is(Mutant::DamageCut) {
        let message = format!(
            "frame {} is damaged: {}, but a later frame says that {mark} was durable",
            end.expected,
            end.bad.reason()
        );
        return Err(Error::corrupt(message).at(&segment.path, end.offset as u64));
    }
    Ok(Tail {
        end,
        behind,
        ahead,
        cut,
        cut_ahead,
    })
}

/// The bytes to overwrite so that no frame at or behind `offset` can be read again. Empty if they
/// are zero already.
fn cut_range(image: &[u8], offset: usize, align: usize, found: usize) -> std::ops::Range<usize> {
    let is_zero = |range: std::ops::Range<usize>| image[range].iter().all(|byte| *byte == 0);
    let aligned = offset.next_multiple_of(align).min(image.len());
    // A complete flush is padded with zeros up to the alignment. If there is something else, a frame
    // of the same flush begins here: that flush never returned, so nothing in this sector was ever
    // confirmed, and it may be written. Otherwise it may not.
    let start = if is_zero(offset..aligned) {
        aligned
    } else {
        offset
    };
    let end = found.max(aligned + SECTOR_BYTES).min(image.len());
    if start >= end || is_zero(start..end) {
        return 0..0;
    }
    start..end
}

fn cut(
    segments: &[Segment],
    extent: &Extent,
    tail: &Tail,
    recovery: &mut Recovery,
) -> Result<(), Error> {
    // The later segment first: should a crash come in between, its frames must not be left with
    // nothing before them that explains them.
    if let Some(next) = segments.get(extent.last + 1) {
        overwrite(next, &tail.cut_ahead)?;
    }
    let segment = &segments[extent.last];
    overwrite(segment, &tail.cut)?;
    let torn = tail.behind.frames > 0
        || tail.ahead.frames > 0
        || matches!(tail.end.bad, BadFrame::Length | BadFrame::Checksum);
    if torn {
        recovery.cut = Some((segment.path.clone(), tail.end.offset as u64));
    }
    Ok(())
}

fn overwrite(segment: &Segment, range: &std::ops::Range<usize>) -> Result<(), Error> {
    if range.is_empty() {
        return Ok(());
    }
    segment
        .file
        .write_all_at(&vec![0; range.len()], range.start as u64)
        .and_then(|()| segment.file.sync_data())
        .map_err(|error| Error::io(&segment.path, "cut the tail", error))
}

/// The prepared segments that can be used as they are. Others are removed from the newest on, one
/// durable step at a time, so that no gap can appear among the numbers.
fn keep_spares(
    disk: &dyn Disk,
    dir: &str,
    options: &Options,
    prepared: Vec<Segment>,
) -> Result<VecDeque<Spare>, Error> {
    let fits = |segment: &Segment| {
        segment.header.segment_bytes == options.bytes_of(segment.header.number)
            && segment.header.flush_align == options.flush_align
    };
    if prepared.iter().all(fits) {
        return Ok(prepared
            .into_iter()
            .map(|segment| Spare {
                number: segment.header.number,
                file: segment.file,
            })
            .collect());
    }
    for segment in prepared.iter().rev() {
        disk.remove(&segment.path)
            .and_then(|()| disk.sync_dir(dir))
            .map_err(|error| Error::io(&segment.path, "remove", error))?;
    }
    Ok(VecDeque::new())
}

#[expect(
    clippy::too_many_arguments,
    reason = "the one place where the results of all steps come together"
)]
fn assemble(
    disk: Arc<dyn Disk>,
    dir: &str,
    options: Options,
    segments: Vec<Segment>,
    extent: &Extent,
    tail: &Tail,
    spares: VecDeque<Spare>,
    recovery: Recovery,
) -> Journal {
    let active = &segments[extent.last];
    let cursor = Cursor {
        number: active.header.number,
        seed: active.seed,
        segment_bytes: active.header.segment_bytes,
        align: active.align(),
        offset: tail.end.offset.next_multiple_of(active.align()) as u64,
        first: extent.firsts[extent.last],
    };
    let next_number = cursor.number + spares.len() as u64 + 1;
    let live = segments
        .into_iter()
        .zip(&extent.firsts)
        .map(|(segment, first)| Live {
            number: segment.header.number,
            first: *first,
            segment_bytes: segment.header.segment_bytes,
            file: segment.file,
        })
        .collect();
    let shelf = Shelf::new(disk, dir, options.clone(), spares, next_number);
    let mut journal = Journal::assemble(dir, options, shelf, live, cursor, recovery);
    journal.start_after(Position(tail.end.expected.0 - 1));
    journal.note_use();
    journal
}
