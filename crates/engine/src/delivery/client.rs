//! The HTTP client of deliveries: kept connections, TLS that is always verified, and the [`guard`](super::guard) before each
//! connection. It follows no redirects, keeps no cookies and knows no proxies.

use super::guard::{Forbidden, Guard, Network};
use http_body_util::Full;
use hyper::Uri;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;

/// How long a connection is kept without a call.
const IDLE: Duration = Duration::from_secs(30);

/// Makes HTTP calls: TLS verified, no redirects.
pub type HttpClient = Client<HttpsConnector<Guarded>, Full<Bytes>>;

type AnyError = Box<dyn Error + Send + Sync>;
type Soon<T> = Pin<Box<dyn Future<Output = Result<T, AnyError>> + Send>>;

/// A client that trusts the usual authorities and those of `ca_file`, if there is one.
///
/// # Errors
/// If the file cannot be read or holds no certificate.
pub(crate) fn client(guard: Guard, ca_file: Option<&Path>) -> Result<HttpClient, String> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(file) = ca_file {
        add(&mut roots, file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the ciphers of TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let guard = Arc::new(guard);
    let resolver = Resolver {
        inner: GaiResolver::new(),
        guard: Arc::clone(&guard),
    };
    let mut http = HttpConnector::new_with_resolver(resolver);
    http.set_nodelay(true);
    http.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(Guarded { http, guard });
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(connector))
}

/// A client that calls any address: for programs of the person who starts them.
///
/// # Errors
/// As for every client with a file of authorities: if it cannot be read or holds no certificate.
pub fn any_address(ca_file: Option<&Path>) -> Result<HttpClient, String> {
    client(Guard::new(Network::ANY.to_vec()), ca_file)
}

fn add(roots: &mut RootCertStore, file: &Path) -> Result<(), String> {
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
    let before = roots.len();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.len() == before {
        return Err("there is no certificate in it".into());
    }
    Ok(())
}

/// Connects to where the guard lets it. A host that is an address is never resolved, so it is checked here.
#[derive(Clone, Debug)]
pub struct Guarded {
    http: HttpConnector<Resolver>,
    guard: Arc<Guard>,
}

impl Service<Uri> for Guarded {
    type Response = TokioIo<TcpStream>;
    type Error = AnyError;
    type Future = Soon<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        self.http.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if let Some(address) = address_of(&uri)
            && let Err(forbidden) = self.guard.check(address)
        {
            return Box::pin(std::future::ready(Err(forbidden.into())));
        }
        let connecting = self.http.call(uri);
        Box::pin(async move { Ok(connecting.await?) })
    }
}

fn address_of(uri: &Uri) -> Option<IpAddr> {
    uri.host()?
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// Resolves names to those of their addresses that the guard lets through.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    inner: GaiResolver,
    guard: Arc<Guard>,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = AnyError;
    type Future = Soon<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving = self.inner.call(name);
        let guard = Arc::clone(&self.guard);
        Box::pin(async move {
            let mut refused = None;
            let mut allowed = Vec::new();
            for address in resolving.await? {
                match guard.check(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(forbidden) => refused = Some(forbidden),
                }
            }
            match refused {
                Some(forbidden) if allowed.is_empty() => Err(forbidden.into()),
                _ => Ok(allowed.into_iter()),
            }
        })
    }
}

/// The address that the guard refused, if that is why a call failed.
pub(crate) fn forbidden(error: &(dyn Error + 'static)) -> Option<Forbidden> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(forbidden) = cause.downcast_ref::<Forbidden>() {
            return Some(*forbidden);
        }
        next = cause.source();
    }
    None
}
