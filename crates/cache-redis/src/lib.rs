#![doc = include_str!("../README.md")]

mod address;
mod backoff;
mod builder;
mod client;
mod conn;
mod connect;
mod fault;
mod feed;
mod info;
mod link;
mod marks;
mod reply;
mod scripts;
mod store;
mod supervisor;
mod suspicion;
mod value;

pub use builder::RedisStoreBuilder;
pub use store::RedisStore;
