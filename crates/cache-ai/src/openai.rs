//! The client `async-openai`, cached.

use std::collections::HashMap;

use async_openai::Client;
use async_openai::config::Config;
use async_openai::error::OpenAIError;
use async_openai::types::chat::{CreateChatCompletionRequest, CreateChatCompletionResponse};
use cache_core::{BoxError, Error, ErrorKind};
use futures_util::StreamExt;
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::Usage;
use crate::answered::Answered;
use crate::cache::AiCache;
use crate::control::Control;
use crate::digest::Digest;
use crate::embed::{EmbedSpec, Embedded, Vector};
use crate::request::{AiRequest, NOISE};
use crate::stream::{AnswerStream, Replay};
use crate::tenant::Tenant;
use crate::wire::Chat;

/// Headers of which another value is not another question.
const CREDENTIALS: [&str; 6] =
    ["authorization", "proxy-authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie"];

/// A client whose answers are cached, for one tenant and operation.
///
/// Bodies are taken and answers handed out as JSON, so that what the client does not know of is kept: the reasoning of
/// other providers, for example. [`create`](Self::create) takes and gives the client's own types.
///
/// ```
/// # use async_openai::{Client, config::OpenAIConfig};
/// # use cache_ai::{AiCache, CachedOpenAi, Error, Tenant};
/// # async fn example(client: Client<OpenAIConfig>, cache: AiCache) -> Result<(), Error> {
/// let client = CachedOpenAi::new(client, cache, Tenant::new("acme")?, "support");
/// let messages = serde_json::json!([{"role": "user", "content": "Where is my parcel?"}]);
/// let answer = client.chat(&serde_json::json!({"model": "gpt-4o", "messages": messages})).await?;
/// println!("{}", answer.text());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct CachedOpenAi<C: Config> {
    client: Client<C>,
    cache: AiCache,
    tenant: Tenant,
    operation: String,
    control: Control,
}

