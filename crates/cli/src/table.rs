//! Tables for people: columns as wide as their widest cell.

use std::io::{self, Write};

/// A table under way.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column titles.
    pub(crate) fn new<const N: usize>(titles: [&str; N]) -> Self {
        Self {
            rows: vec![titles.map(str::to_owned).to_vec()],
        }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Writes it, or `nothing` if it has no rows.
    pub(crate) fn write(&self, nothing: &str, out: &mut dyn Write) -> io::Result<()> {
        if self.rows.len() == 1 {
            return writeln!(out, "{nothing}");
        }
        let columns = self.rows[0].len();
        let width = |column: usize| {
            self.rows
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let line: String = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}  "))
                .collect();
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
