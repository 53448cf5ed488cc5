//! Reading only: while a query is answered, the run must not change.

use super::Ledger;

/// While it lives, code that wants to change the run panics before it does.
pub(crate) struct Reading<'a>(&'a Ledger);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.inner.borrow_mut().is_read = false;
    }
}

impl Ledger {
    pub(crate) fn only_read(&self) -> Reading<'_> {
        self.inner.borrow_mut().is_read = true;
        Reading(self)
    }

    /// To be called before anything of the run changes.
    ///
    /// # Panics
    /// If a query is being answered.
    pub(crate) fn about_to(&self, change: &str) {
        let is_read = self.inner.borrow().is_read;
        assert!(!is_read, "a query only reads, it does not {change}");
    }
}