impl<C: Config + Clone + Send + Sync + 'static> CachedOpenAi<C> {
    /// This client in front of this cache.
    pub fn new(client: Client<C>, cache: AiCache, tenant: Tenant, operation: impl Into<String>) -> Self {
        Self { client, cache, tenant, operation: operation.into(), control: Control::new() }
    }

    /// The same with another control.
    #[must_use]
    pub fn control(mut self, control: Control) -> Self {
        self.control = control;
        self
    }

    /// The request that a body is. Who runs the model is where the client asks and what its headers say: another address,
    /// deployment or version of the API is another provider, and so is another organisation, project or header of your own, because
    /// gateways go by them. Headers that are credentials (`authorization`, `proxy-authorization`, `api-key`, `x-api-key`,
    /// `x-goog-api-key`, `cookie`) say nothing, nor do those that [`NOISE`](crate::NOISE) names. Of the others only a digest is taken; so a
    /// header that changes with every client, like the number of a trace, keeps their answers apart.
    pub fn request(&self, body: &Value) -> AiRequest {
        AiRequest::from_body(self.tenant.clone(), self.operation.clone(), body.clone())
            .provider(self.provider())
    }

    fn provider(&self) -> String {
        let config = self.client.config();
        let mut provider = format!("{} {:?}", config.url(""), config.query());
        let headers = config.headers();
        let is_said = |name: &str| !CREDENTIALS.contains(&name) && !NOISE.contains(&name);
        let mut said: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        said.retain(|(name, _)| is_said(name));
        if !said.is_empty() {
            // Of several values of one name the order stays: it may matter.
            said.sort_by_key(|(name, _)| *name);
            provider.push(' ');
            provider.push_str(&Digest::of(format!("{said:?}").as_bytes()).to_hex());
        }
        provider
    }

    /// A chat completion. A caller may leave at any time; the question goes on for the others, and its answer is kept.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] for a body that is no JSON object; [`ErrorKind::Load`] with the client's error as the source; else as
    /// [`AiCache::get_or_generate`].
    pub async fn chat(&self, body: &impl Serialize) -> Result<Answered<Chat>, Error> {
        let body = body_of(body, false)?;
        let request = self.request(&body);
        let client = self.client.clone();
        self.cache
            .complete(&request, self.control, move || async move {
                let answer: Value = client.chat().create_byot(body).await?;
                Ok::<_, OpenAIError>(Chat(answer))
            })
            .await
    }

    /// A chat completion in the client's own types.
    ///
    /// # Errors
    /// As [`chat`](Self::chat), and [`ErrorKind::Codec`] for an answer that is not of the client's type.
    pub async fn create(
        &self,
        request: &CreateChatCompletionRequest,
    ) -> Result<CreateChatCompletionResponse, Error> {
        let answer = self.chat(request).await?;
        serde_json::from_value(answer.0.clone()).map_err(|error| {
            Error::new(ErrorKind::Codec, "the answer is not of the client's type").because(error)
        })
    }

    /// A chat completion as chunks. If the stream is dropped before its end, nothing is kept.
    ///
    /// # Errors
    /// As [`chat`](Self::chat); what goes wrong later is an event of the stream.
    pub async fn chat_stream(
        &self,
        body: &impl Serialize,
        replay: Replay,
    ) -> Result<AnswerStream<Chat>, Error> {
        let body = body_of(body, true)?;
        let request = self.request(&body);
        let client = self.client.clone();
        self.cache
            .stream(&request, self.control, replay, move || async move {
                let chunks = client.chat().create_stream_byot::<Value, Value>(body).await?;
                Ok::<_, OpenAIError>(chunks.map(|chunk| chunk))
            })
            .await
    }

    /// The vectors of texts, each of which is asked for once.
    ///
    /// # Errors
    /// As [`AiCache::embed_many`].
    pub async fn embed(
        &self,
        model: &str,
        dimensions: Option<usize>,
        texts: &[impl AsRef<str> + Sync],
    ) -> Result<Vec<Vector>, Error> {
        let mut spec = EmbedSpec::new(self.tenant.clone(), model).provider(self.provider());
        let mut body = json!({"model": model, "encoding_format": "float"});
        if let Some(dimensions) = dimensions {
            spec = spec.dimensions(dimensions);
            body["dimensions"] = json!(dimensions);
        }
        let client = self.client.clone();
        let embedder = move |texts: Vec<String>| {
            let (client, mut body) = (client.clone(), body.clone());
            async move {
                let count = texts.len();
                body["input"] = json!(texts);
                let answer: Value = client.embeddings().create_byot(body).await?;
                embedded(&answer, count)
            }
        };
        self.cache.embed_many(&spec, texts, embedder).await
    }
}

impl<C: Config> std::fmt::Debug for CachedOpenAi<C> {
    /// Without the client, whose headers may hold what is nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedOpenAi")
            .field("cache", &self.cache)
            .field("tenant", &self.tenant)
            .field("operation", &self.operation)
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

fn body_of(body: &impl Serialize, stream: bool) -> Result<Value, Error> {
    // JSON makes nothing of a number that is none; the name of the request must not.
    crate::canonical::append(&mut Vec::new(), body).map_err(crate::canonical::Problem::into_error)?;
    let mut body = serde_json::to_value(body)
        .map_err(|error| Error::new(ErrorKind::Validation, "the body is no JSON").because(error))?;
    match body.as_object_mut() {
        Some(fields) => {
            fields.insert("stream".into(), json!(stream));
            if !stream {
                fields.remove("stream_options");
            }
            Ok(body)
        }
        None => Err(Error::new(ErrorKind::Validation, "the body is no object")),
    }
}

/// Vectors by the index that each says, because nothing promises their order.
fn embedded(answer: &Value, count: usize) -> Result<Embedded, BoxError> {
    let mut by_index = HashMap::new();
    for item in answer["data"].as_array().into_iter().flatten() {
        let index = item["index"].as_u64().ok_or("a vector does not say which it is")?;
        let vector: Vec<f32> = serde_json::from_value(item["embedding"].clone())?;
        if by_index.insert(index, vector).is_some() {
            return Err("a vector came twice".into());
        }
    }
    let vectors: Option<Vec<_>> = (0..count as u64).map(|index| by_index.remove(&index)).collect();
    let vectors = vectors.filter(|_| by_index.is_empty()).ok_or("vectors are missing, or too many came")?;
    let tokens = answer["usage"]["prompt_tokens"].as_u64().unwrap_or_default();
    Ok(Embedded { vectors, usage: Usage::new(tokens, 0) })
}
