//! The little of Markdown that the rules need: links, code in backticks, tables, fenced blocks.
//!
//! Not a parser: it reads the plain subset that this repository is written in.

use crate::tree::File;

/// A link in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The line that it is on.
    pub line: usize,
    /// What it points at.
    pub target: String,
}

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The line of its opening fence.
    pub line: usize,
    /// The word after the fence.
    pub language: String,
    /// What it holds.
    pub body: String,
    /// The HTML comment on the line right before it, if there is one.
    pub note: Option<String>,
}

/// The links of a document, those in fenced blocks excepted.
#[must_use]
pub fn links(file: &File) -> Vec<Link> {
    let mut links = Vec::new();
    for (line, text) in prose(file) {
        let mut rest = text;
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let Some(end) = rest.find(')') else { break };
            links.push(Link {
                line,
                target: rest[..end].to_owned(),
            });
            rest = &rest[end..];
        }
    }
    links
}

/// The lines outside fenced blocks, with their numbers.
#[must_use]
pub fn prose(file: &File) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (number, line) in file.numbered() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((number, line));
        }
    }
    lines
}

/// The fenced blocks of a document.
#[must_use]
pub fn blocks(file: &File) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut before = "";
    for (number, line) in file.numbered() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let note = before
                    .strip_prefix("<!--")
                    .and_then(|note| note.strip_suffix("-->"))
                    .map(|note| note.trim().to_owned());
                open = Some(Block {
                    line: number,
                    language: language.trim().to_owned(),
                    body: String::new(),
                    note,
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.body.push_str(line);
                block.body.push('\n');
            }
            (None, None) => {}
        }
        before = line.trim();
    }
    blocks
}

/// The rows of the tables of a document as cells, without heads and rulers, with their lines.
#[must_use]
pub fn table_rows(file: &File) -> Vec<(usize, Vec<String>)> {
    let lines = prose(file);
    let mut rows = Vec::new();
    let mut in_body = false;
    for (number, line) in lines {
        let line = line.trim();
        if !line.starts_with('|') {
            in_body = false;
        } else if line.starts_with("| ---") || line.starts_with("|---") {
            in_body = true;
        } else if in_body {
            let inner = line.trim_start_matches('|').trim_end_matches('|');
            rows.push((
                number,
                inner
                    .split('|')
                    .map(|cell| cell.trim().to_owned())
                    .collect(),
            ));
        }
    }
    rows
}

/// What stands in backticks in a line or cell.
#[must_use]
pub fn code_spans(text: &str) -> Vec<String> {
    text.split('`')
        .enumerate()
        .filter(|(index, _)| index % 2 == 1)
        .map(|(_, span)| span.to_owned())
        .collect()
}

/// The anchor that a heading gets: lower case, spaces as dashes, punctuation gone.
#[must_use]
pub fn anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ if letter.is_alphanumeric() => Some(letter),
            _ => None,
        })
        .collect()
}

/// The anchors of a document's headings.
#[must_use]
pub fn anchors(file: &File) -> Vec<String> {
    prose(file)
        .into_iter()
        .filter_map(|(_, line)| {
            let heading = line.trim_start_matches('#');
            (heading.len() < line.len() && heading.starts_with(' ')).then(|| anchor(heading))
        })
        .collect()
}
