//! A folder as one small file: only the blocks that are not all zeros, because the files of a data folder are mostly space that
//! was set aside.
//!
//! For each file: the length of its name (2 bytes, little-endian like all numbers), its name, its length (8), how many blocks
//! follow (4), and for each its number (4) and its 512 bytes.

use std::io;
use std::path::Path;

const BLOCK: usize = 512;

/// Packs a folder with the folders in it.
///
/// # Errors
/// If it cannot be read.
pub fn pack(folder: &Path) -> io::Result<Vec<u8>> {
    let mut names = Vec::new();
    list(folder, "", &mut names)?;
    names.sort();
    let mut packed = Vec::new();
    for name in names {
        let content = std::fs::read(folder.join(&name))?;
        let blocks: Vec<(usize, &[u8])> = content
            .chunks(BLOCK)
            .enumerate()
            .filter(|(_, block)| block.iter().any(|byte| *byte != 0))
            .collect();
        packed.extend((name.len() as u16).to_le_bytes());
        packed.extend(name.as_bytes());
        packed.extend((content.len() as u64).to_le_bytes());
        packed.extend((blocks.len() as u32).to_le_bytes());
        for (number, block) in blocks {
            packed.extend((number as u32).to_le_bytes());
            packed.extend(block);
            packed.extend(std::iter::repeat_n(0, BLOCK - block.len()));
        }
    }
    Ok(packed)
}

fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.metadata()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}

/// Unpacks it into a folder.
///
/// # Errors
/// If it breaks off, or the folder cannot be written.
pub fn unpack(mut packed: &[u8], folder: &Path) -> io::Result<()> {
    while !packed.is_empty() {
        let name = u16::from_le_bytes(take(&mut packed)?);
        let name = some(&mut packed, usize::from(name))?;
        let name = String::from_utf8_lossy(name).into_owned();
        let mut content = vec![0; u64::from_le_bytes(take(&mut packed)?) as usize];
        for _ in 0..u32::from_le_bytes(take(&mut packed)?) {
            let start = u32::from_le_bytes(take(&mut packed)?) as usize * BLOCK;
            let block = some(&mut packed, BLOCK)?;
            let end = content.len().min(start + BLOCK);
            content[start..end].copy_from_slice(&block[..end - start]);
        }
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, content)?;
    }
    Ok(())
}

fn some<'a>(packed: &mut &'a [u8], bytes: usize) -> io::Result<&'a [u8]> {
    let (taken, rest) = packed
        .split_at_checked(bytes)
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    *packed = rest;
    Ok(taken)
}

fn take<const N: usize>(packed: &mut &[u8]) -> io::Result<[u8; N]> {
    let taken = some(packed, N)?;
    taken
        .try_into()
        .map_err(|_| io::ErrorKind::UnexpectedEof.into())
}
