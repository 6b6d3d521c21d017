//! From a question to its digest and its storage name.

use std::fmt::Write;

use blake3::Hasher;
use blake3::hazmat::{self, ContextKey, HasherExt};
use cache_core::{Error, ErrorKind, MAX_KEY_LEN};

use crate::digest::Digest;
use crate::question::Question;
use crate::tenant::Tenant;
use crate::text_tier::{TextTier, TextTiers};

/// What sets our digests apart from all others.
const DOMAIN: &str = "cache-ai 2026 request";
/// The same for digests that a secret goes into.
const SECRET_DOMAIN: &str = "cache-ai 2026 secret of the application";

/// Longer questions are read in slices of so many bytes, and other tasks may run between them. A slice takes less than
/// 0.1 ms.
const SLICE: usize = 128 << 10;

/// What BLAKE3 reads at a time, in bytes, if it is not given more.
const CHUNK: usize = 1 << 10;
/// Longer questions cost more to copy than is won by it.
const COPIED: usize = 32 << 10;

/// The longest tag, in bytes, that is taken as it is.
const LONGEST_TAG: usize = 200;

/// How questions are named.
#[derive(Clone)]
pub(crate) struct Keyer {
    seed: Seed,
    /// The 128 bits that go into the name. Only tests take others than the digest's first half.
    pub(crate) name_bits: fn(&Digest) -> [u8; 16],
    /// Texts of so many characters stand readable in the name, unless they are too long for a key.
    pub(crate) readable_up_to: usize,
    pub(crate) tiers: TextTiers,
}

/// What each digest begins with.
#[derive(Clone)]
enum Seed {
    Domain(ContextKey),
    Secret([u8; 32]),
}

/// A question with its names.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    pub(crate) digest: Digest,
    pub(crate) name: String,
    own_tags: Vec<String>,
    pub(crate) tenant: Tenant,
    pub(crate) operation: String,
    pub(crate) model: Option<String>,
    /// The model that the body names, where that is another one.
    body_model: Option<String>,
    pub(crate) prompt_version: Option<String>,
    pub(crate) text_length: usize,
    pub(crate) text_tier: TextTier,
    /// Whether the text stands readable in the name.
    pub(crate) is_readable: bool,
    pub(crate) is_deterministic: bool,
    /// How many answers to choose from were asked for.
    pub(crate) choices: usize,
}

impl Keyer {
    pub(crate) fn new(secret: Option<&[u8]>, readable_up_to: usize, tiers: TextTiers) -> Self {
        let seed = match secret {
            Some(secret) => Seed::Secret(blake3::derive_key(SECRET_DOMAIN, secret)),
            None => Seed::Domain(hazmat::hash_derive_key_context(DOMAIN)),
        };
        Self { seed, name_bits: first_half, readable_up_to, tiers }
    }

    /// Names a question. A long one lets other tasks run meanwhile.
    pub(crate) async fn key(&self, question: &Question<'_>) -> Result<Keyed, Error> {
        if question.len() <= SLICE {
            let characters = question.text.as_deref().map_or(0, crate::request::characters);
            return self.named(question, self.digest(question), characters);
        }
        // A hasher takes 2 KB: in the future of every call it would be moved about with it.
        Box::pin(async {
            let digest = self.digest_in_slices(question).await;
            let characters = match question.text.as_deref() {
                Some(text) => count(text).await,
                None => 0,
            };
            self.named(question, digest, characters)
        })
        .await
    }

    fn digest(&self, question: &Question<'_>) -> Digest {
        let mut hasher = self.hasher();
        let (length, len) = (question.length(), question.len());
        if (CHUNK..=COPIED).contains(&len) {
            // In one piece: BLAKE3 reads several chunks at a time, but only of what it is given at a time.
            let mut whole = Vec::with_capacity(length.len() + len);
            whole.extend_from_slice(&length);
            question.parts().for_each(|part| whole.extend_from_slice(part));
            hasher.update(&whole);
        } else {
            hasher.update(&length);
            for part in question.parts() {
                hasher.update(part);
            }
        }
        Digest::new(*hasher.finalize().as_bytes())
    }

    async fn digest_in_slices(&self, question: &Question<'_>) -> Digest {
        let mut hasher = self.hasher();
        hasher.update(&question.length());
        for part in question.parts() {
            for slice in part.chunks(SLICE) {
                hasher.update(slice);
                tokio::task::yield_now().await;
            }
        }
        Digest::new(*hasher.finalize().as_bytes())
    }

    fn hasher(&self) -> Hasher {
        match &self.seed {
            Seed::Domain(key) => Hasher::new_from_context_key(key),
            Seed::Secret(key) => Hasher::new_keyed(key),
        }
    }

    fn named(&self, question: &Question<'_>, digest: Digest, characters: usize) -> Result<Keyed, Error> {
        let text_length = question.characters + characters;
        let text_tier = self.tiers.tier(text_length);
        let readable = question.text.as_deref().filter(|_| characters <= self.readable_up_to);
        let (name, is_readable) = self.name(question, &digest, text_tier, readable)?;
        Ok(Keyed {
            digest,
            name,
            own_tags: question.tags.to_vec(),
            tenant: question.tenant.clone(),
            operation: question.operation.to_owned(),
            model: question.model.as_deref().map(str::to_owned),
            body_model: question.body_model.clone(),
            prompt_version: question.prompt_version.map(str::to_owned),
            text_length,
            text_tier,
            is_readable,
            is_deterministic: question.is_deterministic(),
            choices: question.choices,
        })
    }

