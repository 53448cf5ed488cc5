//! The tutorial's workflow: a library lends a book, for thirty days or more. `docs/guides/tutorial.md` writes it step by step,
//! and quotes this file.

#![warn(missing_docs)]

#[expect(
    clippy::print_stdout,
    reason = "the clerk speaks to whoever reads the terminal"
)]
mod shelves;

pub use shelves::Shelves;
use trunkline::prelude::*;

/// What somebody has to do with hands and feet.
#[service]
pub trait Desk {
    /// Fetches a book, and says from which shelf.
    #[task(attempts = 5, initial_ms = 200, timeout_ms = 10_000)]
    async fn fetch(&self, t: &TaskCx, book: String) -> Result<String>;

    /// Asks for the book.
    async fn remind(&self, t: &TaskCx, book: String) -> Result<()>;
}

/// A book that is lent.
#[derive(Debug, Workflow)]
pub struct Loan {
    /// Where it stands, for whoever looks.
    pub status: Prop<String>,
    /// For how many days it is lent.
    pub days: Prop<u64>,
    /// What the librarian says.
    pub approvals: Channel<bool>,
    /// The book comes back.
    pub returned: Channel<()>,
}

#[workflow]
impl Loan {
    /// Lends the book, and says how that ended.
    #[run]
    async fn run(&self, cx: Cx, book: String) -> Result<String> {
        self.status.set("waits for the librarian".into());
        if !self.approvals.recv().await? {
            return Ok("refused".into());
        }

        let desk = cx.service::<DeskStub>();
        let shelf = desk.fetch(book.clone()).await?;
        self.status.set(format!("lent, from {shelf}"));

        self.days.set(30);
        let lent_at = cx.now();
        loop {
            let lent_for = self.days.get();
            let due = lent_at.plus_ms(lent_for * DAY_MS);
            let is_back = select! {
                back = self.returned.recv() => back.map(|()| true)?,
                slept = cx.sleep_until(due) => slept.map(|()| false)?,
            };
            if is_back {
                return Ok("back in time".into());
            }
            // Somebody may have extended it meanwhile.
            if self.days.get() == lent_for {
                break;
            }
        }

        self.status.set("overdue".into());
        desk.remind(book).await?;
        self.returned.recv().await?;
        Ok("back, too late".into())
    }

    /// Lends it for so many days more, and says for how many in all.
    #[method]
    async fn extend(&self, cx: Cx, days: u64) -> Result<u64> {
        let _ = cx;
        if self.status.get() == "overdue" {
            return Err(Error::new("Overdue", "it should have been back"));
        }
        self.days.update(|lent_for| *lent_for += days);
        Ok(self.days.get())
    }

    /// What to tell the reader who asks.
    #[query]
    fn summary(&self) -> String {
        format!("{}, for {} days", self.status.get(), self.days.get())
    }
}

/// A day, in milliseconds.
const DAY_MS: u64 = 86_400_000;

#[cfg(test)]
mod tests;
