//! Tenants come and go, live through restarts and damage, and have limits.

use crate::guarded::Guarded;
use crate::isolation::{Populated, RUN};
use crate::{Config, PATIENCE};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test]
async fn tenants_and_tokens_are_there_after_a_restart_and_a_seal_of_one_opens_for_no_other() {
    let guarded = Guarded::start().await;
    let red = Populated::new(&guarded, "red", "canary-red").await;
    let blue = Populated::new(&guarded, "blue", "canary-blue").await;
    let rotated = guarded
        .done(&guarded.admin, "POST", "/v1/key-ring/rotate", &json!({}))
        .await;
    assert_eq!(rotated["resealed"], 2, "the credentials of both");
    let limits = json!({"limits": {"open_runs": 7}});
    guarded
        .done(&guarded.admin, "PUT", "/v1/tenants/red", &limits)
        .await;

    let guarded = guarded.restart(|_| {}).await;
    red.is_untouched(&guarded).await;
    blue.is_untouched(&guarded).await;
    let shown = guarded
        .done(&guarded.admin, "GET", "/v1/tenants/red", &json!({}))
        .await;
    assert_eq!(shown["limits"], json!({"open_runs": 7}));
    assert_eq!(shown["usage"]["open_runs"], 1, "{shown}");

    // Somebody swaps the folders: neither is served to the other.
    let guarded = guarded
        .restart(|folder| {
            let tenants = folder.join("tenants");
            let swap = |from: &str, to: &str| {
                std::fs::rename(tenants.join(from), tenants.join(to)).unwrap();
            };
            swap("red", "aside");
            swap("blue", "red");
            swap("aside", "blue");
        })
        .await;
    for token in [&red.token, &blue.token] {
        let answer = guarded.ask(Some(token), "GET", RUN, "").await;
        assert_eq!(answer.status, 503);
        answer.refused_with("TL0117");
    }
}

#[tokio::test]
async fn a_tenant_whose_data_is_gone_or_damaged_is_unavailable_and_the_others_work() {
    let guarded = Guarded::start().await;
    let red = Populated::new(&guarded, "red", "canary-red").await;
    let gone = guarded.tenant("gone").await;
    let damaged = guarded.tenant("damaged").await;
    let guarded = guarded
        .restart(|folder| {
            let tenants = folder.join("tenants");
            std::fs::rename(tenants.join("gone"), folder.join("elsewhere")).unwrap();
            std::fs::write(tenants.join("damaged/TRUNKLINE"), "what?").unwrap();
        })
        .await;
    red.is_untouched(&guarded).await;
    for (name, token, why) in [("gone", &gone, "is gone"), ("damaged", &damaged, "TL0042")] {
        let answer = guarded.ask(Some(token), "GET", "/v1/runs", "").await;
        let problem = answer.refused_with("TL0117");
        assert!(
            !problem["detail"].to_string().contains('/'),
            "no path: {problem}"
        );
        let path = format!("/v1/tenants/{name}");
        let shown = guarded.done(&guarded.admin, "GET", &path, &json!({})).await;
        assert_eq!(shown["state"], "unavailable");
        assert!(shown["reason"].to_string().contains(why), "{shown}");
        // Nobody knows what it has.
        let removed = guarded.ask(Some(&guarded.admin), "DELETE", &path, "").await;
        removed.refused_with("TL0116");
    }
    // Put back, it is there again.
    let guarded = guarded
        .restart(|folder| {
            std::fs::rename(folder.join("elsewhere"), folder.join("tenants/gone")).unwrap();
        })
        .await;
    assert_eq!(
        guarded.ask(Some(&gone), "GET", "/v1/runs", "").await.status,
        200
    );
}

#[tokio::test]
async fn many_tenants_are_opened_each_on_its_own_data() {
    let guarded = Guarded::start().await;
    let mut all = Vec::new();
    for (name, canary) in [
        ("tenant-0", "canary-0"),
        ("tenant-1", "canary-1"),
        ("tenant-2", "canary-2"),
        ("tenant-3", "canary-3"),
        ("tenant-4", "canary-4"),
        ("tenant-5", "canary-5"),
        ("tenant-6", "canary-6"),
        ("tenant-7", "canary-7"),
        ("tenant-8", "canary-8"),
    ] {
        all.push(Populated::new(&guarded, name, canary).await);
    }
    let guarded = guarded
        .restart(|folder| {
            let data = folder.join("tenants/tenant-3/TRUNKLINE");
            std::fs::write(data, "what?").unwrap();
        })
        .await;
    for (number, one) in all.iter().enumerate() {
        if number == 3 {
            let answer = guarded.ask(Some(&one.token), "GET", RUN, "").await;
            answer.refused_with("TL0117");
        } else {
            one.is_untouched(&guarded).await;
        }
    }
}

