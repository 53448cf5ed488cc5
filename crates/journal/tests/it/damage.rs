//! Damage of what was durable is refused, with the file and the offset, and nothing is changed. An
//! incomplete tail that nobody was told about is not damage.

use std::sync::Arc;

use trunkline_journal::{
    CrashPolicy, Disk, Error, ErrorKind, Journal, Options, Position, SimDisk, inspect,
};

use crate::world::{DIR, options};

/// A journal, and the frames that it handed out when it was opened.
type Opened = (Journal, Vec<(Position, Vec<u8>)>);

fn open(disk: &SimDisk, from: Position) -> Result<Opened, Error> {
    open_with(disk, options(), from)
}

fn open_with(disk: &SimDisk, options: Options, from: Position) -> Result<Opened, Error> {
    let mut frames = Vec::new();
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let journal = Journal::open(disk, DIR, options, from, &mut |frame| {
        frames.push((frame.position, frame.body.to_vec()));
        Ok(())
    })?;
    Ok((journal, frames))
}

/// A journal with so many flushes of one frame each.
fn written(flushes: u64, body: usize) -> SimDisk {
    let disk = SimDisk::new();
    let (mut journal, _) = open(&disk, Position::ZERO).unwrap();
    for n in 0..flushes {
        journal.append(1, 2, &[&vec![n as u8; body]]).unwrap();
        journal.flush().unwrap();
    }
    disk
}

#[test]
fn any_flipped_bit_below_the_durable_mark_is_refused() {
    let disk = written(8, 300);
    // Frame n lies at 4096 + (n - 1) * 512 and takes 336 bytes.
    for frame in 0..7 {
        for byte in (0..336).step_by(5) {
            let damaged = disk.crash(CrashPolicy::KeepAll, 0);
            let offset = 4096 + frame * 512;
            damaged.flip_bit("journal-0/00000001.seg", offset + byte, (byte % 8) as u8);
            let before = damaged.contents();
            let error = open(&damaged, Position::ZERO).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert_eq!(error.file(), Some("journal-0/00000001.seg"));
            let end = if frame == 0 { 4096 } else { offset - 512 + 336 };
            assert_eq!(error.offset(), Some(end as u64), "{error}");
            assert_eq!(damaged.contents(), before);
            let report = inspect(&damaged, DIR).unwrap();
            let found = report.damage.unwrap();
            assert_eq!(
                (Some(found.file.as_str()), Some(found.offset)),
                (error.file(), error.offset())
            );
            assert_eq!(damaged.contents(), before);
        }
    }
}

#[test]
fn damage_in_a_segment_that_was_left_behind_is_refused() {
    let disk = written(12, 5000);
    let segments = disk.list(DIR).unwrap();
    assert_eq!(segments.len(), 6);
    for segment in 1..=5 {
        for offset in [4096 + 40, 4096 + 5120 + 200] {
            let damaged = disk.crash(CrashPolicy::KeepAll, 0);
            let file = format!("{DIR}/{segment:08}.seg");
            damaged.flip_bit(&file, offset, 3);
            let error = open(&damaged, Position::ZERO).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert_eq!(error.file(), Some(file.as_str()));
            assert!(inspect(&damaged, DIR).unwrap().damage.is_some());
        }
        // The header is damage too, wherever it is.
        let damaged = disk.crash(CrashPolicy::KeepAll, 0);
        let file = format!("{DIR}/{segment:08}.seg");
        damaged.flip_bit(&file, 33, 3);
        let error = open(&damaged, Position::ZERO).unwrap_err();
        assert_eq!(
            (error.kind(), error.file()),
            (ErrorKind::Corrupt, Some(file.as_str()))
        );
    }
}

