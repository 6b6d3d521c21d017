#![doc = include_str!("../README.md")]

mod admission;
mod alone;
mod answer;
mod answered;
mod asked;
mod blocking;
mod builder;
mod cache;
mod canonical;
mod control;
mod digest;
mod embed;
mod entry;
mod explain;
#[cfg(any(feature = "metrics", feature = "prometheus"))]
mod export;
mod gate;
mod generate;
mod guide;
mod invalidate;
mod inventory;
mod key;
mod ledger;
#[cfg(feature = "async-openai")]
mod openai;
mod operation;
mod price;
mod question;
mod ranks;
mod report;
mod request;
mod samples;
mod schema;
mod settings;
mod slot;
mod stats;
mod stream;
mod tenant;
mod text_tier;
mod transfer;
mod wire;
mod worth;

pub use admission::{AdmissionPolicy, AdmissionStats, Admit};
pub use answer::{Answer, Finish, Generated, Outcome, Plain, Usage};
pub use answered::{AnswerMeta, Answered, Source};
pub use builder::AiCacheBuilder;
#[doc(alias = "AIResponseCache")]
pub use cache::AiCache;
pub use cache::{TenantCache, WeakAiCache};
pub use cache_core::{Error, ErrorKind, Tier};
pub use cache_tiered::{Cache, Confirm, Data, Loaded, Namespace};
pub use control::{Control, NotCached};
pub use digest::Digest;
pub use embed::{EMBEDDING, EmbedSpec, Embedded, Vector};
pub use explain::Explanation;
pub use gate::Refused;
pub use guide::Kept;
pub use invalidate::Which;
pub use inventory::StoredAnswers;
pub use ledger::{Ledger, LedgerLine, Sums};
#[cfg(feature = "async-openai")]
pub use openai::CachedOpenAi;
pub use operation::{OperationPolicy, Repeat};
pub use price::{Price, PriceTable};
pub use report::AiReport;
pub use request::{AiRequest, NOISE};
pub use schema::OptionKind;
#[doc(alias = "OPERATION_SCHEMAS")]
#[doc(alias = "normalize_options")]
pub use schema::OptionSchema;
pub use settings::{AiSettings, MAX_TEXT_HASH_THRESHOLD};
pub use stats::{AiStats, Latency, OperationStats};
pub use stream::{AnswerStream, Replay};
pub use tenant::Tenant;
pub use text_tier::{TextTier, TextTiers};
pub use transfer::Transferred;
pub use wire::{Chat, Responses};
