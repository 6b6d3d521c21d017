//! The application in memory, over a real socket.

mod common;

use common::App;

const IN_MEMORY: &[(&str, &str)] = &[("CACHE_TYPE", "memory")];

#[test]
fn a_user_signs_in_comes_back_and_signs_out() {
    let app = App::start(IN_MEMORY);
    assert_eq!(app.get("/me", "").status, 401);

    let session = app.login("ann");
    assert_eq!(app.get("/me", &session).json()["user"], "ann");
    assert_eq!(app.get("/me", &session).json()["visits"], 2);

    let other = app.login("ann");
    assert_eq!(app.post("/logout", &session, "").status, 204);
    assert_eq!((app.get("/me", &session).status, app.get("/me", &other).status), (401, 200));

    let bob = app.login("bob");
    assert_eq!(app.post("/logout/everywhere", &other, "").status, 204);
    assert_eq!((app.get("/me", &other).status, app.get("/me", &bob).status), (401, 200));
}

#[test]
fn the_weather_is_asked_for_once_until_it_changes() {
    let app = App::start(IN_MEMORY);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| app.get("/weather/paris", "").json())).collect();
        for weather in all {
            assert_eq!(weather.join().unwrap()["answer"], 1);
        }
    });
    assert_eq!(app.post("/weather/paris/changed", "", "").status, 204);
    assert_eq!(app.get("/weather/paris", "").json()["answer"], 2);

    let failed = app.get("/weather/atlantis", "");
    assert_eq!(failed.status, 502);
    assert!(failed.body.contains("no weather in Atlantis"), "{}", failed.body);
}

#[test]
fn answers_of_the_model_are_each_users_own() {
    let app = App::start(IN_MEMORY);
    let question = r#"{"question": "Where is Paris?"}"#;
    assert_eq!(app.post("/ask", "", question).status, 401);

    let (ann, bob) = (app.login("ann"), app.login("bob"));
    let first = app.post("/ask", &ann, question).json();
    assert_eq!(
        (&first["answer"], &first["is_cached"]),
        (&"Answer 1: 3 words were asked.".into(), &false.into())
    );
    let again = app.post("/ask", &ann, question).json();
    assert_eq!((&again["answer"], &again["is_cached"]), (&first["answer"], &true.into()));
    assert_eq!(again["calls_saved"], 1);
    let other = app.post("/ask", &bob, question).json();
    assert_eq!(
        (&other["answer"], &other["is_cached"]),
        (&"Answer 2: 3 words were asked.".into(), &false.into())
    );
}

#[test]
fn the_page_and_what_it_shows_are_there() {
    let app = App::start(IN_MEMORY);
    app.get("/weather/paris", "");
    app.get("/weather/paris", "");
    assert!(app.get("/cache/", "").body.contains("<html"));
    assert_eq!(app.get("/cache/health", "").status, 200);
    let stats = app.get("/cache/stats", "").json().to_string();
    assert!(stats.contains(r#""web-app""#) && stats.contains(r#""web-app-ai""#), "{stats}");
    assert!(app.get("/cache/metrics", "").body.contains("cache_reads_total"));
}
