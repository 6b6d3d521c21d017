//! No route, page, log line, error or `Debug` has a key, a value, a prompt, a tenant or a password in it.
//!
//! In a file of its own and in one test: who is told of the log is remembered for the whole process.
#![cfg(all(feature = "memory", feature = "redis", feature = "ai", feature = "http"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::time::{Duration, Instant};

use cache_factory::ai::{AiRequest, Control, Generated, Loaded, PriceTable, Tenant, Usage};
use cache_factory::durations::{mins, secs};
use cache_factory::{CacheFactory, PerformanceMonitor, SetOptions};
use cache_testkit::browser::{Browser, Screen};
use cache_testkit::redis::{Options, fresh_namespace};
use common::log::Log;
use common::{own, text, url_with, web};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CANARY: &str = "c4n4ry";
const SOON: Duration = Duration::from_secs(60);

async fn ask(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn every_route(address: std::net::SocketAddr) -> Vec<String> {
    let mut answers = Vec::new();
    for path in ["/", "/health", "/stats", "/history", "/metrics", "/c4n", "/history?after=c4n"] {
        answers.push(ask(address, path).await);
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_shows_over_http() {
    let server = own(&Options::new().password(CANARY));
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let monitor = PerformanceMonitor::new();
    let url = url_with(&server, CANARY);
    let cache = web(&url, "canary").performance_monitor(monitor.clone()).await.unwrap();
    let prices = || PriceTable::new("USD").model("m-1", 2.5, 10.0);
    let ai = CacheFactory::new()
        .for_ai_app()
        .redis_url(url.as_str())
        .namespace(fresh_namespace("canary-ai").unwrap().as_str());
    let ai = ai.connect_timeout(secs(5)).fail_on_connection_error(true).ai(move |ai| ai.prices(prices()));
    let ai = ai.performance_monitor(monitor.clone()).await.unwrap();

    let key = format!("user:{CANARY}");
    cache.set(&key, CANARY, SetOptions::ttl(mins(5)).tag(CANARY)).await.unwrap();
    let short = format!("what does {CANARY} mean?");
    let long = short.repeat(100);
    let generated = || async { Loaded::Ok(Generated::new(CANARY.to_owned()).usage(Usage::new(1000, 100))) };
    for n in 0..300 {
        text(&cache, &key).await;
        text(&cache, &format!("none:{CANARY}:{n}")).await;
        let prompt = [&short, &long][n % 2];
        let request =
            AiRequest::new(Tenant::new(CANARY).unwrap(), "qa").model("m-1").message("user", prompt.as_str());
        ai.get_or_generate(&request, Control::new(), generated).await.unwrap();
        let guide = ai.for_tenant(Tenant::new(CANARY).unwrap());
        guide
            .get_cached_response::<String>(prompt, "qa", &serde_json::json!({"note": CANARY}))
            .await
            .unwrap();
    }
    cache.delete(&key).await.unwrap();
    let failed = cache.get_or_load::<String, _>(&key, mins(5), || async { Loaded::Err("no".into()) }).await;
    cache.invalidate_tag(CANARY).await.unwrap();
    text(&cache, &key).await;
    monitor.check();

    let serve = monitor.serve();
    let mut shown = vec![format!("{serve:?} {failed:?}")];
    let served = serve.await.unwrap();
    shown.extend(every_route(served.address()).await);
    let page = served.url();
    let seen = tokio::task::spawn_blocking(move || {
        let browser = Browser::launch().unwrap();
        let mut page = browser.open(&page, Screen::desktop()).unwrap();
        page.wait_for("document.querySelector('#saved table')", SOON).unwrap();
        let seen = page.eval("document.documentElement.outerHTML").unwrap().as_str().unwrap().to_owned();
        format!("{seen} {:?} {:?}", page.requests().unwrap(), page.complaints().unwrap())
    });
    let seen = seen.await.unwrap();
    assert!(
        seen.contains("`user:…` (11 bytes)") && seen.contains("m-1"),
        "there is something to see: {seen}"
    );
    shown.push(seen);

    let other = web(&url_with(&server, "another"), "canary").await.unwrap_err();
    shown.push(format!("{other} {other:?}"));
    drop(server);
    let began = Instant::now();
    while monitor.alerts().is_empty() {
        assert!(began.elapsed() < SOON, "{:?}", monitor.snapshot().caches[0].stats);
        cache.get::<String>(&key).await.unwrap();
        monitor.check();
    }
    shown.extend(every_route(served.address()).await);
    let away = web(&url, "canary").connect_timeout(secs(1)).await.unwrap_err();
    shown.push(format!(
        "{away} {away:?} {served:?} {monitor:?} {monitor:#?} {cache:?} {ai:?} {:?}",
        ai.downgrade()
    ));
    shown.push(format!("{:?} {:?}", monitor.sections(), monitor.history(0)));
    shown.push(log.text());
    for text in &shown {
        assert!(!text.contains(CANARY), "{text}");
    }
    assert!(log.text().contains("an alert is up"), "{}", log.text());
}
