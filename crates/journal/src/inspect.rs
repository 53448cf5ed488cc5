//! Looking at a journal without changing it: what `trunkline doctor` prints.
//!
//! The report says what recovery would find. It is not recovery: it goes through all segments, also
//! those that a checkpoint made superfluous, and goes on after damage.

use crate::frame::BadFrame;
use crate::journal::recover::{list, newest_run};
use crate::journal::scan::{Segment, search_behind, walk};
use crate::segment::{SEGMENT_HEADER_BYTES, segment_path};
use crate::{Disk, Error, ErrorKind, Position};

/// What is in a journal's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The segments, oldest first, prepared spares included.
    pub segments: Vec<SegmentReport>,
    /// How many frames are good, in the segments that follow each other without a gap.
    pub frames: u64,
    /// The position of the oldest good frame.
    pub first: Option<Position>,
    /// The position of the newest good frame, before any damage.
    pub last: Option<Position>,
    /// The highest position that any frame says was durable.
    pub durable: Position,
    /// The first damaged place.
    pub damage: Option<Damage>,
    /// Where an incomplete, never confirmed tail begins, which opening would cut. Not damage.
    pub torn: Option<(String, u64)>,
}

/// What is in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// The path of the file, relative to the data folder.
    pub file: String,
    /// The number of the segment.
    pub number: u64,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The bytes that frames take.
    pub used_bytes: u64,
    /// How many frames are good.
    pub frames: u64,
    /// The positions of the first and the last good frame.
    pub positions: Option<(Position, Position)>,
}

/// A damaged place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The path of the file, relative to the data folder.
    pub file: String,
    /// The offset in the file.
    pub offset: u64,
    /// What is wrong there.
    pub reason: String,
}

impl Damage {
    fn of(error: &Error, file: &str) -> Self {
        Self {
            file: error.file().unwrap_or(file).to_owned(),
            offset: error.offset().unwrap_or(0),
            reason: error.message().to_owned(),
        }
    }
}

/// Where a segment's good frames end.
struct Ending {
    file: String,
    offset: u64,
    expected: Position,
    bad: BadFrame,
    frames_behind: bool,
}

/// Looks at the journal in the folder `dir`. Reads only, and may run while nobody holds the journal.
///
/// # Errors
///
/// Only if the files cannot be read. Damage is not an error here, it is in the report.
pub fn inspect(disk: &dyn Disk, dir: &str) -> Result<Report, Error> {
    let (numbers, _) = list(disk, dir)?;
    let run = newest_run(&numbers);
    let mut report = Report::default();
    let mut image = Vec::new();
    let mut journal_id = None;
    let mut ending: Option<Ending> = None;
    for &number in run {
        let segment = match Segment::open(disk, dir, number, journal_id) {
            Ok(segment) => segment,
            Err(error) if error.kind() == ErrorKind::Io => return Err(error),
            Err(error) => {
                damage(&mut report, Damage::of(&error, &segment_path(dir, number)));
                continue;
            }
        };
        journal_id = Some(segment.header.journal_id);
        segment.load(&mut image)?;
        look(&segment, &image, &mut report, &mut ending)?;
    }
    if let Some(ending) = ending {
        judge(&mut report, ending);
    }
    Ok(report)
}

/// Adds a segment to the report.
fn look(
    segment: &Segment,
    image: &[u8],
    report: &mut Report,
    ending: &mut Option<Ending>,
) -> Result<(), Error> {
    let found = segment.first_position()?;
    let expected = ending.as_ref().map(|ending| ending.expected);
    if let (Some(found), Some(ending)) = (found, &*ending)
        && found != ending.expected
    {
        let reason = format!(
            "frame {} is missing or damaged ({}): the next segment starts with frame {found}",
            ending.expected,
            ending.bad.reason()
        );
        damage(
            report,
            Damage {
                file: ending.file.clone(),
                offset: ending.offset,
                reason,
            },
        );
    }
    let first = found.or(expected).unwrap_or(Position::ZERO.next());
    let mut frames = 0;
    let end = walk(image, segment.seed, segment.align(), first, &mut |_, _| {
        frames += 1;
        Ok(())
    })?;
    let behind = search_behind(image, end.offset, segment.seed, end.expected);
    report.durable = report.durable.max(end.mark).max(behind.mark);
    report.frames += frames;
    let last = Position(end.expected.0 - 1);
    if frames > 0 {
        report.first = report.first.or(Some(first));
        if report.damage.is_none() {
            report.last = Some(last);
        }
    }
    report.segments.push(SegmentReport {
        file: segment.path.clone(),
        number: segment.header.number,
        bytes: segment.header.segment_bytes,
        used_bytes: (end.offset - SEGMENT_HEADER_BYTES) as u64,
        frames,
        positions: (frames > 0).then_some((first, last)),
    });
    // A spare says nothing about where the frames end, unless some lie in it.
    if frames > 0 || behind.frames > 0 || ending.is_none() {
        let earlier = ending.take();
        let keep_earlier = frames == 0 && earlier.is_some();
        *ending = Some(match earlier {
            Some(earlier) if keep_earlier => Ending {
                frames_behind: true,
                ..earlier
            },
            _ => Ending {
                file: segment.path.clone(),
                offset: end.offset as u64,
                expected: end.expected,
                bad: end.bad,
                frames_behind: behind.frames > 0,
            },
        });
    }
    Ok(())
}

/// Says whether the place where the frames end is the end, a torn tail, or damage.
fn judge(report: &mut Report, ending: Ending) {
    if report.durable >= ending.expected {
        let reason = format!(
            "frame {} is damaged ({}): a later frame says that {} was durable",
            ending.expected,
            ending.bad.reason(),
            report.durable
        );
        damage(
            report,
            Damage {
                file: ending.file,
                offset: ending.offset,
                reason,
            },
        );
    } else if ending.frames_behind || matches!(ending.bad, BadFrame::Length | BadFrame::Checksum) {
        report.torn = Some((ending.file, ending.offset));
    }
}

fn damage(report: &mut Report, found: Damage) {
    report.damage.get_or_insert(found);
}
