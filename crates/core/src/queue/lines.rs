//! Lines, as an operator sees them.

use super::Queue;
use crate::payload::Name;
use core::fmt::Debug;
use core::ops::Bound;

impl<K: Copy + Ord + Debug> Queue<K> {
    /// The groups behind `after`, by name: how many messages each has, and the first of them.
    pub fn lines_behind(&self, after: Option<&Name>) -> impl Iterator<Item = (&Name, usize, K)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let lines = self.groups.range::<Name, _>((from, Bound::Unbounded));
        lines.filter_map(|(name, line)| Some((name, line.len(), *line.front()?)))
    }
}
