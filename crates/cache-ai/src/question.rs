//! A request as bytes: a short part, and long texts that are not copied.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use cache_core::Error;
use serde::Serialize;

use crate::blocking::blocking;
use crate::canonical::{self, Problem};
use crate::request::{AiRequest, Body, NO_OPTIONS, NOISE};
use crate::schema::OptionSchema;
use crate::tenant::Tenant;

/// The version of the form below. Whoever changes the form raises it, so that no old answer is found.
const VERSION: u8 = 2;

/// Bodies that are longer in canonical form are read on a thread that may be blocked, in bytes.
const LARGE_BODY: usize = 128 << 10;

/// What is named: everything that the answer depends on.
pub(crate) struct Question<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) operation: &'a str,
    pub(crate) model: Option<Cow<'a, str>>,
    /// The model that the body names, where that is another one.
    pub(crate) body_model: Option<String>,
    pub(crate) prompt_version: Option<&'a str>,
    pub(crate) tags: &'a [String],
    /// Everything but the long texts; holds their lengths.
    pub(crate) short: Vec<u8>,
    /// The long texts, in order.
    pub(crate) long: Vec<Cow<'a, [u8]>>,
    /// The text that may stand readable in the name, the last of `long`.
    pub(crate) text: Option<Cow<'a, str>>,
    /// Characters of all that is not `text`.
    pub(crate) characters: usize,
    /// Whether every temperature that was given is 0; `None` if none was.
    is_cold: Option<bool>,
    /// How many answers to choose from were asked for.
    pub(crate) choices: usize,
    /// Where the options lie in `short`.
    options: Range<usize>,
}

impl<'a> Question<'a> {
    fn new(tenant: &'a Tenant, operation: &'a str) -> Self {
        let mut short = Vec::with_capacity(256);
        short.push(VERSION);
        optional(&mut short, tenant.name());
        canonical::write_text(&mut short, operation);
        Self {
            tenant,
            operation,
            model: None,
            body_model: None,
            prompt_version: None,
            tags: &[],
            short,
            long: Vec::new(),
            text: None,
            characters: 0,
            is_cold: None,
            choices: 1,
            options: 0..0,
        }
    }

    /// The guide's call: a text, an operation and its options, an object or nothing.
    pub(crate) fn of_text(
        tenant: &'a Tenant,
        operation: &'a str,
        text: &'a str,
        options: &(impl Serialize + ?Sized),
        schema: Option<&OptionSchema>,
    ) -> Result<Self, Error> {
        let mut it = Self::new(tenant, operation);
        it.short.push(b'T');
        let start = it.short.len();
        canonical::append(&mut it.short, options).map_err(Problem::into_error)?;
        if canonical::is_null(&it.short[start..]) {
            it.short.truncate(start);
            canonical::write_object(&mut it.short, std::iter::empty());
        }
        if !canonical::is_object(&it.short[start..]) {
            return Err(Problem::Refused("options are neither an object nor nothing".into()).into_error());
        }
        it.take_options(start, schema)?;
        it.take_text(text, schema);
        Ok(it)
    }

    /// A whole request.
    pub(crate) async fn of(request: &'a AiRequest, schema: Option<&OptionSchema>) -> Result<Self, Error> {
        request.check()?;
        let mut it = Self::new(&request.tenant, &request.operation);
        it.prompt_version = request.prompt_version.as_deref();
        it.tags = &request.tags;
        it.characters = request.characters;
        it.model = request.model.as_deref().map(Cow::Borrowed);
        it.short.push(b'R');
        for part in [&request.provider, &request.model, &request.snapshot, &request.prompt_version] {
            optional(&mut it.short, part.as_deref());
        }
        let options = request.options.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let start = it.short.len();
        canonical::write_object(&mut it.short, options);
        it.take_options(start, schema)?;
        for guard in &request.guards {
            canonical::write_text(&mut it.short, guard);
        }
        it.short.push(b'/');
        canonical::write_int(&mut it.short, request.attachments.len() as i128);
        for attachment in &request.attachments {
            it.short.extend_from_slice(attachment.as_bytes());
        }
        for part in [&request.system, &request.messages, &request.tools] {
            it.take_long(Cow::Borrowed(part));
        }
        match &request.response_format {
            Some(format) => it.short.extend_from_slice(format),
            None => it.short.push(b'/'),
        }
        if let Some(body) = &request.body {
            it.take_body(ReadBody::of(body).await?);
        }
        match &request.text {
            Some(text) => {
                // Counted when the text is read.
                it.characters -= crate::request::characters(text);
                it.take_text(text, schema);
            }
            None => it.short.push(b'-'),
        }
        Ok(it)
    }

