//! Versions of a workflow.

use super::beds;
use trunkline::prelude::*;
use trunkline::testing::TestKit;

mod older {
    use trunkline::prelude::*;

    #[derive(Debug, Workflow)]
    pub(super) struct Greeting {
        pub(super) go: Channel<()>,
    }

    #[workflow(name = "greeting")]
    impl Greeting {
        #[run]
        async fn run(&self, cx: Cx, (): ()) -> Result<String> {
            self.go.recv().await?;
            Ok(format!("version {}", cx.version()))
        }
    }
}

#[derive(Debug, Workflow)]
struct Greeting {
    go: Channel<()>,
}

#[workflow(name = "greeting", version = 2)]
impl Greeting {
    #[run]
    async fn run(&self, cx: Cx, (): ()) -> Result<String> {
        self.go.recv().await?;
        Ok(format!("the new version {}", cx.version()))
    }
}

#[tokio::test]
async fn v1_a_new_run_takes_the_newest_version_and_stays_with_it() {
    let kit = || {
        TestKit::new()
            .workflow::<Greeting>()
            .workflow::<older::Greeting>()
    };
    for bed in beds(kit).await {
        let new = bed
            .client()
            .workflow::<older::Greeting>("new")
            .start(())
            .await;
        let new = new.unwrap();
        let old = bed.client().workflow::<Greeting>("old").version(1);
        let old = old.start(()).await.unwrap();
        new.send(|w| &w.go, ()).await.unwrap();
        old.send(|w| &w.go, ()).await.unwrap();
        // Whichever type the client has: the run's version is what counts.
        assert_eq!(new.result().await.unwrap(), "the new version 2");
        assert_eq!(old.result().await.unwrap(), "version 1");
    }
}
