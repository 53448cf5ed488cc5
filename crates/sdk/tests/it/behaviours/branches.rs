//! Branches: methods that run beside a run's own code.

use crate::contract::ShopStub;
use crate::house::{House, MODES};
use trunkline::core::code::Code;
use trunkline::core::entry::Outcome;
use trunkline::core::ids::Nonce;
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;
use trunkline::{RunError, RunHandle, WhichTimers, Worker};

/// A text that methods add to.
#[derive(Debug, Workflow)]
pub(crate) struct Notebook {
    pub(crate) text: Prop<String>,
    pub(crate) close: Channel<String>,
}

#[workflow]
impl Notebook {
    /// Begins with a text, and ends with what it has become when somebody closes it.
    #[run]
    async fn run(&self, cx: Cx, begin: String) -> Result<String> {
        self.text.set(begin);
        let last = self.close.recv().await?;
        self.text.update(|text| text.push_str(&last));
        let _ = cx;
        Ok(self.text.get())
    }

    /// Adds to the text, and says what it is now.
    #[method]
    async fn add(&self, cx: Cx, more: String) -> Result<String> {
        let _ = cx;
        self.text.update(|text| text.push_str(&more));
        Ok(self.text.get())
    }

    /// The same, with a task on the way.
    #[method]
    async fn add_slowly(&self, cx: Cx, more: String) -> Result<String> {
        let more = cx.service::<ShopStub>().suffix(more).await?;
        self.text.update(|text| text.push_str(&more));
        Ok(self.text.get())
    }

    /// Goes on for so long.
    #[method]
    async fn linger(&self, cx: Cx, ms: u64) -> Result<()> {
        cx.sleep(millis(ms)).await?;
        self.text.update(|text| text.push('~'));
        Ok(())
    }

    /// Never ends well.
    #[method]
    async fn fail(&self, cx: Cx, why: String) -> Result<()> {
        let _ = cx;
        Err(Error::new("Refused", why))
    }

    /// What the text is.
    #[query]
    fn read(&self) -> String {
        self.text.get()
    }
}

