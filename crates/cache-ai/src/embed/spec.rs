//! What is embedded with, and what comes of it.

use super::EMBEDDING;
use crate::answer::Usage;
use crate::request::AiRequest;
use crate::tenant::Tenant;

/// What texts are to be embedded with.
#[derive(Clone, Debug)]
#[must_use = "a specification does nothing by itself"]
pub struct EmbedSpec {
    pub(super) request: AiRequest,
    pub(super) dimensions: Option<usize>,
}

impl EmbedSpec {
    /// With this model, for this tenant.
    pub fn new(tenant: Tenant, model: impl Into<String>) -> Self {
        let request = AiRequest::new(tenant, EMBEDDING).model(model);
        Self { request, dimensions: None }
    }

    /// Who runs the model.
    pub fn provider(mut self, provider: impl Into<String>) -> Self {
        self.request = self.request.provider(provider);
        self
    }

    /// How many numbers each vector has, 1 and up. One of another length is an error.
    pub fn dimensions(mut self, dimensions: usize) -> Self {
        self.request = self.request.option("dimensions", dimensions);
        self.dimensions = Some(dimensions);
        self
    }

    /// How numbers are sent: `float`, `base64`.
    pub fn encoding(mut self, encoding: impl Into<String>) -> Self {
        self.request = self.request.option("encoding_format", encoding.into());
        self
    }

    /// What vectors are for, where the model cares: a query, a document.
    pub fn task(mut self, task: impl Into<String>) -> Self {
        self.request = self.request.option("task", task.into());
        self
    }

    /// Any other option.
    pub fn option(mut self, name: impl Into<String>, value: impl serde::Serialize) -> Self {
        self.request = self.request.option(name, value);
        self
    }

    /// A tag by which the vectors can be invalidated with others.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.request = self.request.tag(tag);
        self
    }
}

/// What a model brings for texts: a vector for each, in their order.
#[derive(Clone, Debug, Default)]
pub struct Embedded {
    /// The vectors, in the order of the texts.
    pub vectors: Vec<Vec<f32>>,
    /// What was used for all of them.
    pub usage: Usage,
}

impl From<Vec<Vec<f32>>> for Embedded {
    fn from(vectors: Vec<Vec<f32>>) -> Self {
        Self { vectors, usage: Usage::default() }
    }
}
