//! The files of the repository, as a reader of a fresh clone would see them.
//!
//! Build output, data folders and what version control hides are not part of it.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold no sources: build output, data, version control.
const SKIPPED: &[&str] = &[".git", "target", "trunkline-data", "out", "node_modules"];

/// One text file of the repository.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path from the root, with `/` between the parts.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl File {
    /// How many lines it has.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.text.lines().count()
    }

    /// The file's name without its folders.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The lines with their numbers, from 1.
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }
}

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the root")
        .to_path_buf()
}

/// All text files with one of these endings (or full names), sorted by path.
///
/// # Panics
/// If the tree cannot be read.
#[must_use]
pub fn files(endings: &[&str]) -> Vec<File> {
    let root = root();
    let mut found = Vec::new();
    walk(&root, &mut |path| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        let wanted = endings
            .iter()
            .any(|ending| name == *ending || (ending.starts_with('.') && name.ends_with(ending)));
        if wanted {
            let relative = path
                .strip_prefix(&root)
                .expect("the walk starts at the root");
            found.push(File {
                path: relative.to_string_lossy().replace('\\', "/"),
                text: fs::read_to_string(path)
                    .unwrap_or_else(|error| panic!("{} is not text: {error}", path.display())),
            });
        }
    });
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// One file, by its path from the root.
///
/// # Panics
/// If it is not there: a rule that needs it cannot be checked without.
#[must_use]
pub fn file(path: &str) -> File {
    let text = fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("the house needs {path}: {error}"));
    File {
        path: path.to_owned(),
        text,
    }
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a listed entry can be read").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        if path.is_dir() {
            if !SKIPPED.contains(&name) {
                walk(&path, visit);
            }
        } else {
            visit(&path);
        }
    }
}
