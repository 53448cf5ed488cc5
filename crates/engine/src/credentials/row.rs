//! Rows of credentials: changed first, and then what is in memory. Whoever changes one holds the lock of changes.

use crate::list;
use crate::node::Node;
use std::sync::Arc;
use trunkline_core::ids::ShardId;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{CredentialNews, Keep, Kept, Op, Rejection, Reply};
use trunkline_vault::{Credential, Settings};

const HOME: ShardId = ShardId(0);

/// Makes a credential durable, together with what the feed tells of it, and then what is used.
pub(super) async fn keep(
    node: &Node,
    mut credential: Credential,
    news: Option<CredentialNews>,
) -> Result<Arc<Credential>, Rejection> {
    let current = credential.current().map(|version| &version.settings);
    if !matches!(current, Some(Settings::ClientCredentials { .. })) {
        // Nobody asks for tokens any more, so nobody would hear of its end.
        credential.outage = None;
    }
    let bytes = minicbor::to_vec(&credential).expect("writing to memory cannot fail");
    put(node, &Name::from(&*credential.id), Some(bytes), news).await?;
    Ok(node.credentials.remember(credential))
}

/// Deletes a credential.
pub(super) async fn delete(node: &Node, id: &Name) -> Result<(), Rejection> {
    put(node, id, None, None).await?;
    node.credentials.forget(id);
    Ok(())
}

async fn put(
    node: &Node,
    id: &Name,
    value: Option<Vec<u8>>,
    news: Option<CredentialNews>,
) -> Result<(), Rejection> {
    let keep = Keep {
        kept: Kept::Credential,
        name: id.clone(),
        value: value.map(Payload::from),
        news,
    };
    match list::ask(node, HOME, Op::Keep(keep)).await? {
        Reply::Done => Ok(()),
        _ => Err(list::unexpected()),
    }
}
