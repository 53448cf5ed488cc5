//! Keeping: rows that the engine has the shard hold for it, such as sealed credentials. The core does not look into them.

use super::Shard;
use crate::io::Io;
use crate::peer::{Keep, Reply};

impl Shard {
    /// Keeps a value under a name, or forgets what was there.
    pub(super) fn keep_for_engine(&self, io: &mut Io<'_>, keep: &Keep) -> Reply {
        let key = self.keys.kept(keep.kept.kind(), &keep.name);
        match &keep.value {
            Some(value) => io.put(&key, value),
            None => io.delete(&key),
        }
        Reply::Done
    }
}
