//! Listening to events: typed, filtered, over a network that breaks, and behind a cursor that was kept.

use crate::bridge::Bridge;
use crate::contract::{slow_one, two_tasks};
use crate::house::{House, MODES};
use std::time::Duration;
use trunkline::core::feed::What;
use trunkline::{Client, ClientError, Event, EventCursor, EventStream, EventType};

/// What an event is, wherever its reader stood: cursors of two readers may lie differently among events that neither wants.
fn told(event: &Event) -> (String, EventType, What) {
    (event.id(), event.kind(), event.what().clone())
}

/// The next event, which is to come in time.
async fn next(events: &mut EventStream) -> Event {
    let next = tokio::time::timeout(Duration::from_secs(30), events.next());
    next.await.unwrap().unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_hears_the_story_of_a_run_over_the_network() {
    for mode in MODES {
        let mut house = House::without_worker().await;
        let bridge = Bridge::open(&house.engine).await;
        house.work(bridge.url(), mode).await;
        let client = Client::connect(bridge.url()).await.unwrap();
        let mut events = client.events().workflow("two_tasks");
        let result = client.workflow::<two_tasks>("1").execute("a".into()).await;
        assert_eq!(result.unwrap(), "a!!");
        let mut kinds = Vec::new();
        loop {
            let event = next(&mut events).await;
            assert_eq!(event.run().unwrap().id.as_str(), "1");
            kinds.push(event.kind());
            match event.kind() {
                EventType::RunStarted => {
                    assert_eq!(event.value::<String>().unwrap().unwrap(), "a");
                }
                EventType::TaskCompleted => assert!(event.task().is_some()),
                EventType::RunCompleted => {
                    assert_eq!(event.value::<String>().unwrap().unwrap(), "a!!");
                    let json = serde_json::to_value(event.to_cloud_event()).unwrap();
                    assert_eq!(json["subject"], "two_tasks/1");
                    break;
                }
                _ => {}
            }
        }
        let task = [
            EventType::TaskScheduled,
            EventType::TaskAttemptStarted,
            EventType::TaskCompleted,
        ];
        let story = [
            &[EventType::RunStarted][..],
            &task,
            &task,
            &[EventType::RunCompleted],
        ]
        .concat();
        assert_eq!(kinds, story);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_loses_and_repeats_nothing_in_a_storm_of_broken_connections() {
    let mut house = House::without_worker().await;
    let bridge = Bridge::open(&house.engine).await;
    house.work(&house.engine.clone(), 10_000).await;
    let client = Client::connect(bridge.url()).await.unwrap();
    let mut events = client.events().types([EventType::RunCompleted]);
    let runs = async {
        for number in 0..60 {
            let start = house.client.workflow::<two_tasks>(number.to_string());
            start.execute(String::new()).await.unwrap();
            if number % 12 == 0 {
                bridge.cut();
            }
        }
    };
    let listening = async {
        let mut heard = Vec::new();
        while heard.len() < 60 {
            let event = next(&mut events).await;
            heard.push(event.run().unwrap().id.to_string());
        }
        heard
    };
    let ((), heard) = tokio::join!(runs, listening);
    let wanted: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    assert_eq!(heard, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_goes_on_behind_the_cursor_that_it_kept() {
    for mode in MODES {
        let house = House::open(mode).await;
        for number in 0..3 {
            let start = house.client.workflow::<two_tasks>(number.to_string());
            start.execute(String::new()).await.unwrap();
        }
        let all = || house.client.events().types([EventType::RunStarted]);
        let mut events = all();
        let first = next(&mut events).await;
        // As it would be kept in a database: as text.
        let kept = first.cursor.to_string();
        let rest = [
            told(&next(&mut events).await),
            told(&next(&mut events).await),
        ];
        let house = {
            let text = kept.clone();
            let mut again = all().from(text.parse().unwrap());
            let again = [told(&next(&mut again).await), told(&next(&mut again).await)];
            assert_eq!(again, rest);
            house.reopen().await
        };
        let cursor: EventCursor = kept.parse().unwrap();
        let mut again = house
            .client
            .events()
            .types([EventType::RunStarted])
            .from(cursor);
        let again = [told(&next(&mut again).await), told(&next(&mut again).await)];
        assert_eq!(again, rest);
        let mut later = house.client.events().newest();
        let silence = tokio::time::timeout(Duration::from_millis(50), later.next());
        assert!(silence.await.is_err(), "nothing happens");
    }
    let wrong: Result<EventCursor, ClientError> = "nonsense".parse();
    assert!(wrong.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_heard_live_is_what_is_read_later() {
    for mode in MODES {
        let house = House::open(mode).await;
        let mut live = house.client.events();
        let run = house.client.workflow::<slow_one>("1").start(20).await;
        run.unwrap().result().await.unwrap();
        let mut heard = Vec::new();
        while heard.last().map(Event::kind) != Some(EventType::RunCompleted) {
            heard.push(next(&mut live).await);
        }
        let mut later = house.client.events();
        for event in &heard {
            assert_eq!(told(&next(&mut later).await), told(event));
        }
    }
}
