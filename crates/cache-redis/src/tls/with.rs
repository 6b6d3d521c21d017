//! A build with the feature `tls`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as TlsError};

use super::{Files, files};
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
    /// What is wrong with the name.
    pub(crate) fn new(host: &str, files: &Files) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| "no certificate can be for a host of this name".to_owned())?;
        Ok(Self { name, files: files.clone() })
    }

    /// Reads the files for one connection: renewed ones are taken by the next.
    pub(crate) async fn ready(&self) -> Result<Ready, Fault> {
        let files = self.files.clone();
        let config = tokio::task::spawn_blocking(move || files::config(&files))
            .await
            .map_err(|_| Fault::broken("the task that reads certificates has ended"))?
            .map_err(Fault::refused)?;
        Ok(Ready { name: self.name.clone(), connector: TlsConnector::from(Arc::new(config)) })
    }
}

/// Encryption of one connection.
pub(crate) struct Ready {
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl Ready {
    pub(crate) async fn over(self, stream: TcpStream) -> Result<Encrypted, Fault> {
        let stream = self.connector.connect(self.name, stream).await.map_err(|error| fault(&error))?;
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
            && let Some(reason) = refusal(error)
        {
            // The first reason is the one.
            let _ = self.ending.0.set(Fault::refused(reason));
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

/// Why it could not be begun.
fn fault(error: &io::Error) -> Fault {
    let reason = match of_tls(error) {
        Some(TlsError::InvalidMessage(_)) => Some("the server does not speak TLS at this port".to_owned()),
        of_tls => of_tls.and_then(refusal),
    };
    reason.map_or_else(|| Fault::unreachable(error), Fault::refused)
}

/// What is wrong with the settings, by what one side said of the other. Nobody goes on without encryption because of it, and
/// what only this connection met with is none.
fn refusal(error: &TlsError) -> Option<String> {
    use AlertDescription as Alert;
    match error {
        TlsError::InvalidCertificate(why) => Some(certificate(why)),
        TlsError::PeerIncompatible(_)
        | TlsError::AlertReceived(Alert::ProtocolVersion | Alert::InsufficientSecurity) => Some(
            "the server speaks none of the versions and ciphers of TLS that we do (1.2 and 1.3)".to_owned(),
        ),
        TlsError::AlertReceived(
            alert @ (Alert::HandshakeFailure
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::CertificateRequired
            | Alert::UnrecognisedName),
        ) => Some(format!(
            "the server refused to be spoken to over TLS ({alert:?}); it may want a client's certificate: cert_file and key_file"
        )),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use cache_core::ErrorKind;
    use tokio_rustls::rustls::InvalidMessage;

    use super::*;

    #[test]
    fn only_what_another_attempt_would_meet_again_is_a_mistake_of_the_settings() {
        use AlertDescription as Alert;
        let alert = TlsError::AlertReceived;
        for (error, kind) in [
            (alert(Alert::CertificateRequired), ErrorKind::Configuration),
            (alert(Alert::UnknownCA), ErrorKind::Configuration),
            (alert(Alert::ProtocolVersion), ErrorKind::Configuration),
            (TlsError::InvalidCertificate(CertificateError::Expired), ErrorKind::Configuration),
            (TlsError::InvalidMessage(InvalidMessage::InvalidContentType), ErrorKind::Configuration),
            (alert(Alert::InternalError), ErrorKind::Unavailable),
            (alert(Alert::BadRecordMac), ErrorKind::Unavailable),
            (TlsError::DecryptError, ErrorKind::Unavailable),
        ] {
            let said = format!("{error:?}");
            let fault = fault(&io::Error::new(io::ErrorKind::InvalidData, error));
            assert_eq!(fault.error.kind(), kind, "{said}");
        }
    }
}