#[test]
fn a_missing_segment_is_refused() {
    let disk = written(12, 5000);
    for segment in 1..=5 {
        let damaged = disk.crash(CrashPolicy::KeepAll, 0);
        damaged.remove(&format!("{DIR}/{segment:08}.seg")).unwrap();
        let error = open(&damaged, Position::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    let empty = SimDisk::new();
    let error = open(&empty, Position(3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    // The checkpoint knows of more than the journal has.
    let error = open(&disk, Position(13)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn a_torn_tail_is_cut_and_does_not_come_back() {
    let disk = written(4, 300);
    let (mut journal, _) = open(&disk, Position::ZERO).unwrap();
    for n in 0..6 {
        journal.append(1, 2, &[&[n; 700]]).unwrap();
    }
    disk.stop_at(disk.operations() + 1);
    journal.flush().unwrap_err();
    let torn = disk.crash(CrashPolicy::KeepAll, 0);
    // The second of the six is bad; those behind it are good, and must be dropped all the same.
    torn.flip_bit("journal-0/00000001.seg", 4096 + 4 * 512 + 736 + 100, 0);
    let report = inspect(&torn, DIR).unwrap();
    assert_eq!(report.damage, None);
    let place = Some(("journal-0/00000001.seg".to_owned(), 4096 + 4 * 512 + 736));
    assert_eq!(report.torn, place);
    let (mut journal, frames) = open(&torn, Position::ZERO).unwrap();
    assert_eq!(frames.len(), 5);
    assert_eq!(journal.recovery().cut, place);
    assert_eq!(journal.append(1, 2, &[b"new"]).unwrap(), Position(6));
    journal.flush().unwrap();
    drop(journal);
    let (journal, frames) = open(&torn, Position::ZERO).unwrap();
    assert_eq!(frames.len(), 6);
    assert_eq!(frames[5], (Position(6), b"new".to_vec()));
    assert_eq!(journal.recovery().cut, None);
}

#[test]
fn a_flush_torn_at_the_front_of_a_segment_does_not_come_back() {
    let disk = written(1, 9000 - 4096);
    // Fills a segment, and goes on in the next one with frames that end where a flush may start.
    // Stops behind the write to that one and before its sync.
    let next = "journal-0/00000002.seg";
    let torn = (1..40)
        .find_map(|operations| {
            let torn = disk.restart();
            let (mut journal, _) = open(&torn, Position::ZERO).unwrap();
            for n in 0..3 {
                journal.append(1, 2, &[&[n; 5120 - 32]]).unwrap();
            }
            torn.stop_at(torn.operations() + operations);
            journal.flush().unwrap_err();
            let torn = torn.crash(CrashPolicy::KeepAll, 0);
            let names = torn.list(DIR).unwrap();
            let entered =
                names.contains(&"00000002.seg".to_owned()) && torn.bytes(next)[4096 + 8] != 0;
            entered.then_some(torn)
        })
        .unwrap();
    // The first frame there is torn, the second one is not.
    torn.flip_bit(next, 4096 + 100, 0);
    let (mut journal, frames) = open(&torn, Position::ZERO).unwrap();
    assert_eq!(frames.len(), 2);
    assert!(journal.recovery().cut.is_some());
    journal.append(1, 2, &[&[9; 5120 - 32]]).unwrap();
    journal.flush().unwrap();
    drop(journal);
    let (_, frames) = open(&torn, Position::ZERO).unwrap();
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[2].1, vec![9; 5120 - 32]);
}

#[test]
fn a_frame_vouches_for_the_segments_before_its_own() {
    let disk = SimDisk::new();
    let (mut journal, _) = open(&disk, Position::ZERO).unwrap();
    for n in 0..4 {
        journal.append(1, 2, &[&[n; 5000]]).unwrap();
    }
    // One flush: nothing was durable when its frames were written.
    journal.flush().unwrap();
    drop(journal);
    disk.flip_bit("journal-0/00000001.seg", 4096 + 5032 + 40, 0);
    disk.flip_bit("journal-0/00000002.seg", 4096 + 40, 0);
    let error = open(&disk, Position::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert_eq!(error.file(), Some("journal-0/00000001.seg"));
    assert!(inspect(&disk, DIR).unwrap().damage.is_some());
}

#[test]
fn a_large_frame_moves_to_the_next_segment_and_a_larger_one_is_refused() {
    let disk = SimDisk::new();
    let (mut journal, _) = open(&disk, Position::ZERO).unwrap();
    journal.append(1, 0, &[&[1; 8000]]).unwrap();
    journal.append(1, 0, &[&[2; 8192]]).unwrap();
    journal.append(1, 0, &[&[3; 8192]]).unwrap();
    let error = journal.append(1, 0, &[&[4; 8000], &[4; 193]]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(journal.flush().unwrap(), Position(3));
    drop(journal);
    let (mut journal, frames) = open(&disk, Position::ZERO).unwrap();
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[2], (Position(3), vec![3; 8192]));
    assert_eq!(disk.list(DIR).unwrap().len(), 3);
    assert_eq!(journal.live_bytes(), 2 * (16 << 10) + 4096 + 8704);
    // Frame 2 is not below 2.
    journal.trim(Position(2)).unwrap();
    assert_eq!(journal.live_bytes(), (16 << 10) + 4096 + 8704);
    journal.trim(Position(3)).unwrap();
    assert_eq!(journal.live_bytes(), 4096 + 8704);
}

#[test]
fn old_frames_in_a_recycled_segment_are_not_taken_for_frames() {
    let disk = SimDisk::new();
    let (mut journal, _) = open(&disk, Position::ZERO).unwrap();
    for _ in 0..100 {
        journal.append(1, 0, &[&[9; 3000]]).unwrap();
        let durable = journal.flush().unwrap();
        journal.trim(durable.next()).unwrap();
        journal.prepare_spares().unwrap();
        let from = Position(durable.0 - 1);
        let (_, frames) = open(&disk.restart(), from).unwrap();
        assert_eq!(frames, [(durable, vec![9; 3000])]);
    }
    let names = disk.list(DIR).unwrap();
    assert!(names.len() <= 4, "{names:?}");
}

#[test]
fn segments_of_another_journal_or_version_are_refused() {
    let disk = written(2, 100);
    let mut other = options();
    other.journal_id += 1;
    let error = open_with(&disk, other, Position::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let later = disk.restart();
    let file = later.open("journal-0/00000001.seg").unwrap();
    file.write_all_at(&[2], 8).unwrap();
    let error = open(&later, Position::ZERO).unwrap_err();
    let wrong = ErrorKind::UnsupportedVersion {
        found: 2,
        supported: 1,
    };
    assert_eq!(error.kind(), wrong, "{error}");
}

#[test]
fn the_size_of_segments_may_change_between_openings() {
    let disk = written(5, 5000);
    let mut from = Position::ZERO;
    for segment_bytes in [32 << 10, 16 << 10, 64 << 10] {
        let larger = Options {
            segment_bytes,
            flush_align: 4096,
            ..options()
        };
        let (mut journal, frames) = open_with(&disk, larger, from).unwrap();
        assert_eq!(frames.last().map_or(from, |frame| frame.0), journal.last());
        journal.prepare_spares().unwrap();
        for _ in 0..20 {
            journal.append(1, 2, &[&[1; 5000]]).unwrap();
        }
        from = Position(journal.flush().unwrap().0 - 10);
        journal.trim(from).unwrap();
        journal.prepare_spares().unwrap();
    }
    assert_eq!(open(&disk, from).unwrap().1.len(), 10);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let wrong: [fn(&mut Options); 6] = [
        |options| options.segment_bytes = 10_000,
        |options| options.segment_bytes = 4096,
        |options| options.frame_bytes_max = 12 << 10,
        |options| options.flush_align = 100,
        |options| options.flush_align = 8192,
        |options| options.spares = 0,
    ];
    for change in wrong {
        let mut options = options();
        change(&mut options);
        let error = open_with(&SimDisk::new(), options, Position::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    let disk = written(2, 100);
    let (mut journal, _) = open(&disk, Position::ZERO).unwrap();
    let error = journal.trim(Position(4)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn a_report_says_what_is_there() {
    let disk = written(12, 5000);
    let before = disk.contents();
    let report = inspect(&disk, DIR).unwrap();
    assert_eq!(disk.contents(), before);
    assert_eq!(report.frames, 12);
    assert_eq!(report.first, Some(Position(1)));
    assert_eq!(report.last, Some(Position(12)));
    assert_eq!(report.durable, Position(11));
    assert_eq!((report.damage, report.torn), (None, None));
    assert_eq!(report.segments.len(), 6);
    assert_eq!(
        report.segments[5].positions,
        Some((Position(11), Position(12)))
    );
}

#[test]
fn an_error_of_the_visitor_names_the_frame() {
    let disk = written(3, 300);
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let refuse = &mut |_: trunkline_journal::Frame<'_>| Err(Error::corrupt("no such row kind"));
    let error = Journal::open(disk, DIR, options(), Position(2), refuse).unwrap_err();
    assert_eq!(error.file(), Some("journal-0/00000001.seg"));
    assert_eq!(error.offset(), Some(4096 + 2 * 512));
    let text = "journal-0/00000001.seg, byte 5120: no such row kind";
    assert_eq!(error.to_string(), text);
}
