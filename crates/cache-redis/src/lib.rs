#![doc = include_str!("../README.md")]

mod address;
mod backoff;
mod builder;
mod canary;
mod client;
mod conn;
mod connect;
mod fault;
mod feed;
mod following;
mod hear;
mod info;
mod link;
mod marks;
mod message;
mod reply;
mod scripts;
mod server;
mod sign_in;
mod store;
mod subscriber;
mod supervisor;
mod suspicion;
mod tls;
mod value;
mod vitals;

pub use builder::RedisStoreBuilder;
pub use server::{RawPage, RedisServer};
#[doc(alias = "GenericRedisCache")]
pub use store::RedisStore;
