//! A file of a simulated disk.
//!
//! It belongs to an inode, not to a name, so it stays valid when the name changes or goes.

use std::io;
use std::sync::Arc;

use super::{Fault, Pending, SimDisk, injected, put};
use crate::DiskFile;

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) inode: usize,
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        state.check_running()?;
        let cached = &state.inodes[self.inode].cached;
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| cached.get(offset..))
            .unwrap_or(&[]);
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let fault = state.begin()?;
        let data = match fault {
            Some(Fault::Short | Fault::FailHalfway) => &data[..data.len().div_ceil(2)],
            Some(_) => return Err(injected()),
            None => data,
        };
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        state.reserve(self.inode, offset + data.len())?;
        let inode = &mut state.inodes[self.inode];
        put(Arc::make_mut(&mut inode.cached), offset, data);
        inode.pending.push(Pending::Write {
            offset,
            data: data.to_vec(),
        });
        if fault == Some(Fault::FailHalfway) {
            return Err(injected());
        }
        Ok(data.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let fault = state.begin()?;
        let inode = &mut state.inodes[self.inode];
        let pending = match fault {
            Some(Fault::LoseSync) => {
                inode.pending.clear();
                return Err(injected());
            }
            Some(Fault::FailHalfway) => return Err(injected()),
            _ => std::mem::take(&mut inode.pending),
        };
        if !pending.is_empty() {
            let durable = Arc::make_mut(&mut inode.durable);
            for change in &pending {
                change.apply(durable);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin_plain()?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        state.reserve(self.inode, len)?;
        let inode = &mut state.inodes[self.inode];
        Arc::make_mut(&mut inode.cached).resize(len, 0);
        inode.pending.push(Pending::SetLen(len));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.check_running()?;
        Ok(state.inodes[self.inode].cached.len() as u64)
    }

    fn drop_cache(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check_running()?;
        let inode = &mut state.inodes[self.inode];
        let mut bytes = Arc::clone(&inode.durable);
        if !inode.pending.is_empty() {
            let bytes = Arc::make_mut(&mut bytes);
            for change in &inode.pending {
                change.apply(bytes);
            }
        }
        inode.cached = bytes;
        Ok(())
    }
}
