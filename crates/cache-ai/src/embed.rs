//! Embeddings: an entry for each text, one question for all that are missing.

mod spec;

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use cache_core::{BoxError, Error, ErrorKind, Moment};
use parking_lot::Mutex;

pub use self::spec::{EmbedSpec, Embedded};
use crate::alone::bounded;
use crate::answer::{Generated, Outcome, Plain, Usage};
use crate::answered::Source;
use crate::cache::AiCache;
use crate::control::{Control, NotCached, Plan, plan};
use crate::entry::{Body, Entry};
use crate::key::Keyed;
use crate::question::Question;
use crate::text_tier::TextTier;

/// The operation of embeddings: policies and statistics go by it.
pub const EMBEDDING: &str = "embedding";

/// A vector, shared with the cache.
pub type Vector = Arc<Plain<Vec<f32>>>;

type Embedding = Entry<Plain<Vec<f32>>>;
/// A generator whose types are forgotten.
type Embedder = Arc<
    dyn Fn(Vec<String>) -> Pin<Box<dyn Future<Output = Result<Embedded, BoxError>> + Send>> + Send + Sync,
>;

impl AiCache {
    /// The vectors of texts, in their order. `embedder` is asked once for the texts that nobody has and nobody is
    /// embedding, each of them once however often it is given, in the writing in which it was given first if the operation's schema
    /// makes several writings one. Of no texts there are no vectors, and nobody is asked.
    ///
    /// What is brought for a batch is all kept for one time: the shortest TTL that any text of the call has, where
    /// [`ttl_by_tier`](crate::OperationPolicy::ttl_by_tier) or [`ttl_jitter`](crate::AiSettings::ttl_jitter) gives them several.
    ///
    /// A caller may leave at any time: what is being embedded goes on as a task of its own, and is kept.
    ///
    /// ```
    /// # use cache_ai::{AiCache, EmbedSpec, Error, Loaded, Tenant};
    /// # async fn ask(texts: Vec<String>) -> Result<Vec<Vec<f32>>, std::io::Error> { Ok(vec![]) }
    /// # async fn example(cache: &AiCache, texts: &[String]) -> Result<(), Error> {
    /// let spec = EmbedSpec::new(Tenant::shared(), "text-embedding-3-small").dimensions(256);
    /// let vectors = cache.embed_many(&spec, texts, |missing| async { Loaded::Ok(ask(missing).await?) }).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Load`] if the embedder failed, or brought another number of vectors than it was asked for, one of
    /// other dimensions, or NaN: then nothing of what it brought is kept. Also if cached vectors have other dimensions
    /// than those that it brought, or with [`NotCached`] as the source. [`ErrorKind::Timeout`] after `load_timeout`, 2 minutes by
    /// default; else as [`cache_tiered::Cache::get_many_or_load`].
    pub async fn embed_many<F, Fut, R, E>(
        &self,
        spec: &EmbedSpec,
        texts: &[impl AsRef<str> + Sync],
        embedder: F,
    ) -> Result<Vec<Vector>, Error>
    where
        F: Fn(Vec<String>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        R: Into<Embedded> + 'static,
        E: Into<BoxError> + 'static,
    {
        let dimensions = spec.dimensions;
        let embedder: Embedder = Arc::new(move |texts| {
            let (count, embedding) = (texts.len(), embedder(texts));
            Box::pin(async move {
                let embedded: Embedded = embedding.await.map_err(Into::into)?.into();
                check(&embedded, count, dimensions)?;
                Ok(embedded)
            })
        });
        Box::pin(self.embed(spec, texts.iter().map(AsRef::as_ref).collect(), embedder)).await
    }

    async fn embed(
        &self,
        spec: &EmbedSpec,
        texts: Vec<&str>,
        embedder: Embedder,
    ) -> Result<Vec<Vector>, Error> {
        let shared = &self.shared;
        let embedder = if shared.only_if_cached {
            let refuse: Embedder = Arc::new(|_| Box::pin(async { Err(BoxError::from(NotCached)) }));
            refuse
        } else {
            embedder
        };
        let (began, before) = (shared.timer.now(), shared.generations());
        let policy = shared.operations.of(EMBEDDING);
        // Each text once, in the order in which it was first given, and texts that are one question as well.
        let (mut order, mut unique) = (Vec::with_capacity(texts.len()), Vec::new());
        let (mut places, mut questions) = (HashMap::<&str, usize>::new(), HashMap::new());
        for text in texts {
            let place = match places.get(text) {
                Some(&place) => place,
                None => {
                    let item = self.item(spec, text).await?;
                    let place = *questions.entry(item.keyed.digest).or_insert(unique.len());
                    if place == unique.len() {
                        unique.push(item);
                    }
                    places.insert(text, place);
                    place
                }
            };
            order.push(place);
        }
        let Some(first) = unique.first() else { return Ok(Vec::new()) };
        // Of texts that share a name only the first goes by the cache.
        let mut names: HashMap<&str, usize> = HashMap::new();
        if plan(&Control::new(), policy.repeats(), first.keyed.is_deterministic, None) == Plan::Look {
            for (at, item) in unique.iter().enumerate() {
                names.entry(&item.keyed.name).or_insert(at);
            }
        }
        let mut by_cache: Vec<usize> = names.values().copied().collect();
        by_cache.sort_unstable();

        let mut options = shared.options(&first.keyed, policy);
        // One for all of them: none is kept longer than it may be.
        let ttl = |item: &Item| shared.operations.ttl(policy, item.keyed.text_tier, &item.keyed.digest);
        options.entry.fresh_for = unique.iter().map(ttl).min();
        let keys: Vec<&str> = by_cache.iter().map(|&at| unique[at].keyed.name.as_str()).collect();
        let asked: HashMap<String, Item> =
            by_cache.iter().map(|&at| (unique[at].keyed.name.clone(), unique[at].clone())).collect();
        let notes = Arc::new(Notes::default());
        let missed =
            |_: &Error| notes.asked.lock().iter().for_each(|&tier| shared.counters.missed(EMBEDDING, tier));
        let (own, ask, noted) = (Arc::clone(shared), Arc::clone(&embedder), Arc::clone(&notes));
        let entries = shared
            .cache
            .get_many_or_load::<Embedding, _, _, _>(&keys, options, move |missing| async move {
                let items: Vec<Item> = missing.iter().filter_map(|name| asked.get(name).cloned()).collect();
                let entries = embed_items(&own, &items, &ask, &noted).await?;
                Ok::<_, BoxError>(missing.into_iter().zip(entries).collect())
            })
            .await
            .inspect_err(missed)?;
        let (asked_at, seen_at) = (*notes.asked_at.lock(), shared.timer.now());

        let mut found: Vec<Option<Arc<Embedding>>> = vec![None; unique.len()];
        for (&at, entry) in by_cache.iter().zip(entries) {
            let Some(entry) = entry else { continue };
            if entry.is_of(&unique[at].keyed, 0) {
                found[at] = Some(entry);
            } else {
                shared.counters.verified_away(EMBEDDING);
            }
        }
        // What is left has the name of another text, or must not be repeated. It is asked for, and not kept.
        let left: Vec<usize> = (0..unique.len()).filter(|&at| found[at].is_none()).collect();
        if !left.is_empty() {
            let items: Vec<Item> = left.iter().map(|&at| unique[at].clone()).collect();
            let embedding = embed_items(shared, &items, &embedder, &notes);
            let entries = bounded(shared, embedding).await.inspect_err(missed)?;
            for (at, entry) in left.into_iter().zip(entries) {
                found[at] = Some(Arc::new(entry));
            }
        }
        same_dimensions(found.iter().flatten()).inspect_err(missed)?;
        let (took, made) = (shared.timer.now().since(began), notes.made.lock().clone());
        let source = |entry: &Embedding| match entry {
            entry if made.contains(&entry.id) => Source::Generated,
            entry if entry.number > before => Source::Joined,
            _ => Source::Cache,
        };
        let is_joined = found.iter().flatten().any(|entry| source(entry) == Source::Joined);
        // Hits were there when the model was asked for the rest. Where others were waited for instead, nobody knows.
        let hit_took = asked_at.or((!is_joined).then_some(seen_at)).map(|at| at.since(began));
        for (item, entry) in unique.iter().zip(&found) {
            let Some(entry) = entry else { continue };
            let source = source(entry);
            let took = if source == Source::Cache { hit_took } else { Some(took) };
            shared.count(&item.keyed.name, entry, source, None, took);
        }
        let vector = |place: usize| {
            let whole = found[place].as_ref().and_then(|entry| entry.whole());
            whole.ok_or_else(|| Error::new(ErrorKind::Internal, "a text was left without its vector"))
        };
        order.into_iter().map(vector).collect()
    }

    async fn item(&self, spec: &EmbedSpec, text: &str) -> Result<Item, Error> {
        let request = spec.request.clone().text(text);
        let schema = self.shared.operations.of(EMBEDDING).schema.as_ref();
        let question = Question::of(&request, schema).await?;
        let keyed = self.shared.key(&question).await?;
        Ok(Item { text: text.into(), keyed: Arc::new(keyed) })
    }
}

/// A text and its names.
#[derive(Clone)]
struct Item {
    text: Arc<str>,
    keyed: Arc<Keyed>,
}

/// What is known of a batch's questions to the model.
#[derive(Default)]
struct Notes {
    /// When the first was asked.
    asked_at: Mutex<Option<Moment>>,
    /// The sizes of the texts that were asked for.
    asked: Mutex<Vec<TextTier>>,
    /// The entries that came of them.
    made: Mutex<HashSet<u64>>,
}

async fn embed_items(
    shared: &crate::cache::Shared,
    items: &[Item],
    embedder: &Embedder,
    notes: &Notes,
) -> Result<Vec<Embedding>, BoxError> {
    let began = shared.timer.now();
    notes.asked_at.lock().get_or_insert(began);
    notes.asked.lock().extend(items.iter().map(|item| item.keyed.text_tier));
    let embedded = embedder(items.iter().map(|item| item.text.to_string()).collect()).await?;
    let took = shared.timer.now().since(began);
    let now = shared.timer.unix_millis();
    let took = took / u32::try_from(items.len().max(1)).unwrap_or(u32::MAX);
    let (usage, count) = (embedded.usage, items.len().max(1) as u64);
    let entry = |(at, (item, vector)): (u64, (&Item, Vec<f32>))| {
        let share = |of: u64| of / count + u64::from(at < of % count);
        let share = Usage::new(share(usage.input), share(usage.output));
        let Generated { answer, .. } = Generated::new(Plain(vector));
        let outcome = Outcome { usage: share, ..Outcome::default() };
        let mut entry = Entry::new(&item.keyed, 0, Body::Whole(Arc::new(answer)), &outcome, took, now);
        shared.spent(&mut entry);
        notes.made.lock().insert(entry.id);
        entry
    };
    Ok((0..).zip(items.iter().zip(embedded.vectors)).map(entry).collect())
}

/// # Errors
/// If a text was embedded before the model began to bring vectors of another length: they cannot be compared.
fn same_dimensions<'a>(mut entries: impl Iterator<Item = &'a Arc<Embedding>>) -> Result<(), Error> {
    let length = |entry: &Arc<Embedding>| entry.whole().map(|vector| vector.len());
    let Some(first) = entries.next().map(length) else { return Ok(()) };
    match entries.map(length).find(|length| *length != first) {
        Some(other) => Err(Error::new(
            ErrorKind::Load,
            format!(
                "vectors of one batch have {} and {} dimensions: say which are wanted, or invalidate the model",
                first.unwrap_or_default(),
                other.unwrap_or_default()
            ),
        )),
        None => Ok(()),
    }
}

fn check(embedded: &Embedded, count: usize, dimensions: Option<usize>) -> Result<(), BoxError> {
    if embedded.vectors.len() != count {
        return Err(format!("{} vectors came for {count} texts", embedded.vectors.len()).into());
    }
    if embedded.vectors.iter().flatten().any(|number| !number.is_finite()) {
        return Err("a vector holds what is no number".into());
    }
    let expected = dimensions.or(embedded.vectors.first().map(Vec::len)).unwrap_or_default();
    match embedded.vectors.iter().find(|vector| vector.len() != expected || vector.is_empty()) {
        Some(vector) => {
            Err(format!("a vector has {} dimensions, {expected} are expected", vector.len()).into())
        }
        None => Ok(()),
    }
}
