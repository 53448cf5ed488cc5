//! Channels, properties and calls between branches.

use crate::house::{House, MODES};
use serde::{Deserialize, Serialize};
use trunkline::core::code::Code;
use trunkline::prelude::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Text(String),
    Number(u32),
}

#[derive(Debug, Workflow)]
pub(crate) struct Desk {
    pub(crate) events: Channel<Event>,
    pub(crate) note: Prop<Option<String>>,
    pub(crate) text: Prop<String>,
}

#[workflow]
impl Desk {
    #[run]
    async fn run(&self, cx: Cx, what: String) -> Result<String> {
        match what.as_str() {
            "types" => {
                let (text, number) = join!(
                    self.events
                        .recv_where(|event| matches!(event, Event::Text(_))),
                    self.events
                        .recv_where(|event| matches!(event, Event::Number(_)))
                )
                .await;
                Ok(format!("{:?} {:?}", text?, number?))
            }
            "stream" => {
                let mut signals = self.events.signals();
                let mut sum = 0;
                while let Some(event) = signals.next().await {
                    match event? {
                        Event::Number(number) => sum += number,
                        Event::Text(_) => break,
                    }
                }
                Ok(sum.to_string())
            }
            "ready" => {
                let before = self.events.is_ready();
                cx.sleep(hours(1)).await?;
                let with = self.events.is_ready();
                self.events.recv().await?;
                Ok(format!("{before} {with} {}", self.events.is_ready()))
            }
            "null" => {
                self.note.set(Some("a".into()));
                cx.sleep(millis(1)).await?;
                self.note.set(None);
                Ok(String::new())
            }
            "self" => {
                self.text.set("a".into());
                let add = cx.call_self::<Self, _, _>(|w| w.add("b".into())).start();
                self.text.update(|text| text.push('c'));
                let added = add.await?;
                Ok(added + &self.text.get())
            }
            "let go" => {
                self.text.set("a".into());
                cx.call_self::<Self, _, _>(|w| w.add("b".into())).detach();
                Ok(self.text.get())
            }
            _ => Ok(cx
                .call_run::<Self, _, _>("none", |w| w.add("b".into()))
                .await?),
        }
    }

    #[method]
    async fn add(&self, cx: Cx, more: String) -> Result<String> {
        let _ = cx;
        self.text.update(|text| text.push_str(&more));
        Ok(self.text.get())
    }
}

async fn house(mode: usize) -> House {
    let mut house = House::without_worker().await;
    let worker = house.worker(&house.engine, mode).workflow::<Desk>();
    house.employ(worker).await;
    house
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c13_receivers_take_the_types_they_want_in_whatever_order_they_come() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Desk>("1").start("types".into());
        let run = run.await.unwrap();
        run.send(|w| &w.events, Event::Number(42)).await.unwrap();
        run.send(|w| &w.events, Event::Text("foo".into()))
            .await
            .unwrap();
        assert_eq!(run.result().await.unwrap(), "Text(\"foo\") Number(42)");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c17_many_signals_are_received_as_a_stream() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Desk>("1").start("stream".into());
        let run = run.await.unwrap();
        for number in 1..=20 {
            run.send(|w| &w.events, Event::Number(number))
                .await
                .unwrap();
        }
        run.send(|w| &w.events, Event::Text(String::new()))
            .await
            .unwrap();
        assert_eq!(run.result().await.unwrap(), "210");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c20_whether_a_signal_waits_is_a_function_of_the_history() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Desk>("1").start("ready".into());
        let run = run.await.unwrap();
        while run.describe().await.unwrap().open_timers == 0 {
            tokio::task::yield_now().await;
        }
        run.send(|w| &w.events, Event::Number(1)).await.unwrap();
        let completed = run.complete_timers(trunkline::WhichTimers::All).await;
        assert_eq!(completed.unwrap(), 1);
        assert_eq!(run.result().await.unwrap(), "false true false");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p_a_property_that_is_set_to_null_is_null() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Desk>("1").start("null".into());
        let run = run.await.unwrap();
        run.result().await.unwrap();
        assert_eq!(run.prop(|w| &w.note).await.unwrap(), Some(None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_a_run_calls_its_own_method_which_shares_its_properties() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Desk>("1").start("self".into());
        assert_eq!(run.await.unwrap().result().await.unwrap(), "acbacb");
    }
}

/// Its own code has returned by then, in the turn that called the method.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_a_run_does_not_end_before_a_method_of_its_own_that_it_called_and_let_go() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Desk>("1").start("let go".into());
        let run = run.await.unwrap();
        assert_eq!(run.result().await.unwrap(), "a");
        let text = run.prop(|w| &w.text).await.unwrap();
        assert_eq!(text.as_deref(), Some("ab"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b16_a_call_of_a_run_that_is_not_there_is_refused_to_the_caller() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Desk>("1").start("other".into());
        let error = run.await.unwrap().result().await.unwrap_err();
        assert_eq!(error.code(), Some(Code::RunNotFound), "{error}");
    }
}
