//! Replays: what matches, what does not, and what is said about it.

use super::{History, Job, replay};
use crate::executor::Strictness;
use crate::prelude::*;
use crate::worker::Definitions;
use crate::worker::script::Script;
use crate::workflow::Typed;
use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::Arc;
use trunkline_api::core::code::Code;
use trunkline_api::core::ids::RunId;
use trunkline_api::core::time::Timestamp;
use trunkline_api::replay::{HISTORIES, REPORT, Report};

#[service]
trait Trip {
    async fn hotel(&self, t: &TaskCx, night: u32) -> Result<String>;
    async fn flight(&self, t: &TaskCx, night: u32) -> Result<String>;
}

#[workflow]
async fn journey(cx: Cx, night: u32) -> Result<()> {
    let trip = cx.service::<TripStub>();
    trip.hotel(night).await?;
    trip.flight(night).await?;
    Ok(())
}

/// `journey`, written anew under the same name and version.
mod changed {
    use super::TripStub;
    use crate::prelude::*;

    #[workflow(name = "journey")]
    pub(super) async fn same(cx: Cx, night: u32) -> Result<()> {
        let stub = cx.service::<TripStub>();
        for task in [stub.hotel(night), stub.flight(night)] {
            task.await?;
        }
        Ok(())
    }

    #[workflow(name = "journey")]
    pub(super) async fn renamed(cx: Cx, night: u32) -> Result<()> {
        let trip = cx.service::<TripStub>();
        trip.hotel(night).await?;
        trip.hotel(night).await?;
        Ok(())
    }

    #[workflow(name = "journey")]
    pub(super) async fn shorter(cx: Cx, night: u32) -> Result<()> {
        cx.service::<TripStub>().hotel(night).await?;
        Ok(())
    }

    #[workflow(name = "journey")]
    pub(super) async fn waits_at_the_end(cx: Cx, night: u32) -> Result<()> {
        let trip = cx.service::<TripStub>();
        trip.hotel(night).await?;
        trip.flight(night).await?;
        cx.cancelled().await;
        Ok(())
    }

    #[workflow(name = "journey")]
    pub(super) async fn longer(cx: Cx, night: u32) -> Result<()> {
        let trip = cx.service::<TripStub>();
        let hotel = trip.hotel(night).await?;
        cx.add_tags([hotel]);
        trip.flight(night).await?;
        Ok(())
    }

    #[workflow(name = "journey")]
    pub(super) async fn other_argument(cx: Cx, night: u32) -> Result<()> {
        let trip = cx.service::<TripStub>();
        trip.hotel(night + 1).await?;
        trip.flight(night).await?;
        Ok(())
    }

    #[workflow(name = "journey")]
    pub(super) async fn panics(_cx: Cx, _night: u32) -> Result<()> {
        panic!("not today")
    }

    #[workflow(name = "journey", version = 2)]
    pub(super) async fn newer(_cx: Cx, _night: u32) -> Result<()> {
        Ok(())
    }
}

fn history_of(script: &Script) -> History {
    History {
        run: RunId::new("journey", "1"),
        version: 1,
        started_at: Timestamp(1_000),
        entries: script.history.clone(),
    }
}

/// A whole run.
fn ended() -> History {
    let mut script = Script::start::<journey>(&3, 0);
    script.settle();
    script.completed(0, &"ritz");
    script.settle();
    script.completed(1, &"lh1");
    script.settle();
    assert!(script.is_finished());
    history_of(&script)
}

fn reason<W: Workflow>(history: &History) -> String {
    replay(history).with::<W>().unwrap_err().to_string()
}

#[test]
fn a_history_replays_with_the_code_it_came_from_and_with_code_that_does_the_same() {
    let history = ended();
    let replayed = replay(&history).strict().with::<journey>().unwrap();
    assert_eq!((replayed.turns, replayed.commands), (3, 3));
    replay(&history).strict().with::<changed::same>().unwrap();
    assert_eq!(history.tasks(), ["Trip.hotel", "Trip.flight"]);
    assert_eq!(
        history.kinds(),
        [
            "started",
            "task_scheduled",
            "task_completed",
            "task_scheduled",
            "task_completed",
            "finished"
        ]
    );
}

