//! What workflows, services and results may look like.

use super::beds;
use serde::{Deserialize, Serialize};
use trunkline::prelude::*;
use trunkline::testing::TestKit;
use trunkline::{Error, Service};

#[workflow]
async fn nothing(cx: Cx) -> Result<()> {
    let _ = cx;
    Ok(())
}

#[service(name = "letters")]
trait Typesetter {
    async fn join(&self, t: &TaskCx, a: String, b: String) -> Result<String>;
}

struct Press;

impl Typesetter for Press {
    async fn join(&self, t: &TaskCx, a: String, b: String) -> Result<String> {
        assert_eq!(t.service().as_str(), "letters");
        Ok(a + &b)
    }
}

#[derive(Debug, Workflow)]
struct Renamed {}

#[workflow(name = "books", version = 3)]
impl Renamed {
    #[run]
    async fn run(&self, cx: Cx, first: String) -> Result<String> {
        let two = cx
            .service::<TypesetterStub>()
            .join(first, "b".into())
            .await?;
        // By names alone, without the trait.
        let input = (two, "c");
        Ok(cx.call::<String, Error>("letters", "join", &input).await?)
    }
}

/// What a task may return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Animal {
    Cat { lives: u32 },
    Dog { name: String },
}

#[workflow]
async fn zoo(cx: Cx, (): ()) -> Result<Vec<Animal>> {
    let mut animals = Vec::new();
    for name in ["", "Rex"] {
        animals.push(cx.call::<Animal, Error>("zoo", "animal", &name).await?);
    }
    Ok(animals)
}

fn kit() -> TestKit {
    let animal = |name: String| match name.is_empty() {
        true => Animal::Cat { lives: 9 },
        false => Animal::Dog { name },
    };
    let zoo_service = Service::new("zoo").task("animal", move |_, name: String| async move {
        Ok::<_, Error>(animal(name))
    });
    TestKit::new()
        .service(Press.into_service())
        .service(zoo_service)
        .workflow::<nothing>()
        .workflow::<Renamed>()
        .workflow::<zoo>()
}

#[tokio::test]
async fn sy1_a_workflow_may_take_and_give_nothing() {
    for bed in beds(kit).await {
        bed.workflow::<nothing>("1").execute(()).await.unwrap();
    }
}

#[tokio::test]
async fn sy4_names_may_differ_from_those_in_the_code() {
    for bed in beds(kit).await {
        let run = bed
            .workflow::<Renamed>("1")
            .start("a".into())
            .await
            .unwrap();
        assert_eq!(run.result().await.unwrap(), "abc");
        assert_eq!(run.id().to_string(), "books/1");
        assert_eq!(run.describe().await.unwrap().version, 3);
    }
}

#[tokio::test]
async fn sy5_a_result_may_be_one_of_several_kinds() {
    for bed in beds(kit).await {
        let animals = bed.workflow::<zoo>("1").execute(()).await.unwrap();
        let name = "Rex".into();
        assert_eq!(animals, [Animal::Cat { lives: 9 }, Animal::Dog { name }]);
    }
}
