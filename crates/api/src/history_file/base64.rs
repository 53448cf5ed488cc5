//! Base64 with padding (RFC 4648, section 4): the one way in which JSON can hold bytes.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().enumerate().fold(0, |word, (place, byte)| {
            word | u32::from(*byte) << (16 - 8 * place)
        });
        for place in 0..4 {
            text.push(if place <= group.len() {
                char::from(ALPHABET[(word >> (18 - 6 * place) & 63) as usize])
            } else {
                '='
            });
        }
    }
    text
}

/// The bytes; nothing if the text is no base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for (index, group) in text.chunks(4).enumerate() {
        let padding = group.iter().rev().take_while(|byte| **byte == b'=').count();
        let is_last = (index + 1) * 4 == text.len();
        if padding > 2 || padding > 0 && !is_last {
            return None;
        }
        let mut word = 0_u32;
        for byte in &group[..4 - padding] {
            word = word << 6 | value(*byte)?;
        }
        word <<= 6 * padding;
        let [_, first, second, third] = word.to_be_bytes();
        bytes.extend_from_slice(&[first, second, third][..3 - padding]);
    }
    Some(bytes)
}

fn value(byte: u8) -> Option<u32> {
    let place = ALPHABET.iter().position(|known| *known == byte)?;
    u32::try_from(place).ok()
}