    /// Takes the options that `short` ends with, from `start` on.
    fn take_options(&mut self, start: usize, schema: Option<&OptionSchema>) -> Result<(), Error> {
        let is_asked = |(name, _): &(&str, &[u8])| !NO_OPTIONS.contains(name);
        let given = || canonical::fields(&self.short[start..]);
        // Given is what the request says, not what a schema makes of its silence.
        let (is_cold, _) = said(given());
        let instead = match schema {
            Some(schema) => Some(schema.normalise(self.operation, given().filter(is_asked))?),
            None if given().all(|field| is_asked(&field)) => None,
            None => Some(canonical::object(given().filter(is_asked))),
        };
        if let Some(options) = instead {
            self.short.truncate(start);
            self.short.extend_from_slice(&options);
        }
        self.options = start..self.short.len();
        let (_, choices) = said(canonical::fields(self.options()));
        self.note_temperature(is_cold);
        self.choices = self.choices.max(choices);
        Ok(())
    }

    /// The options that went in, as a canonical object.
    pub(crate) fn options(&self) -> &[u8] {
        &self.short[self.options.clone()]
    }

    fn note_temperature(&mut self, is_cold: Option<bool>) {
        if let Some(is_cold) = is_cold {
            self.is_cold = Some(is_cold && self.is_cold != Some(false));
        }
    }

    /// Whether temperature 0 was given, and no other.
    pub(crate) fn is_deterministic(&self) -> bool {
        self.is_cold == Some(true)
    }

    fn take_body(&mut self, body: ReadBody) {
        let ReadBody { bytes, model, is_cold, choices } = body;
        self.choices = self.choices.max(choices);
        self.note_temperature(is_cold);
        match &self.model {
            None => self.model = model.map(Cow::Owned),
            Some(named) => self.body_model = model.filter(|model| model != named),
        }
        self.characters += bytes.len();
        self.take_long(Cow::Owned(bytes));
    }

    fn take_text(&mut self, text: &'a str, schema: Option<&OptionSchema>) {
        let text = schema.map_or(Cow::Borrowed(text), |schema| schema.normalise_text(text));
        self.short.push(b't');
        self.short.extend_from_slice(&(text.len() as u64).to_be_bytes());
        self.text = Some(text);
    }

    fn take_long(&mut self, part: Cow<'a, [u8]>) {
        self.short.push(b'l');
        self.short.extend_from_slice(&(part.len() as u64).to_be_bytes());
        self.long.push(part);
    }

    /// The parts in order, the text last.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let text = self.text.as_ref().map(|text| text.as_bytes());
        std::iter::once(&*self.short).chain(self.long.iter().map(|part| &**part)).chain(text)
    }

    /// How long the first part is, as bytes that are read before it. How long the others are is in it.
    pub(crate) fn length(&self) -> [u8; 8] {
        (self.short.len() as u64).to_be_bytes()
    }

    /// How many bytes there are to be read.
    pub(crate) fn len(&self) -> usize {
        self.parts().map(<[u8]>::len).sum()
    }
}

fn optional(out: &mut Vec<u8>, part: Option<&str>) {
    match part {
        Some(part) => canonical::write_text(out, part),
        None => out.push(b'-'),
    }
}

/// What a body says, in canonical form.
struct ReadBody {
    /// Without what is no part of the question.
    bytes: Vec<u8>,
    model: Option<String>,
    is_cold: Option<bool>,
    choices: usize,
}

impl ReadBody {
    /// Reads a body. A large one is read on a thread that may be blocked.
    async fn of(body: &Arc<dyn Body>) -> Result<Self, Error> {
        let mut out = Vec::new();
        match body.append_up_to(&mut out, LARGE_BODY) {
            Err(Problem::TooLong) => {}
            done => return done.map(|()| Self::new(out)).map_err(Problem::into_error),
        }
        let body = Arc::clone(body);
        blocking(move || {
            let mut out = Vec::new();
            body.append_up_to(&mut out, usize::MAX).map(|()| Self::new(out)).map_err(Problem::into_error)
        })
        .await
    }

    fn new(bytes: Vec<u8>) -> Self {
        let fields: Vec<_> = canonical::fields(&bytes).collect();
        let (is_cold, choices) = said(fields.iter().copied());
        let model = fields.iter().find(|(name, _)| *name == "model");
        let model = model.and_then(|(_, model)| canonical::as_text(model)).map(str::to_owned);
        let quiet = fields.iter().filter(|(name, _)| !NOISE.contains(name)).copied();
        let quiet = (quiet.clone().count() < fields.len()).then(|| canonical::object(quiet));
        Self { bytes: quiet.unwrap_or(bytes), model, is_cold, choices }
    }
}

/// Whether every temperature among these fields is 0, `None` if there is none; and how many answers to choose from they ask
/// for.
fn said<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> (Option<bool>, usize) {
    let (mut is_cold, mut choices) = (None, 1);
    for (name, value) in fields {
        match name {
            "temperature" => is_cold = Some(is_cold.unwrap_or(true) && canonical::is_zero(value)),
            "n" => choices = canonical::as_integer(value).and_then(|n| n.try_into().ok()).unwrap_or(1),
            _ => {}
        }
    }
    (is_cold, choices)
}
