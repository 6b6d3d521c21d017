//! From files to what a handshake needs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Files;

/// The longest file, in bytes.
const LONGEST: u64 = 1 << 20;

/// Reads the files, which blocks.
///
/// # Errors
/// What is wrong with one of them.
pub(super) fn config(files: &Files) -> Result<ClientConfig, String> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots(files.ca.as_deref())?);
    let Some((certificate, key)) = &files.identity else { return Ok(config.with_no_client_auth()) };
    let chain = certificates("cert_file", certificate)?;
    let key_of = |path: &Path| {
        PrivateKeyDer::from_pem_slice(&content("key_file", path)?)
            .map_err(|error| unreadable("key_file", path, &error))
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
    let found: Vec<_> = CertificateDer::pem_slice_iter(&content(what, path)?)
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if found.is_empty() { Err(unreadable(pem::Error::NoItemsFound)) } else { Ok(found) }
}

/// What stands in a file. Of a pipe or a device the reading might never end.
fn content(what: &str, path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: io::Error| unreadable(what, path, &pem::Error::Io(error));
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(format!("{what} {}: it is a folder, a pipe or a device, not a file", path.display()));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(cannot)?.take(LONGEST + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("{what} {}: the file is longer than {LONGEST} bytes", path.display()));
    }
    Ok(bytes)
}

/// Nothing of what stands in the file is repeated.
fn unreadable(what: &str, path: &Path, error: &pem::Error) -> String {
    let given = path.to_string_lossy();
    if given.contains(['\n', '\r']) || given.contains("-----BEGIN") {
        return format!("{what}: the path of a file is wanted, not what stands in it");
    }
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
