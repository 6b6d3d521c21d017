//! The routes over a real socket: what they answer, what they refuse, and what no request can make of them.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use cache_core::ErrorKind;
use cache_memory::MemoryTier;
use cache_monitor::{PerformanceMonitor, Served};
use cache_testkit::{FakeClock, Op, ReferenceServer};
use cache_tiered::{Cache, Namespace, Settings};
use proptest::prelude::*;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const MINUTE: Duration = Duration::from_secs(60);
const ROUTES: [(&str, &str); 5] = [
    ("/", "text/html; charset=utf-8"),
    ("/health", "application/json"),
    ("/stats", "application/json"),
    ("/history", "application/json"),
    ("/metrics", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
];

struct World {
    clock: Arc<FakeClock>,
    monitor: Arc<PerformanceMonitor>,
    store: Arc<ReferenceServer>,
    cache: Cache,
    served: Served,
}

impl World {
    async fn new() -> Self {
        let clock = FakeClock::new();
        let monitor = PerformanceMonitor::builder().clock(clock.clone()).build().unwrap();
        let store = ReferenceServer::new(clock.clone());
        store.beat_with(&clock);
        let tier = Arc::new(MemoryTier::new(1000, 64 << 20, clock.clone()).unwrap());
        let cache =
            Cache::builder(Namespace::new("app").unwrap()).local(tier).store(Arc::new(store.connect()));
        let cache = cache.timer(clock.clone()).observer(monitor.clone()).settings(Settings::default());
        let served = monitor.serve().await.unwrap();
        Self { clock, monitor, store, cache: cache.build().unwrap(), served }
    }

    async fn get(&self, path: &str) -> Answer {
        ask(
            self.served.address(),
            &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
        )
        .await
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await.body).unwrap()
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.head.lines().filter_map(|line| line.split_once(": ")).find(|(it, _)| *it == name);
        found.map(|(_, value)| value)
    }
}

async fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(MINUTE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{request:?} {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

fn is_guarded(answer: &Answer) {
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "deny"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{answer:?}");
    }
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_in_its_form_and_is_guarded() {
    let world = World::new().await;
    for (route, form) in ROUTES {
        let answer = world.get(route).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(form)), "{route}");
        is_guarded(&answer);
        assert!(!answer.body.is_empty());
        let head = format!("HEAD {route} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let head = ask(world.served.address(), &head).await;
        assert_eq!((head.status, head.header("content-type"), &*head.body), (200, Some(form), ""), "{route}");
        is_guarded(&head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_reading_is_possible_and_nothing_else_is_there() {
    let world = World::new().await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        for route in ["/", "/stats", "/none"] {
            let request = format!(
                "{method} {route} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let answer = ask(world.served.address(), &request).await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some("get, head")), "{method} {route}");
            is_guarded(&answer);
        }
    }
    for path in ["/none", "/stats/", "/stats/x", "//", "/..", "/%2e%2e/stats", "/STATS", "/page.js", "/%00"] {
        let answer = world.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        is_guarded(&answer);
    }
    for (query, status) in [
        ("", 200),
        ("after=5", 200),
        ("after=-1", 400),
        ("after=", 400),
        ("x=1", 400),
        ("after=1&after=2", 200),
    ] {
        assert_eq!(world.get(&format!("/history?{query}")).await.status, status, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_those_of_the_traffic() {
    let world = World::new().await;
    world.cache.set("user:1", &"x".repeat(3000), MINUTE).await.unwrap();
    for n in 0..4 {
        world.cache.get::<String>(["user:1", "user:2"][n % 2]).await.unwrap();
    }
    world.monitor.add_section("release", "web", || Some([("version", "4.2")]));
    let stats = world.json("/stats").await;
    assert_eq!(stats["caches"][0]["stats"]["hit_ratio"], 0.5);
    assert_eq!(stats["hot_keys"][0]["key"], "`user:…` (6 bytes)");
    assert!(stats["big_keys"][0]["bytes"].as_u64().unwrap() > 3000);
    assert_eq!(stats["thresholds"]["operation_slow"], 0.1);
    assert_eq!(stats["sections"][0]["content"][0][1], "4.2");
    assert_eq!(
        (stats["alerts"].as_array(), stats["recommendations"].as_array()),
        (Some(&vec![]), Some(&vec![]))
    );

    let health = world.json("/health").await;
    assert_eq!(
        (&health["status"], &health["hit_ratio"], &health["total_operations"]),
        (&"healthy".into(), &0.5.into(), &5.into())
    );
    assert_eq!(health["caches"]["app"]["coherence"], "feed");
    assert!(health["memory_usage_mb"].as_f64().unwrap() > 0.003);

    assert!(
        world
            .get("/metrics")
            .await
            .body
            .contains("cache_reads_total{cache=\"app\",tier=\"none\",result=\"miss\"} 2")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_just_opened_sees_the_last_minutes() {
    let world = World::new().await;
    for n in 0..3 {
        world.cache.get::<String>(format!("none:{n}")).await.unwrap();
        world.clock.advance(Duration::from_secs(10));
        // As the task does that watches over a monitor.
        world.monitor.check();
    }
    world.cache.get::<String>("none").await.unwrap();
    world.clock.advance(Duration::from_secs(4));
    let history = world.json("/history").await;
    let app = &history["caches"][0];
    let misses =
        |points: &Value| points.as_array().unwrap().iter().map(|it| it["misses"].clone()).collect::<Vec<_>>();
    assert_eq!(misses(&app["points"]), [1, 1, 1]);
    assert_eq!((&app["now"]["misses"], &app["now"]["seconds"]), (&1.into(), &4.0.into()));
    let second = app["points"][1]["at_unix_ms"].as_u64().unwrap();
    let later = world.json(&format!("/history?after={second}")).await;
    assert_eq!(later["caches"][0]["points"].as_array().unwrap().len(), 1);
    // Whoever asks ends the step, where nobody watches over the monitor.
    world.clock.advance(Duration::from_secs(6));
    assert_eq!(world.json("/history").await["caches"][0]["points"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_degraded_cache_is_still_asked_and_an_unhealthy_one_is_not() {
    let world = World::new().await;
    world.store.fail_next(Op::Get, 1, ErrorKind::Unavailable);
    let degraded = world.get("/health").await;
    assert!(
        degraded.status == 200 && degraded.body.contains(r#""status":"degraded","reasons":["app: "#),
        "{degraded:?}"
    );
    world.cache.close();
    let began = Instant::now();
    loop {
        // What was found out a moment ago is good for a second.
        let answer = world.get("/health").await;
        if answer.status == 503 {
            assert!(answer.body.contains(r#""status":"unhealthy""#), "{answer:?}");
            return is_guarded(&answer);
        }
        assert!(began.elapsed() < MINUTE, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_holds_nobody_up_and_is_tried_once() {
    let world = World::new().await;
    let hung = world.store.hold(Op::Put);
    let (address, began) = (world.served.address(), Instant::now());
    let request = "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let asking: Vec<_> = (0..200).map(|_| tokio::spawn(ask(address, request))).collect();
    for asked in asking {
        let answer = asked.await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains("not all caches said within 800ms how they are"), "{answer:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(world.store.calls(Op::Put), 1, "one attempt for all");
    hung.release();
    let began = Instant::now();
    while world.get("/health").await.body.contains("not all caches") {
        assert!(began.elapsed() < MINUTE, "it does not come back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_does_not_end_an_attempt() {
    let world = World::new().await;
    let hung = world.store.hold(Op::Put);
    let mut stream = TcpStream::connect(world.served.address()).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    hung.reached().await;
    drop(stream);
    hung.release();
    let answer = world.get("/health").await;
    assert!(answer.body.contains(r#""status":"healthy""#), "{answer:?}");
    assert_eq!(world.store.calls(Op::Put), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn below_a_prefix_all_is_there_and_the_application_is_left_alone() {
    let monitor = PerformanceMonitor::new();
    for (router, page) in [
        (Router::new().nest_service("/ops/cache", monitor.router()), &["/ops/cache", "/ops/cache/"][..]),
        (Router::new().nest("/ops/cache", monitor.router()), &["/ops/cache"]),
    ] {
        let router = router.route("/own", axum::routing::post(|| async { "own" }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let get = |method: &str, path: &str| {
            let request =
                format!("{method} {path} HTTP/1.1\r\nhost: anything.example\r\nconnection: close\r\n\r\n");
            async move { ask(address, &request).await }
        };
        for (route, form) in &ROUTES[1..] {
            let answer = get("GET", &format!("/ops/cache{route}")).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, Some(*form)));
        }
        for page in page {
            let answer = get("GET", page).await;
            assert!(answer.status == 200 && answer.body.starts_with("<!doctype html>"), "{page}");
            is_guarded(&answer);
        }
        let none = get("GET", "/ops/cache/none").await;
        assert_eq!(none.status, 404);
        is_guarded(&none);
        let own = get("POST", "/own").await;
        assert_eq!((own.status, &*own.body, own.header("content-security-policy")), (200, "own", None));
        assert_eq!(get("GET", "/elsewhere").await.header("content-security-policy"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_whole_by_itself() {
    let world = World::new().await;
    let page = world.get("/").await.body;
    for elsewhere in
        ["src=", "url(", "@import", "//cdn", "integrity", "innerHTML", "/* style */", "/* script */"]
    {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    let addresses: Vec<&str> =
        page.match_indices("http").map(|(at, _)| &page[at..(at + 26).min(page.len())]).collect();
    assert!(addresses.iter().all(|it| it.starts_with("http://www.w3.org/2000/svg")), "{addresses:?}");
    assert!(page.len() < 60_000, "{} bytes", page.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_for_this_machine_unless_told_otherwise() {
    let monitor = PerformanceMonitor::new();
    let served = monitor.serve().await.unwrap();
    assert!(served.address().ip().is_loopback());
    assert_eq!(served.url(), format!("http://{}/", served.address()));

    let everywhere = "0.0.0.0".parse().unwrap();
    let error = monitor.serve().address(everywhere).host("http://x/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(
        error.message().starts_with("2 problems: address is 0.0.0.0, which other machines reach"),
        "{error}"
    );
    assert!(monitor.serve().open_to_others().await.unwrap_err().message().contains("has no effect"));
    assert!(monitor.serve().address(everywhere).open_to_others().await.is_ok());

    let taken = monitor.serve().port(served.address().port()).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_answers_to_its_own_names_only() {
    let monitor = PerformanceMonitor::new();
    let served = monitor.serve().host("cache.internal").await.unwrap();
    let asked_as = |host: &str| {
        let request = format!("GET /stats HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        async { ask(served.address(), &{ request }).await }
    };
    for (host, status) in [
        ("localhost", 200),
        ("127.0.0.1:80", 200),
        ("cache.internal", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
    ] {
        let answer = asked_as(host).await;
        assert_eq!(answer.status, status, "{host}");
        is_guarded(&answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_ends_when_it_is_dropped() {
    let monitor = PerformanceMonitor::new();
    let served = monitor.serve().await.unwrap();
    let address = served.address();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /stats HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    idle.read_u8().await.unwrap();
    drop(served);
    tokio::time::timeout(MINUTE, idle.read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    let began = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(began.elapsed() < MINUTE, "it still listens");
    }
    // The task that served the connection is dropped a moment after the connection.
    while Arc::strong_count(&monitor) > 1 {
        assert!(began.elapsed() < MINUTE, "it keeps the monitor");
        tokio::task::yield_now().await;
    }
}

/// Time passes when nothing else happens.
#[tokio::test(start_paused = true)]
async fn half_a_request_does_not_keep_a_server_that_was_dropped() {
    for half in ["", "GET /stats HT", "GET /stats HTTP/1.1\r\nhost: local"] {
        let monitor = PerformanceMonitor::new();
        let served = monitor.serve().await.unwrap();
        let mut asking = TcpStream::connect(served.address()).await.unwrap();
        asking.write_all(half.as_bytes()).await.unwrap();
        // Connections are taken in their order, so one that comes later is answered after the first was taken.
        let mut later = TcpStream::connect(served.address()).await.unwrap();
        later
            .write_all(b"GET /stats HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        later.read_to_end(&mut Vec::new()).await.unwrap();
        drop(served);
        tokio::time::timeout(MINUTE, asking.read_to_end(&mut Vec::new())).await.unwrap().ok();
        let began = Instant::now();
        while Arc::strong_count(&monitor) > 1 {
            assert!(began.elapsed() < MINUTE, "it keeps the monitor");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_section_that_panics_takes_nothing_else_away() {
    let world = World::new().await;
    world.monitor.add_section("good", "one", || Some(7));
    world.monitor.add_section("bad", "two", || -> Option<u8> { panic!("the application's") });
    for _ in 0..2 {
        let stats = world.json("/stats").await;
        assert_eq!(stats["sections"][0]["content"], 7, "{stats}");
        assert_eq!(stats["sections"][1]["content"], "it panicked", "{stats}");
    }
}

/// Anything that is a request at all, and much that is none.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof![4 => Just("GET".to_owned()), 1 => Just("HEAD".to_owned()), 2 => "[A-Z]{1,9}", 1 => "\\PC{0,4}"];
    let path = prop_oneof![
        3 => prop::sample::select(vec!["/", "/health", "/stats", "/history", "/metrics"]).prop_map(str::to_owned),
        3 => "/[!-~]{0,40}",
        1 => "\\PC{0,40}",
        1 => "(/\\.\\.|%[0-9a-fA-F]{2}|//|/){1,20}",
        1 => "https?://[!-~]{0,20}",
    ];
    let query = prop_oneof![2 => Just(String::new()), 2 => "\\?after=[0-9]{0,25}", 2 => "\\?[!-~]{0,60}", 1 => "\\?\\PC{0,30}"];
    let header = prop_oneof![3 => "[a-zA-Z-]{1,20}: [ -~]{0,60}", 1 => "\\PC{0,40}", 1 => "host: \\PC{0,20}", 1 => "content-length: [0-9]{1,20}",
        1 => "accept(-encoding)?: [ -~]{0,20}", 1 => "transfer-encoding: chunked", 1 => "expect: 100-continue", 1 => "upgrade: h2c"];
    let headers = prop::collection::vec(header, 0..6);
    (method, path, query, headers, prop::bool::weighted(0.8), prop::collection::vec(any::<u8>(), 0..40))
        .prop_map(|(method, path, query, headers, has_host, body)| {
            let mut request = format!("{method} {path}{query} HTTP/1.1\r\n");
            if has_host {
                request.push_str("host: localhost\r\n");
            }
            headers.iter().for_each(|header| request.push_str(&format!("{header}\r\n")));
            let mut request = request.into_bytes();
            request.extend(b"connection: close\r\n\r\n");
            request.extend(body);
            request
        })
}

/// Whatever is sent, nothing panics, no answer says that the server is at fault, and the next one is served.
#[test]
fn no_request_is_the_servers_undoing() {
    use std::io::{Read, Write};

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let monitor = PerformanceMonitor::new();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let panics = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = panics.clone();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        before(info);
    }));
    let router = monitor.router();
    runtime.spawn(async move { axum::serve(listener, router).await });
    let ask = |request: &[u8], is_all: bool| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(MINUTE)).unwrap();
        // The server may close before it has read all.
        stream.write_all(request).ok();
        // Whoever says that no more comes may get no answer.
        if !is_all {
            stream.shutdown(std::net::Shutdown::Write).ok();
        }
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let result = runner.run(&request(), |request| {
        let answer = ask(&request, false);
        let status: Option<u16> = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        prop_assert!(answer.is_empty() || status.is_some_and(|status| status < 500), "{}", answer);
        Ok(())
    });
    assert_eq!(panics.load(std::sync::atomic::Ordering::SeqCst), 0);
    result.unwrap();
    let healthy = ask(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", true);
    assert!(healthy.starts_with("HTTP/1.1 200"), "{healthy}");
}
