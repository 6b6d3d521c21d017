//! A server that speaks TLS: a door of our own in front of a real Redis, and the papers that both sides show.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "each test file uses a part")]

use std::path::PathBuf;
use std::sync::Arc;

use cache_testkit::redis::RedisServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// An authority, and files for those who trust it or are known to it.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key.
pub(crate) struct Papers {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pem: (String, String),
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let it = Self { issuer, folder: TempDir::new().unwrap() };
        std::fs::write(it.file("ca.pem"), it.issuer.pem()).unwrap();
        it
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for this name, which ends in this year.
    pub(crate) fn papers(&self, name: &str, ends: i32) -> Papers {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(ends, 1, 1));
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        let pem = (signed.pem(), key.serialize_pem());
        Papers {
            certificate: signed.der().clone(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            pem,
        }
    }

    /// Files with a certificate of a client and its key.
    pub(crate) fn client(&self) -> (PathBuf, PathBuf) {
        let (papers, files) = (self.papers("client", 4000), (self.file("cert.pem"), self.file("key.pem")));
        std::fs::write(&files.0, &papers.pem.0).unwrap();
        std::fs::write(&files.1, &papers.pem.1).unwrap();
        files
    }
}

/// The door. Closes when it is dropped.
pub(crate) struct Door {
    pub(crate) port: u16,
    task: JoinSet<()>,
}

impl Door {
    /// When it is shut, another can be where it was.
    pub(crate) async fn shut(mut self) -> u16 {
        self.task.shutdown().await;
        self.port
    }
}

/// Opens a door that shows these papers, and lets in only who is known to `clients`, if that is given.
pub(crate) async fn door(server: &RedisServer, papers: Papers, clients: Option<&Authority>) -> Door {
    door_at(0, server, papers, clients).await
}

/// The same at this port.
pub(crate) async fn door_at(
    port: u16,
    server: &RedisServer,
    papers: Papers,
    clients: Option<&Authority>,
) -> Door {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.issuer.der().clone()).unwrap();
            let provider = Arc::new(ring::default_provider());
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(vec![papers.certificate], papers.key).unwrap();
    let (acceptor, behind) = (TlsAcceptor::from(Arc::new(config)), server.addr());
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut guests = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            guests.spawn(async move {
                let Ok(mut inside) = acceptor.accept(stream).await else { return };
                let mut redis = TcpStream::connect(behind).await.unwrap();
                drop(copy_bidirectional(&mut inside, &mut redis).await);
            });
        }
    });
    Door { port, task }
}