/// Waits until the text is this.
async fn reached(run: &RunHandle<Notebook>, text: &str) {
    for _ in 0..1_000 {
        if run.prop(|w| &w.text).await.unwrap().as_deref() == Some(text) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the text never became {text}");
}

pub(crate) async fn house(mode: usize) -> House {
    let mut house = House::without_worker().await;
    let worker = house.worker(&house.engine, mode).workflow::<Notebook>();
    house.employ(worker).await;
    house
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b5_a_client_calls_a_method_of_a_run_and_then_the_run_goes_on() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Notebook>("1").start("a".into());
        let run = run.await.unwrap();
        assert_eq!(run.call(|w| w.add("b".into())).await.unwrap(), "ab");
        run.send(|w| &w.close, "c".into()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "abc");
        let described = run.describe().await.unwrap();
        assert_eq!(described.status, RunStatus::Completed);
        assert_eq!((described.calls, described.open_methods.len()), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b6_several_methods_run_in_order() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Notebook>("1").start("a".into());
        let run = run.await.unwrap();
        let mut calls = Vec::new();
        for more in ["b", "c", "d"] {
            calls.push(run.call(|w| w.add(more.into())).start().await.unwrap());
        }
        let mut texts = Vec::new();
        for call in &calls {
            texts.push(call.result().await.unwrap());
        }
        assert_eq!(texts, ["ab", "abc", "abcd"]);
        run.send(|w| &w.close, "e".into()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "abcde");
        // Also long after.
        assert_eq!(calls[1].result().await.unwrap(), "abc");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b7_a_hundred_methods_keep_their_order_and_count() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Notebook>("1").start(String::new());
        let run = run.await.unwrap();
        let mut calls = Vec::new();
        for number in 0..100 {
            let more = format!("{number},");
            calls.push(run.call(|w| w.add(more)).start().await.unwrap());
        }
        let expected: String = (0..100).map(|number| format!("{number},")).collect();
        assert_eq!(calls[99].result().await.unwrap(), expected);
        run.send(|w| &w.close, String::new()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b8_a_run_ends_when_its_last_method_has() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Notebook>("1").start("a".into());
        let run = run.await.unwrap();
        let lingering = run.call(|w| w.linger(60_000)).start().await.unwrap();
        run.send(|w| &w.close, "b".into()).await.unwrap();
        // The run's own code has returned; another method can still be called, and is.
        reached(&run, "ab").await;
        assert_eq!(run.describe().await.unwrap().status, RunStatus::Running);
        assert_eq!(run.call(|w| w.add("c".into())).await.unwrap(), "abc");
        let timers = WhichTimers::Call(lingering.call());
        assert_eq!(run.complete_timers(timers).await.unwrap(), 1);
        lingering.result().await.unwrap();
        assert_eq!(run.result().await.unwrap(), "ab", "the run's own result");
        assert_eq!(run.prop(|w| &w.text).await.unwrap().unwrap(), "abc~");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b9_methods_with_tasks_run_in_parallel() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Notebook>("1").start(String::new());
        let run = run.await.unwrap();
        let mut calls = Vec::new();
        for more in ["a", "b", "c"] {
            calls.push(
                run.call(|w| w.add_slowly(more.into()))
                    .start()
                    .await
                    .unwrap(),
            );
        }
        for call in &calls {
            call.result().await.unwrap();
        }
        run.send(|w| &w.close, String::new()).await.unwrap();
        let mut parts: Vec<char> = run.result().await.unwrap().chars().collect();
        parts.sort_unstable();
        assert_eq!(parts.iter().collect::<String>(), "!!!abc");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b10_a_method_that_fails_fails_its_caller_and_not_the_run() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Notebook>("1").start("a".into());
        let run = run.await.unwrap();
        match run.call(|w| w.fail("closed".into())).await.unwrap_err() {
            RunError::Failed(error, _) => assert_eq!(error.failure().name.as_str(), "Refused"),
            other => panic!("{other:?}"),
        }
        run.send(|w| &w.close, "b".into()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "ab");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_a_repeated_call_is_one_call_also_when_the_run_has_ended() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Notebook>("1").start("a".into());
        let run = run.await.unwrap();
        for _ in 0..2 {
            let call = run.call(|w| w.add("b".into())).nonce(Nonce(7));
            assert_eq!(call.await.unwrap(), "ab");
        }
        run.send(|w| &w.close, String::new()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "ab");
        let call = run.call(|w| w.add("b".into())).nonce(Nonce(7));
        assert_eq!(call.await.unwrap(), "ab");
        let late = run.call(|w| w.add("c".into())).await.unwrap_err();
        assert_eq!(late.code(), Some(Code::RunFinished));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b12_an_unknown_method_is_refused_and_nobody_hangs() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Notebook>("1").start("a".into());
        let run = run.await.unwrap();
        let error = run.untyped().call::<()>("tear", &()).await.unwrap_err();
        assert_eq!(error.code(), Some(Code::UnknownMethod), "{error}");
        run.send(|w| &w.close, "b".into()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "ab");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b13_methods_end_as_a_run_does_that_is_terminated() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Notebook>("1").start("a".into());
        let run = run.await.unwrap();
        let lingering = run.call(|w| w.linger(60_000)).start().await.unwrap();
        let waiting = lingering.result();
        run.terminate("enough").await.unwrap();
        assert!(matches!(waiting.await, Err(RunError::Terminated(_))));
        assert!(matches!(
            lingering.result().await,
            Err(RunError::Terminated(_))
        ));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b14_methods_survive_a_crash_of_the_engine() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Notebook>("1").start("a".into());
        let run = run.await.unwrap();
        assert_eq!(run.call(|w| w.add("b".into())).await.unwrap(), "ab");
        let lingering = run.call(|w| w.linger(300)).start().await.unwrap().call();
        drop(run);
        let mut house = house.reopen().await;
        let worker = house.worker(&house.engine, mode).workflow::<Notebook>();
        house.employ(worker).await;
        let run = house.client.run::<Notebook>("1");
        let outcome = run.untyped().call_outcome(lingering).await.unwrap();
        assert!(matches!(outcome, Outcome::Completed(_)));
        run.send(|w| &w.close, "c".into()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "ab~c");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b15_what_was_refused_stays_so_when_the_code_learns_the_method() {
    mod older {
        use trunkline::prelude::*;

        /// The notebook before it could be added to.
        #[derive(Debug, Workflow)]
        pub(super) struct Plain {
            pub(super) text: Prop<String>,
            pub(super) close: Channel<String>,
        }

        #[workflow(name = "Notebook")]
        impl Plain {
            #[run]
            async fn run(&self, cx: Cx, begin: String) -> Result<String> {
                self.text.set(begin);
                let last = self.close.recv().await?;
                self.text.update(|text| text.push_str(&last));
                let _ = cx;
                Ok(self.text.get())
            }
        }
    }
    let mut house = House::without_worker().await;
    let worker = Worker::builder(&house.engine).workflow::<older::Plain>();
    house.employ(worker).await;
    let run = house.client.workflow::<Notebook>("1").start("a".into());
    let run = run.await.unwrap();
    let error = run.call(|w| w.add("b".into())).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::UnknownMethod));
    house.dismiss().await;
    let worker = house.worker(&house.engine, 0).workflow::<Notebook>();
    house.employ(worker).await;
    assert_eq!(run.call(|w| w.add("c".into())).await.unwrap(), "ac");
}