#[test]
fn a_history_goes_through_its_file() {
    let history = ended();
    assert_eq!(History::from_json(history.to_json()).unwrap(), history);
    assert_eq!(
        History::from_json("{}").unwrap_err().code,
        Code::HistoryFileInvalid
    );
    assert_eq!(
        History::load("no-such-file.json").unwrap_err().code,
        Code::HistoryFileInvalid
    );
}

#[test]
fn what_differs_is_said_field_by_field() {
    let history = ended();
    let text = reason::<changed::renamed>(&history);
    assert!(text.starts_with("TL0074"), "{text}");
    assert!(
        text.contains("ScheduleTask.task was \"flight\" and is now \"hotel\""),
        "{text}"
    );
    let text = reason::<changed::longer>(&history);
    assert!(text.contains("the code asks for AddTags"), "{text}");
    replay(&history).with::<changed::other_argument>().unwrap();
    let strict = replay(&history).strict();
    let text = strict.with::<changed::other_argument>().unwrap_err().reason;
    assert!(
        text.contains("ScheduleTask.input was 3 and is now 4"),
        "{text}"
    );
    let text = reason::<changed::panics>(&history);
    assert!(text.starts_with("TL0073"), "{text}");
    let text = reason::<changed::newer>(&history);
    assert!(text.contains("version 1, and this is"), "{text}");
}

#[test]
fn commands_that_are_missing_or_new_at_the_end_are_found() {
    let history = ended();
    let text = reason::<changed::waits_at_the_end>(&history);
    assert!(
        text.contains(
            "the history has Finish (outcome completed), and the code does not ask for it"
        ),
        "{text}"
    );
    let text = reason::<changed::shorter>(&history);
    assert!(text.contains("the code asks for Finish"), "{text}");
}

#[test]
fn a_run_that_goes_on_replays_as_far_as_it_was_recorded() {
    let mut script = Script::start::<journey>(&3, 0);
    script.settle();
    script.completed(0, &"ritz");
    // No turn has consumed the result: what the code does with it is not recorded, so nothing can differ.
    let history = history_of(&script);
    replay(&history).with::<journey>().unwrap();
    replay(&history).with::<changed::shorter>().unwrap();
    script.settle();
    let history = history_of(&script);
    replay(&history).with::<journey>().unwrap();
    replay(&history).with::<changed::shorter>().unwrap_err();
}

#[test]
fn a_program_that_is_asked_to_replay_reports_on_each_history() {
    let folder = std::env::temp_dir().join(format!("trunkline-replay-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let good = folder.join("good.json");
    std::fs::write(&good, ended().to_json()).unwrap();
    let unknown = folder.join("unknown.json");
    let mut other = ended();
    other.version = 7;
    std::fs::write(&unknown, other.to_json()).unwrap();
    let broken = folder.join("broken.json");
    std::fs::write(&broken, "[]").unwrap();
    let report = folder.join("report.json");

    let files = [&good, &unknown, &broken].map(|path| path.display().to_string());
    let carry_out = |files: &[String]| {
        let variables: HashMap<&str, OsString> = HashMap::from([
            (HISTORIES, files.join("\n").into()),
            (REPORT, report.clone().into()),
        ]);
        let job = Job::read(|name| variables.get(name).cloned()).unwrap();
        let mut definitions = Definitions::new();
        definitions.insert(("journey".into(), 1), Arc::new(Typed::<journey>::new()));
        let build = Some("abc".into());
        let code = job.carry_out(&definitions, Strictness::Shape, build.as_ref());
        let report: Report = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
        assert_eq!(report.build_id.as_deref(), Some("abc"));
        (code, report)
    };

    let (code, report) = carry_out(&files[..1]);
    assert_eq!((code, report.ok), (0, true));
    assert_eq!(report.histories[0].turns, Some(3));
    let (code, report) = carry_out(&files);
    assert_eq!((code, report.ok), (1, false));
    let codes: Vec<_> = report.histories.iter().map(|h| h.code.as_deref()).collect();
    assert_eq!(codes, [None, Some("TL0009"), Some("TL0094")]);
    assert_eq!(Job::read(|_| None), None);
    std::fs::remove_dir_all(&folder).unwrap();
}
