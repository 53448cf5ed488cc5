//! Views: what of a value travels, on each side of a call.

use super::beds;
use serde::{Deserialize, Serialize};
use trunkline::prelude::*;
use trunkline::testing::TestKit;

/// Everything there is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Account {
    name: String,
    password: String,
}

/// The view of an account that travels without its password.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct PublicAccount {
    name: String,
    #[serde(skip)]
    password: String,
}

impl From<Account> for PublicAccount {
    fn from(Account { name, password }: Account) -> Self {
        Self { name, password }
    }
}

impl From<PublicAccount> for Account {
    fn from(PublicAccount { name, password }: PublicAccount) -> Self {
        Self { name, password }
    }
}

fn ann() -> Account {
    Account {
        name: "ann".into(),
        password: "secret".into(),
    }
}

/// What came in, and what is to go out: both sides fill everything in, and the contract says what travels.
#[service]
trait Office {
    async fn all(&self, t: &TaskCx, account: Account) -> Result<(bool, Account)>;
    async fn less_in(&self, t: &TaskCx, account: PublicAccount) -> Result<(bool, Account)>;
    async fn less_out(&self, t: &TaskCx, account: Account) -> Result<(bool, PublicAccount)>;
    async fn less(&self, t: &TaskCx, account: PublicAccount) -> Result<(bool, PublicAccount)>;
}

struct Desk;

fn knows(account: &Account) -> bool {
    assert_eq!(account.name, "ann");
    !account.password.is_empty()
}

impl Office for Desk {
    async fn all(&self, _: &TaskCx, account: Account) -> Result<(bool, Account)> {
        Ok((knows(&account), ann()))
    }

    async fn less_in(&self, _: &TaskCx, account: PublicAccount) -> Result<(bool, Account)> {
        Ok((knows(&account.into()), ann()))
    }

    async fn less_out(&self, _: &TaskCx, account: Account) -> Result<(bool, PublicAccount)> {
        Ok((knows(&account), ann().into()))
    }

    async fn less(&self, _: &TaskCx, account: PublicAccount) -> Result<(bool, PublicAccount)> {
        Ok((knows(&account.into()), ann().into()))
    }
}

/// Whether the password came to the task, and whether one came back.
#[workflow]
async fn visit(cx: Cx, what: String) -> Result<(bool, bool)> {
    let office = cx.service::<OfficeStub>();
    let (knew, back): (bool, Account) = match what.as_str() {
        "all" => office.all(ann()).await?,
        "less in" => office.less_in(ann().into()).await?,
        "less out" => {
            let (knew, back) = office.less_out(ann()).await?;
            (knew, back.into())
        }
        _ => {
            let (knew, back) = office.less(ann().into()).await?;
            (knew, back.into())
        }
    };
    Ok((knew, knows(&back)))
}

#[workflow]
async fn less_in(cx: Cx, account: PublicAccount) -> Result<(bool, Account)> {
    let _ = cx;
    Ok((knows(&account.into()), ann()))
}

#[workflow]
async fn less_out(cx: Cx, account: Account) -> Result<(bool, PublicAccount)> {
    let _ = cx;
    Ok((knows(&account), ann().into()))
}

#[workflow]
async fn less(cx: Cx, account: PublicAccount) -> Result<(bool, PublicAccount)> {
    let _ = cx;
    Ok((knows(&account.into()), ann().into()))
}

fn kit() -> TestKit {
    TestKit::new()
        .service(Desk.into_service())
        .workflow::<visit>()
        .workflow::<less_in>()
        .workflow::<less_out>()
        .workflow::<less>()
}

async fn shows(what: &str, seen: (bool, bool)) {
    for bed in beds(kit).await {
        let run = bed.workflow::<visit>("1").execute(what.into()).await;
        assert_eq!(run.unwrap(), seen, "{what}");
    }
}

#[tokio::test]
async fn j1_without_a_view_everything_travels() {
    shows("all", (true, true)).await;
}

#[tokio::test]
async fn j2_a_view_of_an_argument() {
    shows("less in", (false, true)).await;
}

#[tokio::test]
async fn j3_a_view_of_a_result() {
    shows("less out", (true, false)).await;
}

#[tokio::test]
async fn j4_a_view_of_both() {
    shows("less", (false, false)).await;
}

#[tokio::test]
async fn j5_a_view_of_a_workflows_argument() {
    for bed in beds(kit).await {
        let run = bed.workflow::<less_in>("1").execute(ann().into()).await;
        assert_eq!(run.unwrap(), (false, ann()));
    }
}

#[tokio::test]
async fn j6_a_view_of_a_workflows_result() {
    for bed in beds(kit).await {
        let run = bed.workflow::<less_out>("1").execute(ann()).await;
        let (knew, back) = run.unwrap();
        assert!(knew && !knows(&back.into()));
    }
}

#[tokio::test]
async fn j7_a_view_of_a_workflows_both() {
    for bed in beds(kit).await {
        let run = bed.workflow::<less>("1").execute(ann().into()).await;
        let (knew, back) = run.unwrap();
        assert!(!knew && !knows(&back.into()));
    }
}
