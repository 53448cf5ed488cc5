//! The workflow against a real engine in this process: every way in which an invoice can end, with the run's future kept
//! between turns and with every turn replayed from the beginning.

use super::{Approval, DESTINATION, Ending, Outcome, ProcessInvoice, WAITING_TAG};
use crate::invoice::{Book, Invoice};
use crate::payments::PaymentService;
use crate::warehouse::Warehouse;
use crate::worker::{PaymentDesk, StockRoom};
use crate::workflow::{Payments, Stock};
use rust_decimal::Decimal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use trunkline::core::egress::Destination;
use trunkline::core::peer::{Op, Reply};
use trunkline::{Client, Name, RunHandle, Worker};
use trunkline_engine::{Config, Engine};

/// With futures kept, and with every turn replayed.
const MODES: [usize; 2] = [10_000, 0];
/// The customer whose bank refuses.
const REFUSED: &str = "13047";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// An engine with a worker, a client, and a destination that holds its jobs back.
struct House {
    client: Client,
    payments: Arc<Mutex<PaymentService>>,
    warehouse: Arc<Mutex<Warehouse>>,
    worker: JoinHandle<()>,
    folder: PathBuf,
}

impl House {
    async fn open(cache_runs: usize) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("orders-house-{}-{number}", std::process::id()));
        let config = Config {
            shards: Some(2),
            threads: Some(1),
            segment_bytes: 16 << 20,
            ..Config::new(&folder)
        };
        let engine = Engine::open(config, Handle::current()).unwrap();
        let client = Client::embedded(&engine).await.unwrap();
        let destination = Destination {
            name: Name::from(DESTINATION),
            url: Name::from("http://127.0.0.1:9/"),
            paused: true,
            ..Destination::default()
        };
        client
            .request(Op::PutDestination {
                destination: Box::new(destination),
            })
            .await
            .unwrap();
        let payments = Arc::new(Mutex::new(PaymentService::new(7, [REFUSED.to_owned()])));
        let warehouse = Arc::new(Mutex::new(Warehouse::default()));
        let worker = Worker::builder(&engine)
            .register(PaymentDesk(Arc::clone(&payments)).into_service())
            .register(StockRoom(Arc::clone(&warehouse)).into_service())
            .workflow::<ProcessInvoice>()
            .cache_runs(cache_runs)
            .strict();
        let worker = tokio::spawn(async move { worker.run().await.unwrap() });
        Self {
            client,
            payments,
            warehouse,
            worker,
            folder,
        }
    }

    async fn start(&self, invoice: &Invoice) -> RunHandle<ProcessInvoice> {
        // The worker may still be introducing itself.
        for _ in 0..500 {
            let start = self.client.workflow(invoice.number.as_str()).attach();
            match start.start(invoice.clone()).await {
                Ok(run) => return run,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("the worker has not come");
    }

    async fn outcome(&self, invoice: &Invoice) -> Outcome {
        let run = self.start(invoice).await;
        match tokio::time::timeout(Duration::from_secs(30), run.result()).await {
            Ok(outcome) => outcome.unwrap(),
            Err(_) => panic!("the run has not ended: {:?}", run.describe().await),
        }
    }

    /// The jobs, as `lane object body`, in the order of their lanes.
    async fn jobs(&self) -> Vec<String> {
        let list = Op::ListJobs {
            destination: Name::from(DESTINATION),
            state: None,
            lane: None,
            after: None,
            limit: 100,
        };
        let Reply::JobList { jobs, .. } = self.client.request(list).await.unwrap() else {
            panic!("a list of jobs");
        };
        let mut shown: Vec<String> = jobs
            .iter()
            .map(|job| {
                format!(
                    "{} {} {:?}",
                    job.new.lane, job.new.object_type, job.new.body
                )
            })
            .collect();
        shown.sort();
        shown
    }

    fn charged(&self) -> Decimal {
        self.payments.lock().unwrap().charged()
    }

    fn refunded(&self) -> Decimal {
        self.payments.lock().unwrap().refunded()
    }

    fn reservations(&self) -> usize {
        self.warehouse.lock().unwrap().reservations()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.worker.abort();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The only invoice of these lines, each `number,code,quantity,price,customer`.
fn invoice(lines: &str) -> Invoice {
    let mut text = crate::line::COLUMNS.join(",");
    for line in lines.split_whitespace() {
        let [number, code, quantity, price, customer] = line.split(',').collect::<Vec<_>>()[..]
        else {
            panic!("{line} has not five fields");
        };
        text += &format!("\n{number},{code},X,{quantity},d,{price},{customer},EIRE");
    }
    let mut book = Book::of(crate::line::read(text.as_bytes()).unwrap());
    assert_eq!(book.invoices.len(), 1);
    book.invoices.remove(0)
}

fn ended(ending: Ending, value: &str, jobs: u64) -> Outcome {
    Outcome {
        ending,
        value: value.parse().unwrap(),
        approved: false,
        jobs,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_charged_and_ships_a_job_for_each_line_and_one_for_itself() {
    for mode in MODES {
        let house = House::open(mode).await;
        let order = invoice(
            "536365,85123A,6,2.55,17850 536365,71053,6,3.39,17850 536365,85123A,1,2.55,17850",
        );
        assert_eq!(
            house.outcome(&order).await,
            ended(Ending::Completed, "38.19", 4)
        );
        assert_eq!(
            house.jobs().await,
            [
                r#"17850 order {"invoice":"536365","ending":"completed","value":"38.19","country":"EIRE","lines":3}"#,
                r#"71053 stock {"sku":"71053","delta":-6,"invoice":"536365"}"#,
                r#"85123A stock {"sku":"85123A","delta":-1,"invoice":"536365"}"#,
                r#"85123A stock {"sku":"85123A","delta":-6,"invoice":"536365"}"#,
            ]
        );
        assert_eq!(
            (house.charged(), house.reservations()),
            (Decimal::new(3_819, 2), 1)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_is_paid_back_and_gives_stock_back() {
    for mode in MODES {
        let house = House::open(mode).await;
        let cancellation = invoice("C536391,22556,-12,1.65,");
        assert_eq!(
            house.outcome(&cancellation).await,
            ended(Ending::Refunded, "19.8", 2)
        );
        assert_eq!(
            house.jobs().await,
            [
                r#"22556 stock {"sku":"22556","delta":12,"invoice":"C536391"}"#,
                r#"guest order {"invoice":"C536391","ending":"refunded","value":"19.80","country":"EIRE","lines":1}"#,
            ]
        );
        assert_eq!(
            (house.charged(), house.refunded()),
            (Decimal::ZERO, Decimal::new(198, 1))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invoice_without_a_valid_line_is_rejected() {
    for mode in MODES {
        let house = House::open(mode).await;
        let empty = invoice("536370,POST,3,18,12583");
        assert_eq!(house.outcome(&empty).await, ended(Ending::Rejected, "0", 0));
        assert_eq!(house.jobs().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_that_is_refused_for_good_gives_the_reservation_back() {
    for mode in MODES {
        let house = House::open(mode).await;
        let order = invoice(&format!("536367,84879,32,1.69,{REFUSED}"));
        assert_eq!(
            house.outcome(&order).await,
            ended(Ending::Declined, "54.08", 0)
        );
        assert_eq!(house.reservations(), 0);
        assert_eq!(
            (house.charged(), house.refunded()),
            (Decimal::ZERO, Decimal::ZERO)
        );
        assert_eq!(house.jobs().await, Vec::<String>::new());
    }
}

/// Starts a large order and waits until it waits.
async fn waiting(house: &House) -> RunHandle<ProcessInvoice> {
    let run = house.start(&invoice("536830,84077,10000,0.5,16754")).await;
    for _ in 0..500 {
        if run
            .describe()
            .await
            .unwrap()
            .tags
            .contains(&Name::from(WAITING_TAG))
        {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the order does not wait for an approval");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_order_waits_until_it_is_approved() {
    for mode in MODES {
        let house = House::open(mode).await;
        let run = waiting(&house).await;
        let step: Option<String> = run.prop(|w| &w.step).await.unwrap();
        assert_eq!(step.as_deref(), Some("waiting for approval"));
        assert_eq!(house.jobs().await, Vec::<String>::new());
        let approval = Approval {
            granted: true,
            by: "Ada".to_owned(),
        };
        run.send(|w| &w.approvals, approval).await.unwrap();
        let expected = Outcome {
            approved: true,
            ..ended(Ending::Completed, "5000", 2)
        };
        assert_eq!(run.result().await.unwrap(), expected);
        assert!(run.describe().await.unwrap().tags.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_not_approved_is_undone_in_reverse() {
    for mode in MODES {
        let house = House::open(mode).await;
        let run = waiting(&house).await;
        let refusal = Approval {
            granted: false,
            by: "Ada".to_owned(),
        };
        run.send(|w| &w.approvals, refusal).await.unwrap();
        assert_eq!(
            run.result().await.unwrap(),
            ended(Ending::Expired, "5000", 0)
        );
        assert_eq!(
            (house.charged(), house.refunded()),
            (Decimal::from(5_000), Decimal::from(5_000))
        );
        assert_eq!(house.reservations(), 0);
        assert_eq!(house.jobs().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_with_more_lines_than_a_turn_may_ship_ships_them_all() {
    let house = House::open(MODES[0]).await;
    let order = invoice(&"1,22041,1,0.01,17850 ".repeat(12_000));
    assert_eq!(
        house.outcome(&order).await,
        ended(Ending::Completed, "120", 12_001)
    );
    let name = Name::from(DESTINATION);
    // The run has ended before the last jobs are with the destination.
    for _ in 0..500 {
        let name = name.clone();
        let shown = house.client.request(Op::DescribeDestination { name }).await;
        let Reply::Destination(status) = shown.unwrap() else {
            panic!("a destination");
        };
        if status.pending == 12_001 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("jobs are missing");
}