    /// `ai:{tenant}:{operation}:{tier}={text}#{128 bits}`, or without the text. What is readable identifies nothing.
    fn name(
        &self,
        question: &Question<'_>,
        digest: &Digest,
        tier: TextTier,
        readable: Option<&str>,
    ) -> Result<(String, bool), Error> {
        let readable = readable.filter(|text| text.len() <= MAX_KEY_LEN && self.readable_up_to > 0);
        let mut name = String::with_capacity(96 + readable.map_or(0, str::len));
        name.push_str("ai:");
        match question.tenant.name() {
            Some(tenant) => escape(&mut name, tenant),
            None => name.push('~'),
        }
        name.push(':');
        escape(&mut name, question.operation);
        name.push(':');
        name.push(tier.letter());
        let bare = name.len();
        if let Some(text) = readable {
            name.push('=');
            show(&mut name, text);
        }
        let is_readable = name.len() > bare && name.len() + HASH_LEN <= MAX_KEY_LEN - ROOM;
        if !is_readable {
            name.truncate(bare);
        }
        name.push('#');
        hex(&mut name, &(self.name_bits)(digest));
        if name.len() > MAX_KEY_LEN - ROOM {
            return Err(Error::new(
                ErrorKind::Validation,
                "tenant and operation are too long together for a key",
            ));
        }
        Ok((name, is_readable))
    }
}

/// `#` and 32 digits.
const HASH_LEN: usize = 33;
/// Left for the number of a sample.
const ROOM: usize = 12;

/// Counts characters, letting other tasks run meanwhile.
async fn count(mut text: &str) -> usize {
    let mut characters = 0;
    while text.len() > SLICE {
        let (slice, rest) = text.split_at(boundary(text));
        characters += crate::request::characters(slice);
        text = rest;
        tokio::task::yield_now().await;
    }
    characters + crate::request::characters(text)
}

/// The last boundary of characters in the first slice.
fn boundary(text: &str) -> usize {
    (0..=SLICE).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default()
}

/// Appends a text without what a terminal would act on: that has no place in a name.
fn show(out: &mut String, text: &str) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        out.push_str(text);
    } else {
        out.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
}

fn first_half(digest: &Digest) -> [u8; 16] {
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}

fn hex(out: &mut String, bytes: &[u8; 16]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 32];
    for (two, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        two.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    out.push_str(std::str::from_utf8(&digits).unwrap_or_default());
}

/// Everything but letters, digits, `_`, `-` and `.` becomes `%XX`.
fn escape(out: &mut String, part: &str) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') {
            out.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// The tenant, operation and text tier that a storage name says.
pub(crate) struct Named<'a> {
    pub(crate) operation: &'a str,
    pub(crate) tier: TextTier,
}

impl<'a> Named<'a> {
    /// Of a name that [`Keyer`] made. The operation is escaped.
    pub(crate) fn of(name: &'a str) -> Option<Self> {
        let mut parts = name.strip_prefix("ai:")?.splitn(3, ':');
        let (_tenant, operation, rest) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { operation, tier: TextTier::of_letter(*rest.as_bytes().first()?)? })
    }
}

/// An operation as it stands in a name.
pub(crate) fn escaped(operation: &str) -> String {
    let mut out = String::new();
    escape(&mut out, operation);
    out
}

impl Keyed {
    /// What the answer can be invalidated by.
    pub(crate) fn tags(&self) -> Vec<String> {
        let mut tags = vec![tag::tenant(&self.tenant), tag::operation(&self.operation)];
        tags.extend([&self.model, &self.body_model].into_iter().flatten().map(|model| tag::model(model)));
        tags.extend(self.prompt_version.as_deref().map(|version| tag::prompt(&self.operation, version)));
        tags.extend(self.own_tags.iter().map(|own| tag::own(own)));
        tags
    }
}

/// The tags of each kind. No two kinds meet, and each is compared as a whole.
pub(crate) mod tag {
    use super::LONGEST_TAG;
    use crate::digest::Digest;
    use crate::tenant::Tenant;

    pub(crate) fn tenant(tenant: &Tenant) -> String {
        of("tenant", tenant.label())
    }

    pub(crate) fn operation(operation: &str) -> String {
        of("op", operation)
    }

    pub(crate) fn model(model: &str) -> String {
        of("model", model)
    }

    pub(crate) fn prompt(operation: &str, version: &str) -> String {
        // The operation's length keeps the two apart.
        of("prompt", &format!("{}:{operation}:{version}", operation.len()))
    }

    pub(crate) fn own(tag: &str) -> String {
        of("tag", tag)
    }

    fn of(kind: &str, name: &str) -> String {
        if name.len() <= LONGEST_TAG {
            joined(kind, "=", name)
        } else {
            joined(kind, "#", &Digest::of(name.as_bytes()).to_hex())
        }
    }

    fn joined(kind: &str, sign: &str, name: &str) -> String {
        let mut tag = String::with_capacity("ai.".len() + kind.len() + sign.len() + name.len());
        tag.push_str("ai.");
        tag.push_str(kind);
        tag.push_str(sign);
        tag.push_str(name);
        tag
    }
}

impl std::fmt::Debug for Keyer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyer").field("readable_up_to", &self.readable_up_to).finish_non_exhaustive()
    }
}
