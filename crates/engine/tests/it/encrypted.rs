//! Deliveries over TLS, and where they may not go at all.

use crate::acceptor::{Acceptor, Manner};
use crate::{Folder, PATIENCE, eventually, player};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;
use trunkline_core::egress::{Destination, Job, JobState};
use trunkline_core::ids::JobId;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{Op, Reply};
use trunkline_engine::{Engine, Network};

/// Certificates of an authority that exists for these tests only, good for a century.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/tls")
        .join(name)
}

/// A server that speaks TLS with the certificate `name` and answers everything with 200.
async fn shop(name: &str) -> (u16, Arc<AtomicUsize>) {
    let chain = vec![CertificateDer::from_pem_file(file(&format!("{name}.pem"))).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file(&format!("{name}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, counted) = (acceptor.clone(), Arc::clone(&counted));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = service_fn(|_| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    std::future::ready(Ok::<_, std::convert::Infallible>(hyper::Response::new(
                        Full::<Bytes>::default(),
                    )))
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    (port, calls)
}

fn open(folder: &Folder, allow: &[Network], ca: bool) -> Engine {
    let mut config = folder.config();
    config.egress_allow = allow.to_vec();
    config.egress_ca_file = ca.then(|| file("authority.pem"));
    Engine::open(config, Handle::current()).unwrap()
}

async fn put(engine: &Engine, url: &str) {
    let mut destination = Destination {
        name: Name::from("shop"),
        url: Name::from(url),
        timeout_ms: 5_000,
        ..Destination::default()
    };
    destination.retry.initial_ms = 10;
    destination.retry.max_ms = 10;
    destination.retry.attempts = 2;
    let reply = engine
        .request(Op::PutDestination {
            destination: Box::new(destination),
        })
        .await;
    assert_eq!(reply, Ok(Reply::Done));
}

async fn create(engine: &Engine) -> JobId {
    let id = JobId::of_key("shop", "1");
    let jobs = vec![(id, player::job("a", Payload::null()))];
    engine.request(Op::CreateJobs { jobs }).await.unwrap();
    id
}

async fn job(engine: &Engine) -> Job {
    let op = Op::DescribeJob {
        destination: Name::from("shop"),
        job: JobId::of_key("shop", "1"),
    };
    let Ok(Reply::Job { job, .. }) = engine.request(op).await else {
        panic!("a job");
    };
    *job
}

async fn settled(engine: &Engine) -> Job {
    eventually("the job is settled", async || {
        job(engine).await.state != JobState::Pending
    })
    .await;
    job(engine).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_over_tls_to_a_server_with_a_trusted_certificate() {
    let folder = Folder::new();
    let engine = open(&folder, &Network::LOOPBACK, true);
    let (port, calls) = shop("localhost").await;
    put(&engine, &format!("https://localhost:{port}/jobs")).await;
    create(&engine).await;
    assert_eq!(settled(&engine).await.state, JobState::Succeeded);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_trusts_or_of_another_name_gets_no_job() {
    for (name, trusted) in [("localhost", false), ("other", true)] {
        let folder = Folder::new();
        let engine = open(&folder, &Network::LOOPBACK, trusted);
        let (port, calls) = shop(name).await;
        put(&engine, &format!("https://localhost:{port}/jobs")).await;
        create(&engine).await;
        let job = settled(&engine).await;
        assert_eq!(job.state, JobState::Dead);
        let error = job.last_error.unwrap();
        assert!(error.contains("invalid peer certificate"), "{error}");
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        engine.shutdown(PATIENCE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_allowed_pauses_the_destination_and_costs_nothing() {
    for host in ["127.0.0.1", "localhost"] {
        let folder = Folder::new();
        let engine = open(&folder, &[], false);
        let shop = Acceptor::new(Vec::new()).await;
        let url = shop.url.replace("127.0.0.1", host);
        put(&engine, &url).await;
        create(&engine).await;
        eventually("the guard has refused", async || {
            job(&engine).await.last_error.is_some()
        })
        .await;
        let waiting = job(&engine).await;
        assert_eq!((waiting.state, waiting.attempts), (JobState::Pending, 0));
        let error = waiting.last_error.unwrap();
        assert!(error.starts_with("TL0120: "), "{error}");
        engine.shutdown(PATIENCE).await;
        assert_eq!(shop.seen().len(), 0);

        let engine = open(&folder, &Network::LOOPBACK, false);
        put(&engine, &url).await;
        assert_eq!(settled(&engine).await.state, JobState::Succeeded);
        engine.shutdown(PATIENCE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_certificates_is_refused_when_the_engine_opens() {
    let folder = Folder::new();
    for wrong in ["localhost.key", "nothing.pem"] {
        let mut config = folder.config();
        config.egress_ca_file = Some(file(wrong));
        let error = Engine::open(config, Handle::current()).unwrap_err();
        assert_eq!(error.code, trunkline_core::code::Code::ConfigInvalid);
        assert!(error.message.contains(wrong), "{}", error.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let folder = Folder::new();
    let engine = folder.open();
    let elsewhere = Acceptor::new(Vec::new()).await;
    let shop = Acceptor::new(vec![Manner::Redirect(elsewhere.url.clone())]).await;
    put(&engine, &shop.url).await;
    create(&engine).await;
    let job = settled(&engine).await;
    assert_eq!(job.state, JobState::Dead);
    assert!(job.last_error.unwrap().starts_with("answered 307"));
    assert_eq!((shop.seen().len(), elsewhere.seen().len()), (1, 0));
    engine.shutdown(PATIENCE).await;
}
