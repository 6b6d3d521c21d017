//! Answers in the wire formats that most models speak, as JSON: what a client does not know of is kept all the same.

mod chat;
mod choice;
mod pieces;
mod responses;

pub use self::chat::Chat;
pub use self::responses::Responses;
