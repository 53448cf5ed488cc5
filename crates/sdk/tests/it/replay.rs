//! Programs that are asked to replay, as `trunkline replay` starts them: this very program, with a worker of other code.

use std::process::Command;
use trunkline::prelude::*;
use trunkline::testing::TestKit;

#[derive(Debug, Workflow)]
struct Checkout {
    status: Prop<String>,
    approvals: Channel<bool>,
}

#[service]
trait Payments {
    async fn charge(&self, t: &TaskCx, cents: u64) -> Result<String>;
    async fn refund(&self, t: &TaskCx, receipt: String) -> Result<()>;
}

#[workflow]
impl Checkout {
    #[run]
    async fn run(&self, cx: Cx, cents: u64) -> Result<String> {
        let payments = cx.service::<PaymentsStub>();
        let receipt = payments.charge(cents).timeout(secs(30)).await?;
        self.status.set("charged".into());
        let approved = select! {
            approval = self.approvals.recv() => approval?,
            _ = cx.sleep(hours(24)) => false,
        };
        if approved {
            return Ok(receipt);
        }
        payments.refund(receipt).await?;
        Ok("refunded".into())
    }
}

struct Provider;

impl Payments for Provider {
    async fn charge(&self, _: &TaskCx, cents: u64) -> Result<String> {
        Ok(cents.to_string())
    }

    async fn refund(&self, _: &TaskCx, _receipt: String) -> Result<()> {
        Ok(())
    }
}

/// The next build of it.
mod next {
    use super::PaymentsStub;
    use trunkline::prelude::*;

    #[derive(Debug, Workflow)]
    pub(super) struct Checkout {
        status: Prop<String>,
        approvals: Channel<bool>,
    }

    #[workflow]
    impl Checkout {
        #[run]
        async fn run(&self, cx: Cx, cents: u64) -> Result<String> {
            let payments = cx.service::<PaymentsStub>();
            let receipt = payments.charge(cents).await?;
            self.status.set("charged".into());
            if self.approvals.recv_timeout(hours(24)).await? == Some(true) {
                return Ok(receipt);
            }
            if cents < 100 {
                payments.charge(0).await?;
            }
            payments.refund(receipt).await?;
            Ok("refunded".into())
        }
    }
}

/// The program of the test below: a worker only when it is started as one.
#[tokio::test]
async fn worker_program() {
    if std::env::var_os("TRUNKLINE_REPLAY").is_some() {
        let worker = Worker::builder("http://127.0.0.1:1").workflow::<next::Checkout>();
        worker.build_id("next").run().await.unwrap();
    }
}

#[tokio::test]
async fn a_worker_program_replays_histories_instead_of_working() {
    let kit = TestKit::new()
        .workflow::<Checkout>()
        .service(Provider.into_service());
    let bed = kit.start().await;
    let folder = std::env::temp_dir().join(format!("trunkline-program-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut files = Vec::new();
    for cents in [1_999, 13] {
        let run = bed
            .workflow::<Checkout>(cents.to_string())
            .start(cents)
            .await
            .unwrap();
        assert_eq!(run.result().await.unwrap(), "refunded");
        let history = bed.history(&run).await.unwrap();
        let file = folder.join(format!("{cents}.json"));
        std::fs::write(&file, history.to_json()).unwrap();
        files.push(file.display().to_string());
    }
    let report = folder.join("report.json");
    let replay = |files: &[String]| {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "replay::worker_program"])
            .stdout(std::process::Stdio::null())
            .env("TRUNKLINE_REPLAY", files.join("\n"))
            .env("TRUNKLINE_REPLAY_REPORT", &report)
            .status()
            .unwrap();
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
        (status.code(), report)
    };
    let (code, said) = replay(&files[..1]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said["build_id"], "next");
    assert_eq!(said["histories"][0]["workflow"], "Checkout");
    assert_eq!(said["histories"][0]["ok"], true, "{said}");
    let (code, said) = replay(&files);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said["histories"][1]["code"], "TL0074", "{said}");
    let reason = said["histories"][1]["reason"].as_str().unwrap();
    assert!(
        reason.contains("task was \"refund\" and is now \"charge\""),
        "{reason}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}
