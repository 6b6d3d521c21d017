//! Two of the application that share a Redis.

mod common;

use std::time::{Duration, Instant};

use cache_testkit::redis::{RedisServer, fresh_namespace};
use common::App;

#[test]
fn two_of_them_share_sessions_weather_and_answers() {
    let server = RedisServer::shared_or_launch().unwrap();
    let (url, name) = (server.url(), fresh_namespace("web-app").unwrap());
    // A busy machine is no outage.
    let variables = [
        ("CACHE_REDIS_URL", url.as_str()),
        ("CACHE_NAMESPACE", name.as_str()),
        ("CACHE_STORE_TIMEOUT", "5"),
        ("CACHE_REDIS_CONNECT_TIMEOUT", "5"),
    ];
    let (one, two) = (App::start(&variables), App::start(&variables));

    let session = one.login("ann");
    assert_eq!(two.get("/me", &session).json()["user"], "ann");

    // What one has asked for the other does not ask for again: its own first answers are those to what comes after.
    assert_eq!(one.get("/weather/oslo", "").json()["answer"], 1);
    assert_eq!(two.get("/weather/oslo", "").json()["city"], "oslo");
    assert_eq!(two.get("/weather/bergen", "").json()["answer"], 1);

    let (question, other) = (r#"{"question": "Where is Oslo?"}"#, r#"{"question": "And where is Bergen?"}"#);
    assert_eq!(one.post("/ask", &session, question).json()["is_cached"], false);
    assert_eq!(two.post("/ask", &session, question).json()["answer"], "Answer 1: 3 words were asked.");
    assert_eq!(two.post("/ask", &session, other).json()["answer"], "Answer 1: 4 words were asked.");

    assert_eq!(two.post("/logout/everywhere", &session, "").status, 204);
    let began = Instant::now();
    while one.get("/me", &session).status != 401 {
        assert!(began.elapsed() < Duration::from_secs(10), "a session outlived signing out elsewhere");
    }
}
