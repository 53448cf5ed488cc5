//! The layout of a segment header, and what the names of files mean.

use super::*;

const HEADER: SegmentHeader = SegmentHeader {
    journal_id: 0x0102_0304,
    number: 7,
    segment_bytes: 65_536,
    flush_align: 512,
};

#[test]
fn a_header_has_the_layout_of_the_documentation() {
    let block = HEADER.encode();
    assert_eq!(block.len(), 4096);
    assert_eq!(&block[0..8], b"TLSEGMNT");
    assert_eq!(block[8..12], [1, 0, 0, 0]);
    assert_eq!(block[12..16], [0, 2, 0, 0]);
    assert_eq!(block[16..20], [4, 3, 2, 1]);
    assert_eq!(block[32..40], [7, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(block[40..48], [0, 0, 1, 0, 0, 0, 0, 0]);
    assert_eq!(block[48..52], crc32c::crc32c(&block[..48]).to_le_bytes());
    assert!(block[52..].iter().all(|byte| *byte == 0));
    assert_eq!(SegmentHeader::decode(&block).unwrap(), HEADER);
}

#[test]
fn a_damaged_header_is_refused() {
    for bit in 0..52 * 8 {
        let mut block = HEADER.encode();
        block[bit / 8] ^= 1 << (bit % 8);
        let kind = SegmentHeader::decode(&block).unwrap_err().kind();
        let version = matches!(kind, ErrorKind::UnsupportedVersion { .. });
        assert!(version == (64..96).contains(&bit), "bit {bit}: {kind:?}");
    }
    assert!(SegmentHeader::decode(&[0; 51]).is_err());
}

#[test]
fn names_say_what_a_file_is() {
    assert_eq!(segment_path("journal-0", 3), "journal-0/00000003.seg");
    assert_eq!(parse_name("00000003.seg"), SegmentName::Segment(3));
    assert_eq!(
        parse_name("123456789.seg"),
        SegmentName::Segment(123_456_789)
    );
    assert_eq!(parse_name("00000003.new"), SegmentName::Unfinished);
    for name in [
        "3.seg",
        "0000000x.seg",
        ".seg",
        "00000003",
        "lost+found",
        "",
    ] {
        assert_eq!(parse_name(name), SegmentName::Foreign, "{name}");
    }
}
