//! Sealing at rest: whoever has the store has neither the payloads nor a way to change them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use cache_core::{Error, ErrorKind, Key};
use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::envelope::{Opened, SEAL_LEN, open_by, seal_by};
use crate::{Compression, Header, Limits, OpenError};

/// The keys that values are sealed with: one to seal, and those that still open.
///
/// Keys are told apart by a number that stands beside each value. To rotate: add the new key everywhere with
/// [`and`](Self::and), then seal with it, then leave the old one out when its values have ended.
///
/// ```
/// use cache_codec::Keyring;
///
/// let (old, new) = ([1; 32], [2; 32]);
/// let ring = Keyring::new(2, &new).and(1, &old)?;
/// assert_eq!(format!("{ring:?}"), "Keyring { seals_with: 2, opens: [2, 1] }");
/// # Ok::<(), cache_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Keyring {
    /// The first seals.
    keys: Arc<[(u32, XChaCha20Poly1305)]>,
}

impl Keyring {
    /// Seals and opens with this key of this number. The 32 bytes are random and secret; the number is any, stands readable in
    /// what is stored, and means the same key for all who read it.
    pub fn new(id: u32, key: &[u8; 32]) -> Self {
        Self { keys: Arc::new([(id, XChaCha20Poly1305::new(key.into()))]) }
    }

    /// Opens with this key as well, and does not seal with it.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for a number that is taken.
    pub fn and(self, id: u32, key: &[u8; 32]) -> Result<Self, Error> {
        if self.key(id).is_some() {
            return Err(Error::new(ErrorKind::Configuration, format!("two keys have the number {id}")));
        }
        let new = (id, XChaCha20Poly1305::new(key.into()));
        Ok(Self { keys: self.keys.iter().cloned().chain([new]).collect() })
    }

    fn key(&self, id: u32) -> Option<&XChaCha20Poly1305> {
        self.keys.iter().find(|(known, _)| *known == id).map(|(_, key)| key)
    }
}

impl fmt::Debug for Keyring {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u32> = self.keys.iter().map(|(id, _)| *id).collect();
        f.debug_struct("Keyring")
            .field("seals_with", &ids.first().copied().unwrap_or_default())
            .field("opens", &ids)
            .finish()
    }
}

/// As [`seal`](crate::seal), with the payload sealed. The whole header and the key are bound to it.
///
/// # Errors
/// As [`seal`](crate::seal); [`ErrorKind::Internal`] if the system has no random numbers.
pub fn seal_with(
    header: &Header,
    key: &Key,
    payload: &[u8],
    compression: &Compression,
    ring: &Keyring,
) -> Result<Bytes, Error> {
    let cover = |before: &[u8], body: &[u8]| {
        let failed = || Error::new(ErrorKind::Internal, "a value cannot be sealed: no random numbers");
        let nonce = XNonce::try_generate().map_err(|_| failed())?;
        let (id, cipher) = ring.keys.first().ok_or_else(failed)?;
        let bound = bound(before, *id, key);
        let sealed = cipher.encrypt(&nonce, Payload { msg: body, aad: &bound }).map_err(|_| failed())?;
        let mut out = Vec::with_capacity(body.len() + SEAL_LEN);
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    };
    seal_by(header, key, payload, compression, Some(&cover))
}

/// As [`open`](crate::open), of values that [`seal_with`] made. Others are refused.
///
/// # Errors
/// As [`open`](crate::open); [`OpenError::NotSealed`] for a value that is not sealed.
pub fn open_sealed(stored: &Bytes, key: &Key, limits: &Limits, ring: &Keyring) -> Result<Opened, OpenError> {
    let uncover = |before: &[u8], body: &[u8]| {
        const TOO_SHORT: OpenError = OpenError::Corrupt("the seal is too short");
        let (id, rest) = body.split_first_chunk::<4>().ok_or(TOO_SHORT)?;
        let (nonce, sealed) = rest.split_first_chunk::<24>().ok_or(TOO_SHORT)?;
        let id = u32::from_be_bytes(*id);
        let cipher = ring.key(id).ok_or(OpenError::MissingCodec("the key that it is sealed with"))?;
        let bound = bound(before, id, key);
        let payload = Payload { msg: sealed, aad: &bound };
        cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| OpenError::Corrupt("the seal is broken"))
    };
    open_by(stored, key, limits, Some(&uncover))
}

/// What a seal is bound to: all that stands before the payload, the number of its key, and the key that it is stored
/// under.
fn bound(before: &[u8], id: u32, key: &Key) -> Vec<u8> {
    [before, &id.to_be_bytes(), key.as_bytes()].concat()
}
