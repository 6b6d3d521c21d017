//! A request to a model, with all that the model sees.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cache_core::{Error, ErrorKind};
use serde::Serialize;

use crate::canonical::{self, Problem};
use crate::digest::Digest;
use crate::tenant::Tenant;

/// A request to a model: what the answer depends on, in parts or as the body that is sent.
///
/// All of it goes into the key. What is wrong with a part is an error of the call that uses the request. What is no part of the
/// question stays out: from a body `stream`, `stream_options`, request
/// ids, time stamps and user agents at its top level ([`NOISE`]), from options `stream` and `stream_options`.
///
/// ```
/// use cache_ai::{AiRequest, Tenant};
///
/// let request = AiRequest::new(Tenant::new("acme")?, "support")
///     .model("gpt-4o")
///     .prompt_version("7")
///     .system("You answer in one sentence.")
///     .message("user", "Where is my parcel?")
///     .option("temperature", 0);
/// # let body = serde_json::json!({});
/// let same_from_a_body = AiRequest::from_body(Tenant::new("acme")?, "support", body);
/// # Ok::<(), cache_ai::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a request does nothing by itself"]
pub struct AiRequest {
    pub(crate) tenant: Tenant,
    pub(crate) operation: String,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) snapshot: Option<String>,
    pub(crate) prompt_version: Option<String>,
    /// Canonical, one after the other.
    pub(crate) system: Vec<u8>,
    pub(crate) messages: Vec<u8>,
    pub(crate) tools: Vec<u8>,
    pub(crate) response_format: Option<Vec<u8>>,
    /// By name, canonical.
    pub(crate) options: BTreeMap<String, Vec<u8>>,
    pub(crate) attachments: Vec<Digest>,
    pub(crate) guards: Vec<String>,
    pub(crate) text: Option<String>,
    pub(crate) body: Option<Arc<dyn Body>>,
    /// Of texts and messages.
    pub(crate) characters: usize,
    pub(crate) tags: Vec<String>,
    pub(crate) problem: Option<Error>,
}

/// Fields at the top level of a body that are no part of the question.
pub const NOISE: &[&str] = &[
    "stream",
    "stream_options",
    "request_id",
    "x-request-id",
    "idempotency_key",
    "timestamp",
    "created_at",
    "user_agent",
    "user-agent",
];

/// Options that are no part of the question.
pub(crate) const NO_OPTIONS: &[&str] = &["stream", "stream_options"];

/// A body whose type is forgotten.
pub(crate) trait Body: Send + Sync {
    fn append_up_to(&self, out: &mut Vec<u8>, limit: usize) -> Result<(), Problem>;
}

impl<T: Serialize + Send + Sync> Body for T {
    fn append_up_to(&self, out: &mut Vec<u8>, limit: usize) -> Result<(), Problem> {
        canonical::append_up_to(out, self, limit)
    }
}

impl AiRequest {
    /// A request of this tenant. The operation is what you ask models to do, in a word of 1 to 64 bytes: policies and statistics go
    /// by it.
    pub fn new(tenant: Tenant, operation: impl Into<String>) -> Self {
        Self {
            tenant,
            operation: operation.into(),
            provider: None,
            model: None,
            snapshot: None,
            prompt_version: None,
            system: Vec::new(),
            messages: Vec::new(),
            tools: Vec::new(),
            response_format: None,
            options: BTreeMap::new(),
            attachments: Vec::new(),
            guards: Vec::new(),
            text: None,
            body: None,
            characters: 0,
            tags: Vec::new(),
            problem: None,
        }
    }

    /// A request whose body is what is sent to the API: a chat, a completion, responses or embeddings.
    ///
    /// The body is read when the request is used, and only then; its `model` and `temperature` are found. Parts can be
    /// added that the body does not hold, like the version of a prompt or a chain of guards.
    pub fn from_body(
        tenant: Tenant,
        operation: impl Into<String>,
        body: impl Serialize + Send + Sync + 'static,
    ) -> Self {
        Self { body: Some(Arc::new(body)), ..Self::new(tenant, operation) }
    }

