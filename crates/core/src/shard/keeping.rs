//! Keeping: rows that the engine has the shard hold for it, such as sealed credentials. The core does not look into them.

use super::Shard;
use super::feed::cut;
use crate::feed::Mark;
use crate::io::Io;
use crate::peer::{CredentialNews, Keep, Kept, Reply};

impl Shard {
    /// Keeps a value under a name, or forgets what was there; and has the feed tell what is new of a credential, in the same commit.
    pub(super) fn keep_for_engine(&mut self, io: &mut Io<'_>, keep: &Keep) -> Reply {
        let key = self.keys.kept(keep.kept.kind(), &keep.name);
        match &keep.value {
            Some(value) => io.put(&key, value),
            None => io.delete(&key),
        }
        if let (Kept::Credential, Some(news)) = (keep.kept, &keep.news) {
            self.feed_credential(&keep.name, &mark_of(news));
        }
        Reply::Done
    }
}

fn mark_of(news: &CredentialNews) -> Mark {
    match news {
        CredentialNews::RefreshFailed { version, reason } => Mark::CredentialRefreshFailed {
            version: *version,
            reason: cut(reason),
        },
        CredentialNews::RefreshRecovered { version } => {
            Mark::CredentialRefreshRecovered { version: *version }
        }
    }
}
