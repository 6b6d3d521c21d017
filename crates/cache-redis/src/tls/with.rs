//! A build with the feature `tls`.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};

use super::Files;
use crate::fault::Fault;
use crate::sign_in::{Ending, Socket};

/// Encryption towards one server.
#[derive(Clone)]
pub(crate) struct Tls {
    name: ServerName<'static>,
    files: Files,
}

impl Tls {
    /// # Errors
    /// What is wrong with the name or the files.
    pub(crate) fn new(host: &str, files: &Files) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| "no certificate can be for a host of this name".to_owned())?;
        config(files)?;
        Ok(Self { name, files: files.clone() })
    }

    /// Begins to encrypt. The files are read anew each time: renewed ones are taken by the next connection.
    pub(crate) async fn over(&self, stream: TcpStream) -> Result<Encrypted, Fault> {
        let files = self.files.clone();
        let config = tokio::task::spawn_blocking(move || config(&files))
            .await
            .map_err(|_| Fault::broken("the task that reads certificates has ended"))?
            .map_err(Fault::refused)?;
        let connecting = TlsConnector::from(Arc::new(config)).connect(self.name.clone(), stream);
        let stream = connecting.await.map_err(|error| fault(&error))?;
        Ok(Encrypted { stream, ending: Ending::default() })
    }
}

/// A stream that says why it ended: a server looks at a client's certificate only after the handshake.
pub(crate) struct Encrypted {
    stream: TlsStream<TcpStream>,
    ending: Ending,
}

impl Socket for Encrypted {
    fn ending(&self) -> Ending {
        self.ending.clone()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if let Poll::Ready(Err(error)) = &read
            && let Some(error) = of_tls(error)
        {
            // The first reason is the one.
            let _ = self.ending.0.set(refused(error));
        }
        read
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

fn of_tls(error: &io::Error) -> Option<&TlsError> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn config(files: &Files) -> Result<ClientConfig, String> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots(files.ca.as_deref())?);
    let Some((certificate, key)) = &files.identity else { return Ok(config.with_no_client_auth()) };
    let chain = certificates("cert_file", certificate)?;
    let key_of = |path: &Path| {
        PrivateKeyDer::from_pem_file(path).map_err(|error| unreadable("key_file", path, &error))
    };
    config.with_client_auth_cert(chain, key_of(key)?).map_err(|_| {
        "cert_file and key_file do not belong together, or the key is of no known kind".to_owned()
    })
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca else {
        // One that cannot be read is nobody's.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if roots.is_empty() {
            Err("this machine trusts no authority: name one by ca_file".to_owned())
        } else {
            Ok(roots)
        };
    };
    for certificate in certificates("ca_file", path)? {
        roots.add(certificate).map_err(|_| {
            format!("ca_file {}: a certificate in it is none of an authority", path.display())
        })?;
    }
    Ok(roots)
}

fn certificates(what: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error| unreadable(what, path, &error);
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if found.is_empty() { Err(unreadable(pem::Error::NoItemsFound)) } else { Ok(found) }
}

/// Nothing of what stands in the file is repeated.
fn unreadable(what: &str, path: &Path, error: &pem::Error) -> String {
    let why = match error {
        pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "there is no such file".to_owned()
        }
        pem::Error::Io(error) => format!("it cannot be read: {}", error.kind()),
        pem::Error::NoItemsFound if what == "key_file" => "there is no key in it".to_owned(),
        pem::Error::NoItemsFound => "there is no certificate in it".to_owned(),
        _ => "it is not PEM".to_owned(),
    };
    format!("{what} {}: {why}", path.display())
}

/// Why it could not be begun. A server that is not who it should be is the settings' mistake: nobody goes on
/// without encryption because of it.
fn fault(error: &io::Error) -> Fault {
    of_tls(error).map_or_else(|| Fault::unreachable(error), refused)
}

fn refused(error: &TlsError) -> Fault {
    let message = match error {
        TlsError::InvalidCertificate(why) => certificate(why),
        TlsError::InvalidMessage(_) => "the server does not speak TLS at this port".to_owned(),
        TlsError::AlertReceived(alert) => {
            format!(
                "the server refused to be spoken to over TLS ({alert:?}); it may want a client's certificate: cert_file and key_file"
            )
        }
        other => format!("TLS with the server failed: {other}"),
    };
    Fault::refused(message)
}

fn certificate(why: &CertificateError) -> String {
    use CertificateError as Why;
    match why {
        Why::Expired | Why::ExpiredContext { .. } => "the server's certificate has expired".to_owned(),
        Why::NotValidYet | Why::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet, by this machine's clock".to_owned()
        }
        Why::NotValidForName | Why::NotValidForNameContext { .. } => {
            "the server's certificate is for another name than that of the address".to_owned()
        }
        Why::UnknownIssuer | Why::BadSignature => {
            "the server's certificate is signed by nobody who is trusted here: name who signed it by ca_file"
                .to_owned()
        }
        Why::Revoked => "the server's certificate was revoked".to_owned(),
        other => format!("the server's certificate is not valid: {other}"),
    }
}
