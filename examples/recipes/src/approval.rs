//! A human approval: the run waits for a person, reminds after a day, and gives up after a week. Waiting costs nothing.

use serde::{Deserialize, Serialize};
use trunkline::prelude::*;

/// Tells people what is waiting for them.
#[service]
pub trait Post {
    /// Sends a message.
    async fn send(&self, t: &TaskCx, to: String, text: String) -> Result<()>;
}

/// What a person decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub by: String,
    /// Yes or no.
    pub granted: bool,
}

/// An expense that somebody must approve.
#[derive(Debug, Workflow)]
pub struct Expense {
    /// Where it stands, for whoever looks.
    pub status: Prop<String>,
    /// Where decisions come in.
    pub decisions: Channel<Decision>,
}

#[workflow]
impl Expense {
    /// True if it was approved.
    #[run]
    async fn run(&self, cx: Cx, approver: String, cents: u64) -> Result<bool> {
        let post = cx.service::<PostStub>();
        self.status.set(format!("waits for {approver}"));
        post.send(approver.clone(), format!("please approve {cents} cents"))
            .await?;
        for day in 1..=7_u32 {
            let decision = select! {
                // Only the approver's word counts; others are kept, and passed by.
                decision = self.decisions.recv_where({
                    let approver = approver.clone();
                    move |decision: &Decision| decision.by == approver
                }) => Some(decision?),
                _ = cx.sleep(days(1)) => None,
            };
            if let Some(decision) = decision {
                let word = if decision.granted {
                    "approved"
                } else {
                    "refused"
                };
                self.status.set(format!("{word} by {}", decision.by));
                return Ok(decision.granted);
            }
            post.send(approver.clone(), format!("day {day}: still waiting"))
                .await?;
        }
        self.status.set("nobody decided".into());
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use trunkline::testing::{TestBed, TestKit};

    #[derive(Clone, Default)]
    struct Letters(Arc<Mutex<Vec<String>>>);

    impl Post for Letters {
        async fn send(&self, _: &TaskCx, _to: String, text: String) -> Result<()> {
            self.0.lock().unwrap().push(text);
            Ok(())
        }
    }

    async fn bed(letters: &Letters) -> TestBed {
        let kit = TestKit::new().workflow::<Expense>();
        kit.service(letters.clone().into_service()).start().await
    }

    #[tokio::test]
    async fn only_the_approver_decides() {
        let letters = Letters::default();
        let bed = bed(&letters).await;
        let run = bed
            .workflow::<Expense>("1")
            .start(("ada".into(), 900))
            .await
            .unwrap();
        for (by, granted) in [("bob", true), ("ada", false)] {
            let by = by.to_owned();
            run.send(|w| &w.decisions, Decision { by, granted })
                .await
                .unwrap();
        }
        assert!(!run.result().await.unwrap());
        let status = run.prop(|w| &w.status).await.unwrap();
        assert_eq!(status.as_deref(), Some("refused by ada"));
    }

    #[tokio::test]
    async fn it_reminds_every_day_and_gives_up_after_a_week() {
        let letters = Letters::default();
        let bed = bed(&letters).await;
        let began = bed.now();
        let granted = bed
            .workflow::<Expense>("1")
            .execute(("ada".into(), 900))
            .await;
        assert!(!granted.unwrap());
        assert_eq!(letters.0.lock().unwrap().len(), 8);
        assert!(bed.now() >= began.plus_ms(7 * 86_400_000));
    }
}
