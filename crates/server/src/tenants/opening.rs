//! Opening: every tenant that is kept, at the start, several at a time.
//!
//! Opening one reads its data and waits for the disk, so others are opened meanwhile: as many as there are cores, and no more than
//! memory has room for. What came of each is heard in the order of their names, whichever was the first.

use super::{finish_removal, open};
use crate::house::{House, Standing};
use futures_util::StreamExt;
use futures_util::stream;
use std::sync::Arc;
use trunkline_api::access::HOME;
use trunkline_api::core::peer::Rejection;
use trunkline_engine::{TenantRecord, TenantStage};

/// How many are opened at once at most: each reads up to two segments of its journal into memory.
const AT_ONCE_MAX: usize = 8;

/// Opens every tenant that is kept.
pub(crate) async fn open_all(house: &Arc<House>) {
    let mut records = house.home().app.engine.tenants();
    records.retain(|record| record.name != HOME);
    records.sort_by(|a, b| a.name.cmp(&b.name));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let opened = records.into_iter().map(|record| {
        let house = Arc::clone(house);
        async move {
            let name = record.name.clone();
            (name, begin(&house, record).await)
        }
    });
    in_order(cores.min(AT_ONCE_MAX), opened, |(name, done)| {
        if let Err(rejection) = done {
            let reason = rejection.detail.to_string();
            tracing::error!(tenant = name, reason, "a tenant is unavailable");
            house.note(&name, Standing::Unavailable(reason));
        }
    })
    .await;
}

async fn begin(house: &Arc<House>, record: TenantRecord) -> Result<(), Rejection> {
    match record.stage {
        TenantStage::Removing => finish_removal(house, &record.name).await,
        TenantStage::Making | TenantStage::Ready => open(house, record).await,
    }
}

/// Does `works`, so many of them at once, and hears what came of them in their order.
async fn in_order<T>(
    at_once: usize,
    works: impl Iterator<Item = impl Future<Output = T>>,
    mut hear: impl FnMut(T),
) {
    let mut done = std::pin::pin!(stream::iter(works).buffered(at_once));
    while let Some(done) = done.next().await {
        hear(done);
    }
}

#[cfg(test)]
mod tests;