#[tokio::test]
async fn an_idle_tenant_takes_the_reserve_of_its_journal_and_no_more() {
    let guarded = Guarded::start().await;
    guarded.tenant("idle").await;
    let segments = |folder: &std::path::Path, journal: &str| {
        let files = std::fs::read_dir(folder.join(journal)).unwrap();
        let is_whole = |name: &std::ffi::OsString| name.to_string_lossy().ends_with(".seg");
        let names = files.map(|file| file.unwrap().file_name());
        names.filter(is_whole).count()
    };
    let (own, idle) = ("journal-0", "tenants/idle/journal-0");
    // They are made behind the requests.
    let made = async {
        let folder = &guarded.server._folder.0;
        while segments(folder, own) < 3 || segments(folder, idle) < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, made).await.unwrap();
    let again = guarded.restart(|folder| assert_eq!(segments(folder, idle), 2));
    again.await;
}

#[tokio::test]
async fn a_tenant_is_removed_when_it_is_empty_or_by_force_and_its_data_goes_with_it() {
    let guarded = Guarded::start().await;
    let admin = &guarded.admin;
    let red = Populated::new(&guarded, "red", "canary-red").await;
    let empty = guarded.tenant("empty").await;

    let refused = guarded
        .ask(Some(admin), "DELETE", "/v1/tenants/red", "")
        .await;
    let problem = refused.refused_with("TL0116");
    let detail = problem["detail"].as_str().unwrap();
    for what in [
        "1 runs",
        "1 jobs",
        "1 schedules",
        "1 destinations",
        "1 credentials",
    ] {
        assert!(detail.contains(what), "{detail}");
    }
    red.is_untouched(&guarded).await;
    guarded
        .done(admin, "DELETE", "/v1/tenants/empty", &json!({}))
        .await;
    guarded
        .done(admin, "DELETE", "/v1/tenants/red?force=true", &json!({}))
        .await;
    for token in [&empty, &red.token] {
        let answer = guarded.ask(Some(token), "GET", "/v1/runs", "").await;
        answer.refused_with("TL0110");
    }
    for name in ["red", "empty", "never"] {
        let path = format!("/v1/tenants/{name}");
        guarded
            .ask(Some(admin), "GET", &path, "")
            .await
            .refused_with("TL0114");
        guarded
            .ask(Some(admin), "DELETE", &path, "")
            .await
            .refused_with("TL0114");
    }
    let home = guarded
        .ask(Some(admin), "DELETE", "/v1/tenants/default?force=true", "")
        .await;
    home.refused_with("TL0115");

    // The same name again is a fresh tenant.
    let again = guarded.tenant("red").await;
    guarded
        .ask(Some(&again), "GET", RUN, "")
        .await
        .refused_with("TL0010");
    let guarded = guarded
        .restart(|folder| {
            let left: BTreeSet<String> = std::fs::read_dir(folder.join("tenants"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            assert_eq!(left, BTreeSet::from(["red".to_owned()]));
        })
        .await;
    guarded
        .ask(Some(&again), "GET", RUN, "")
        .await
        .refused_with("TL0010");
}

#[tokio::test]
async fn tenants_are_as_many_as_the_server_is_started_for_and_take_no_folder_that_is_there() {
    let guarded = Guarded::start_with(Config {
        tokens_required: true,
        tenants_max: 2,
        ..Config::default()
    })
    .await;
    let admin = &guarded.admin;
    guarded.tenant("one").await;
    for name in ["-", "ONE", "a.b", "..%2Fx", "default-", "%C3%A4"] {
        let path = format!("/v1/tenants/{name}");
        let answer = guarded.ask(Some(admin), "PUT", &path, "{}").await;
        answer.refused_with("TL0115");
    }
    let stray = guarded.server._folder.0.join("tenants/stray");
    std::fs::create_dir_all(&stray).unwrap();
    let answer = guarded
        .ask(Some(admin), "PUT", "/v1/tenants/stray", "{}")
        .await;
    answer.refused_with("TL0115");
    guarded.tenant("two").await;
    let answer = guarded
        .ask(Some(admin), "PUT", "/v1/tenants/three", "{}")
        .await;
    answer.refused_with("TL0115");
    // What is there may still be put, and looked at.
    guarded.tenant("two").await;
    let list = guarded.done(admin, "GET", "/v1/tenants", &json!({})).await;
    let names: Vec<&Value> = list["tenants"].as_array().unwrap().iter().collect();
    let names: Vec<_> = names
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["default", "one", "two"]);
    assert!(stray.exists(), "nothing of it was touched");
}

#[tokio::test]
async fn a_tenant_gets_as_much_as_its_limits_allow_and_more_when_something_ends() {
    let guarded = Guarded::start().await;
    let red = Populated::new(&guarded, "red", "canary-red").await;
    let blue = Populated::new(&guarded, "blue", "canary-blue").await;
    let limits = json!({"limits": {"open_runs": 3, "open_jobs": 2}});
    guarded
        .done(&guarded.admin, "PUT", "/v1/tenants/red", &limits)
        .await;
    let start = |token: String, id: String| {
        let guarded = &guarded;
        async move {
            let body = json!({"id": id}).to_string();
            let path = "/v1/workflows/Wait/runs";
            guarded.ask(Some(&token), "POST", path, &body).await
        }
    };
    // However many come at once, not one too many is let in.
    let many = (0..20).map(|n| start(red.token.clone(), format!("n{n}")));
    let answers = futures_util::future::join_all(many).await;
    let accepted = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(accepted, 2, "one was there");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.status, 429);
        assert_eq!(answer.header("retry-after"), Some("1"));
        let problem = answer.refused_with("TL0119");
        assert!(
            problem["detail"].to_string().contains("3 runs"),
            "{problem}"
        );
    }
    let others: Vec<String> = (0..5).map(|n| format!("n{n}")).collect();
    for id in others {
        assert_eq!(
            start(blue.token.clone(), id).await.status,
            201,
            "not limited"
        );
    }
    // Something ends: there is room again, once that is counted.
    guarded
        .done(&red.token, "POST", &format!("{RUN}/signals/go"), &json!(1))
        .await;
    let room = async {
        while start(red.token.clone(), "later".to_owned()).await.status != 201 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, room).await.unwrap();

    let jobs = |count: usize| {
        let job = |n: usize| {
            json!({"destination": "shop", "lane": "b", "object_type": "stock", "action": "update",
                   "body": {}, "dedupe_key": format!("{count}-{n}")})
        };
        Value::from((0..count).map(job).collect::<Vec<_>>()).to_string()
    };
    let path = "/v1/egress/jobs";
    let answer = guarded.ask(Some(&red.token), "POST", path, &jobs(2)).await;
    answer.refused_with("TL0119");
    let answer = guarded.ask(Some(&red.token), "POST", path, &jobs(1)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = guarded
        .ask(Some(&guarded.admin), "GET", "/metrics", "")
        .await
        .text();
    let line = "trunkline_tenant_refused_total{tenant=\"red\",limit=\"jobs\"} 1\n";
    assert!(text.contains(line), "{text}");

    // Limits of bytes and of requests, and none again.
    for (limits, code) in [
        (json!({"disk_bytes": 1}), "TL0119"),
        (json!({"requests_per_second": 1}), "TL0118"),
    ] {
        let limits = json!({"limits": limits});
        guarded
            .done(&guarded.admin, "PUT", "/v1/tenants/red", &limits)
            .await;
        let refused = async {
            let mut n = 0;
            loop {
                n += 1;
                let answer = start(red.token.clone(), format!("more{code}{n}")).await;
                if answer.status != 201 {
                    return answer;
                }
            }
        };
        let refused = tokio::time::timeout(PATIENCE, refused).await.unwrap();
        assert_eq!(refused.status, 429);
        assert!(refused.header("retry-after").is_some());
        refused.refused_with(code);
    }
    let limits = json!({"limits": {"requests_per_second": 0}}).to_string();
    let answer = guarded
        .ask(Some(&guarded.admin), "PUT", "/v1/tenants/red", &limits)
        .await;
    answer.refused_with("TL0115");
    let none = json!({"limits": {}});
    guarded
        .done(&guarded.admin, "PUT", "/v1/tenants/red", &none)
        .await;
    for n in 0..20 {
        assert_eq!(
            start(red.token.clone(), format!("free{n}")).await.status,
            201
        );
    }
}

/// The administrator of a tenant looks after the tokens of that tenant.
#[tokio::test]
async fn a_tenant_makes_tokens_for_itself_only() {
    let guarded = Guarded::start().await;
    let red = guarded.tenant("red").await;
    guarded.tenant("blue").await;
    let body = json!({"name": "mine", "scopes": ["read"]});
    let made = guarded.done(&red, "POST", "/v1/tokens", &body).await;
    assert_eq!(made["tenant"], "red");
    let list = guarded.done(&red, "GET", "/v1/tokens", &json!({})).await;
    let tenants: BTreeSet<&str> = list["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["tenant"].as_str().unwrap())
        .collect();
    assert_eq!(tenants, BTreeSet::from(["red"]));
    for tenant in ["blue", "default", "none"] {
        let body = json!({"name": "x", "scopes": ["read"], "tenant": tenant}).to_string();
        let answer = guarded.ask(Some(&red), "POST", "/v1/tokens", &body).await;
        answer.refused_with("TL0114");
    }
    let id = made["id"].as_str().unwrap();
    guarded
        .done(&red, "DELETE", &format!("/v1/tokens/{id}"), &json!({}))
        .await;
}
