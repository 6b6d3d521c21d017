//! What an answer says of itself.

use std::time::Duration;

use cache_core::{Coherence, Feed, Status, Tier};

/// Where an answer came from, how old it is, and why it is what it is.
///
/// ```
/// # use cache_tiered::{Cache, Error, Status};
/// # async fn example(cache: &Cache) -> Result<(), Error> {
/// let (name, receipt) = cache.get_with_receipt::<String>("user:42:name").await?;
/// match (name, receipt.status) {
///     (Some(name), _) => println!("{name}, {:?} old, by {:?}", receipt.age, receipt.tier),
///     (None, Status::StoreUnavailable) => println!("the store did not answer"),
///     (None, why) => println!("nothing: {}", why.as_str()),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The tier that answered; `None` for a miss.
    pub tier: Option<Tier>,
    /// How long ago the value was made; `None` for a miss.
    pub age: Option<Duration>,
    /// How much longer it is fresh; zero when it is not any more; `None` for a miss.
    pub fresh_for: Option<Duration>,
    /// How it stands, or why there is nothing.
    pub status: Status,
    /// What keeps tier 1 in step with other processes.
    pub coherence: Coherence,
}

/// What keeps tier 1 in step where the store has this feed; `None` if there is nobody else.
pub(crate) const fn kept_by(shared_feed: Option<Feed>) -> Coherence {
    match shared_feed {
        None => Coherence::Private,
        Some(Feed::Tracking) => Coherence::Feed,
        Some(Feed::PubSub) => Coherence::PubSub,
        Some(_) => Coherence::TtlOnly,
    }
}
