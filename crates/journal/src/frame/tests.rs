//! The layout of a frame, and that no damaged or random bytes are taken for one.

use super::*;

fn frame(position: u64) -> Frame<'static> {
    Frame {
        position: Position(position),
        durable: Position(position - 1),
        shard: 0x0102,
        kind: 9,
        body: &[],
    }
}

/// splitmix64, as everywhere in the tests.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn a_frame_has_the_layout_of_the_documentation() {
    let mut buffer = Vec::new();
    encode(&mut buffer, Seed::new(7, 3), &frame(5), &[b"ab", b"", b"c"]);
    assert_eq!(buffer.len(), 40);
    // This number is part of the format: CRC32C of the id, then the segment's number, then the rest.
    let mut checked = Vec::new();
    checked.extend_from_slice(&7_u128.to_le_bytes());
    checked.extend_from_slice(&3_u64.to_le_bytes());
    checked.extend_from_slice(&buffer[4..]);
    assert_eq!(buffer[0..4], crc32c::crc32c(&checked).to_le_bytes());
    assert_eq!(buffer[4..8], [3, 0, 0, 0]);
    assert_eq!(buffer[8..16], [5, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(buffer[16..24], [4, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(buffer[24..32], [2, 1, 9, 0, 0, 0, 0, 0]);
    assert_eq!(&buffer[32..], b"abc\0\0\0\0\0");
}

#[test]
fn a_frame_is_read_as_it_was_written() {
    let mut buffer = vec![0; 8];
    let seed = Seed::new(1, 2);
    for (position, len) in [(1, 0), (2, 1), (3, 8), (4, 1000)] {
        let body = vec![position as u8; len];
        let start = buffer.len();
        encode(&mut buffer, seed, &frame(position), &[&body]);
        let decoded = decode(&buffer, start, seed, Position(position), Position(position)).unwrap();
        assert_eq!(decoded.end, buffer.len());
        assert_eq!(decoded.frame.body, body);
        assert_eq!(decoded.frame.shard, 0x0102);
        assert_eq!(decoded.frame.kind, 9);
        assert_eq!(decoded.frame.durable, Position(position - 1));
    }
}

#[test]
fn a_frame_of_another_segment_journal_or_position_is_none() {
    let mut buffer = Vec::new();
    encode(&mut buffer, Seed::new(1, 2), &frame(5), &[b"body"]);
    let read = |seed, position| decode(&buffer, 0, seed, Position(position), Position(position));
    assert!(read(Seed::new(1, 2), 5).is_ok());
    assert_eq!(read(Seed::new(1, 3), 5), Err(BadFrame::Checksum));
    assert_eq!(read(Seed::new(2, 2), 5), Err(BadFrame::Checksum));
    assert_eq!(read(Seed::new(1, 2), 6), Err(BadFrame::Header));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let mut buffer = Vec::new();
    let seed = Seed::new(1, 2);
    encode(&mut buffer, seed, &frame(5), &[b"some body"]);
    for bit in 0..buffer.len() * 8 {
        buffer[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&buffer, 0, seed, Position(1), Position(99)).is_err());
        buffer[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn no_bytes_make_the_decoder_panic() {
    let mut state = 42;
    let seed = Seed::new(1, 2);
    let mut good = Vec::new();
    encode(&mut good, seed, &frame(5), &[&[3; 90]]);
    for round in 0..20_000 {
        let mut bytes = if round % 2 == 0 {
            let len = random(&mut state) as usize % 200;
            (0..len).map(|_| random(&mut state) as u8).collect()
        } else {
            // Nearly a frame: that gets past the first checks.
            let mut bytes = good.clone();
            for _ in 0..random(&mut state) % 4 {
                let at = random(&mut state) as usize % bytes.len();
                bytes[at] = random(&mut state) as u8;
            }
            bytes.truncate(random(&mut state) as usize % (bytes.len() + 20));
            bytes
        };
        if round % 5 == 0 && bytes.len() >= 8 {
            bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        }
        let offset = random(&mut state) as usize % 220;
        for at in [0, offset, usize::MAX] {
            if let Ok(decoded) = decode(&bytes, at, seed, Position::ZERO, Position(u64::MAX)) {
                assert!(decoded.end <= bytes.len());
                assert_eq!(decoded.frame.body, [3; 90]);
            }
        }
    }
}