    /// Who runs the model.
    pub fn provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// The model.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The model's snapshot, where its name alone does not say which.
    pub fn snapshot(mut self, snapshot: impl Into<String>) -> Self {
        self.snapshot = Some(snapshot.into());
        self
    }

    /// The version of the prompt's template. Its answers can be invalidated together.
    pub fn prompt_version(mut self, version: impl Into<String>) -> Self {
        self.prompt_version = Some(version.into());
        self
    }

    /// Adds a system text.
    pub fn system(mut self, text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        self.characters += characters(text);
        // Where it stands among the messages.
        if !self.messages.is_empty() {
            canonical::write_int(&mut self.system, self.messages.len() as i128);
        }
        canonical::write_text(&mut self.system, text);
        self
    }

    /// The text that the operation is about. Taken as it is, unless the operation's schema says otherwise.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.characters -= self.text.as_deref().map_or(0, characters);
        self.characters += characters(&text);
        self.text = Some(text);
        self
    }

    /// Adds a message, a text or parts. Messages are told apart by their order.
    pub fn message(mut self, role: &str, content: impl Serialize) -> Self {
        let before = self.messages.len();
        canonical::write_text(&mut self.messages, role);
        let written = canonical::append(&mut self.messages, &content);
        self.note(written);
        self.characters += self.messages.len() - before;
        self
    }

    /// Adds a tool that the model may call, as its definition is sent.
    pub fn tool(mut self, definition: impl Serialize) -> Self {
        let written = canonical::append(&mut self.tools, &definition);
        self.note(written);
        self
    }

    /// The form that the answer must have.
    pub fn response_format(mut self, format: impl Serialize) -> Self {
        let mut bytes = Vec::new();
        let written = canonical::append(&mut bytes, &format);
        self.note(written);
        self.response_format = Some(bytes);
        self
    }

    /// An option. One that is absent is not one that has its default value, unless the operation's schema says so.
    pub fn option(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let mut bytes = Vec::new();
        let written = canonical::append(&mut bytes, &value);
        self.note(written);
        self.options.insert(name.into(), bytes);
        self
    }

    /// Adds the digest of a file or an image that the model sees: [`Digest::of`].
    pub fn attachment(mut self, digest: Digest) -> Self {
        self.attachments.push(digest);
        self
    }

    /// Adds a guard rail that stands between caller and model. Another chain may answer otherwise.
    pub fn guard(mut self, name_and_version: impl Into<String>) -> Self {
        self.guards.push(name_and_version.into());
        self
    }

    /// Adds a tag by which the answer can be invalidated with others. No part of the key: the answer has the tags of the request that it
    /// was made for, and who asks the same later with another tag does not add his. An entry has 16 tags at the most, of which
    /// tenant and operation take one each, and so do model (two, if the body names another) and version of the prompt where they are
    /// named.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    fn note(&mut self, written: Result<(), Problem>) {
        if let (Err(problem), None) = (written, &self.problem) {
            self.problem = Some(problem.into_error());
        }
    }

    /// # Errors
    /// What was wrong with a part when it was added.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        if self.operation.is_empty() || self.operation.len() > LONGEST_OPERATION {
            return Err(Error::new(
                ErrorKind::Validation,
                format!(
                    "the operation's name is {} bytes long, 1 to {LONGEST_OPERATION} are allowed",
                    self.operation.len()
                ),
            ));
        }
        Ok(())
    }
}

/// The longest name of an operation, in bytes.
pub(crate) const LONGEST_OPERATION: usize = 64;

/// How many characters a text has.
pub(crate) fn characters(text: &str) -> usize {
    text.chars().count()
}

impl fmt::Debug for AiRequest {
    /// Without what was asked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AiRequest")
            .field("tenant", &self.tenant)
            .field("operation", &self.operation)
            .field("model", &self.model)
            .field("characters", &self.characters)
            .finish_non_exhaustive()
    }
}
