//! A store that keeps the contract to the letter, in memory, with faults that a test can stage.

mod builder;
mod client;
mod faults;
mod gate;
mod server;
mod space;
mod state;
mod store;

pub use builder::ReferenceBuilder;
pub use faults::Op;
pub use gate::Gate;
pub use server::ReferenceServer;
pub use store::ReferenceStore;
