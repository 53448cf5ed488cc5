//! The rows of a CSV text (RFC 4180), each with the number of the line on which it begins.
//!
//! What it is not: it knows no columns and judges no values.
//!
//! Invariant: an unbalanced quote costs one line, not the rest of the file. A quoted field may contain line breaks, but if
//! a row that runs over several lines does not have as many fields as the header, or has text behind a closing quote, only
//! its first line is given up ([`Row::Broken`]) and reading goes on behind that line.

/// A row may run over so many bytes; a quote that is open for longer is a mistake.
const ROW_BYTES_MAX: usize = 64 << 10;

/// One row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Row {
    /// Its fields.
    Fields {
        /// The line on which it begins, from 1.
        line: u64,
        /// The fields, without the quotes around them.
        fields: Vec<String>,
    },
    /// A line that is not a row.
    Broken {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it, in words.
        reason: String,
    },
}

/// Reads rows one after the other. The first row is the header, and says how many fields the others have.
#[derive(Debug)]
pub struct Rows<'a> {
    rest: &'a [u8],
    line: u64,
    width: Option<usize>,
}

impl<'a> Rows<'a> {
    /// The rows of `text`. A byte order mark at its beginning is skipped.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            rest: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text),
            line: 1,
            width: None,
        }
    }

    /// Steps over `bytes` bytes.
    fn advance(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.rest = rest;
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let line = self.line;
            let first_line_bytes = self
                .rest
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(self.rest.len(), |at| at + 1);
            let Some(Split {
                bytes,
                fields: raw,
                text_behind_quote,
            }) = split(self.rest)
            else {
                self.advance(first_line_bytes);
                let reason = "a quote is opened and not closed".to_owned();
                return Some(Row::Broken { line, reason });
            };
            if raw.len() == 1 && raw[0].iter().all(u8::is_ascii_whitespace) {
                self.advance(bytes);
                continue;
            }
            let width = *self.width.get_or_insert(raw.len());
            let runs_on = bytes > first_line_bytes;
            if raw.len() != width || (runs_on && text_behind_quote) {
                // The quote that joins several lines is the likely mistake, so the lines behind the first get their own chance.
                self.advance(first_line_bytes);
                let reason = if runs_on {
                    "a quote is opened and not closed on the line".to_owned()
                } else {
                    format!("it has {} columns, the header has {width}", raw.len())
                };
                return Some(Row::Broken { line, reason });
            }
            self.advance(bytes);
            let fields: Result<Vec<String>, _> = raw.into_iter().map(String::from_utf8).collect();
            return Some(match fields {
                Ok(fields) => Row::Fields { line, fields },
                Err(_) => Row::Broken {
                    line,
                    reason: "it is not UTF-8".to_owned(),
                },
            });
        }
    }
}

/// The first row of a text.
struct Split {
    /// How many bytes it has with its line end.
    bytes: usize,
    /// Its fields.
    fields: Vec<Vec<u8>>,
    /// True if a closing quote is followed by more than the end of its field: taken as part of the field, as most readers
    /// do, but a sign of a mistake.
    text_behind_quote: bool,
}

/// Splits the first row off. Nothing if a quote stays open.
fn split(text: &[u8]) -> Option<Split> {
    let mut fields = Vec::with_capacity(8);
    let mut field = Vec::new();
    let mut quoted = false;
    let mut text_behind_quote = false;
    let mut at = 0;
    let mut field_start = 0;
    while at < text.len() {
        let byte = text[at];
        at += 1;
        match byte {
            b'"' if quoted => {
                if text.get(at) == Some(&b'"') {
                    field.push(b'"');
                    at += 1;
                } else {
                    quoted = false;
                    text_behind_quote |= !matches!(text.get(at), None | Some(b',' | b'\n' | b'\r'));
                }
            }
            _ if quoted => {
                if at > ROW_BYTES_MAX {
                    return None;
                }
                field.push(byte);
            }
            // Only a quote that opens a field quotes it: within one (`7" SINGLE`) it is an inch.
            b'"' if at - 1 == field_start => quoted = true,
            b',' => {
                fields.push(std::mem::take(&mut field));
                field_start = at;
            }
            b'\n' => {
                if field.last() == Some(&b'\r') {
                    field.pop();
                }
                fields.push(field);
                return Some(Split {
                    bytes: at,
                    fields,
                    text_behind_quote,
                });
            }
            _ => field.push(byte),
        }
    }
    if quoted {
        return None;
    }
    if field.last() == Some(&b'\r') {
        field.pop();
    }
    fields.push(field);
    Some(Split {
        bytes: at,
        fields,
        text_behind_quote,
    })
}

#[cfg(test)]
mod tests;
