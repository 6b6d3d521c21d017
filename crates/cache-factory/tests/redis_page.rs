//! The live page in a real browser, with real traffic on a real Redis behind it.
//!
//! With `CACHE_TEST_SCREENSHOTS` set to a folder it leaves its pictures there: `cargo xtask screenshots`.
#![cfg(all(feature = "memory", feature = "redis", feature = "ai", feature = "http"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cache_factory::ai::{AiCache, AiRequest, Control, Generated, Loaded, PriceTable, Tenant, Usage};
use cache_factory::durations::{mins, secs};
use cache_factory::{Cache, CacheFactory, PerformanceMonitor, Thresholds};
use cache_testkit::FakeClock;
use cache_testkit::browser::{Browser, Page, Screen};
use cache_testkit::redis::{Options, RedisServer};
use common::{own, pass};

/// A machine that is busy with other things takes its time to draw a page.
const SOON: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_secs(10);

struct World {
    /// Time as the monitor sees it, so that half an hour of history is made in seconds.
    clock: Arc<FakeClock>,
    monitor: Arc<PerformanceMonitor>,
    shop: Cache,
    assistant: AiCache,
    _server: RedisServer,
}

impl World {
    async fn new() -> Self {
        let server = own(&Options::new());
        let clock = FakeClock::new();
        let thresholds = Thresholds { hit_ratio_warning: 0.9, ..Thresholds::default() };
        let monitor =
            PerformanceMonitor::builder().clock(clock.clone()).thresholds(thresholds).build().unwrap();
        let factory = CacheFactory::new();
        let shop = factory.for_web_app().redis_url(server.url()).namespace("shop").l1_cache_size(150);
        let shop = shop.connect_timeout(secs(5)).store_timeout(secs(2)).fail_on_connection_error(true);
        let prices = || PriceTable::new("USD").model("large-1", 2.5, 10.0).model("small-1", 0.15, 0.6);
        let assistant = factory.for_ai_app().redis_url(server.url()).namespace("assistant");
        let assistant = assistant.connect_timeout(secs(5)).fail_on_connection_error(true);
        Self {
            shop: shop.performance_monitor(monitor.clone()).await.unwrap(),
            assistant: assistant
                .ai(move |ai| ai.prices(prices()))
                .performance_monitor(monitor.clone())
                .await
                .unwrap(),
            clock,
            monitor,
            _server: server,
        }
    }

    /// Ten seconds of a shop: some things are looked at often, most hardly ever, and now and then something new.
    async fn step(&self, n: u64) {
        let busy = 90 + 60 * (n % 40).abs_diff(20) / 20;
        let is_sale = (60..66).contains(&n);
        for visit in 0..busy {
            let dice = (n * 7919 + visit * 104_729) % 1000;
            let rank = dice * dice * dice / 1_000_000 * 420 / 1000;
            let key = match dice {
                _ if is_sale && dice < 400 => format!("offer:{n}:{visit}"),
                900.. => format!("search:{n}:{visit}"),
                _ => format!("product:{rank}"),
            };
            let size = if key == "product:7" { 90_000 } else { 300 + rank as usize * 9 };
            let load = move || async move { Loaded::Ok("x".repeat(size)) };
            self.shop.get_or_load(key, mins(30), load).await.unwrap();
        }
        for (operation, model, answers) in [("summarize", "large-1", 5), ("qa", "small-1", 9)] {
            let text = format!("Tell me about {operation} number {}", n * n % answers);
            let request = AiRequest::new(Tenant::shared(), operation).model(model).message("user", text);
            let answer = || async {
                pass(Duration::from_millis(30)).await;
                Loaded::Ok(Generated::new("It is fine.".to_owned()).usage(Usage::new(40_000, 9_000)))
            };
            self.assistant.get_or_generate(&request, Control::new(), answer).await.unwrap();
        }
        self.clock.advance(STEP);
        self.monitor.check();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_happens() {
    let world = World::new().await;
    for n in 0..120 {
        world.step(n).await;
    }
    let served = world.monitor.serve().await.unwrap();
    let router = axum::Router::new().nest_service("/ops/cache", world.monitor.router());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let below = format!("http://{}/ops/cache", listener.local_addr().unwrap());
    let application = tokio::spawn(async move { axum::serve(listener, router).await });
    let runtime = tokio::runtime::Handle::current();
    // Driving a browser blocks.
    tokio::task::spawn_blocking(move || {
        let browser = Browser::launch().unwrap();
        let mut page = open(&browser, &served.url(), Screen::desktop());
        let mut dark = open(&browser, &served.url(), Screen::desktop().dark());
        let mut phone = open(&browser, &below, Screen::phone());
        // Each ends where a card does.
        for (page, name, height) in
            [(&mut page, "light", 1140), (&mut dark, "dark", 1140), (&mut phone, "phone", 1290)]
        {
            picture(page, name, height);
        }
        all_is_there(&mut page, &world);
        it_can_be_read_by_keyboard(&mut page);
        it_is_live(&mut page, &world, &runtime);
        others_cannot_write_into_it(&mut page, &world);
        it_goes_on_asking_when_others_answer(&mut page);
        assert!(
            ground(&mut dark) < 60 && ground(&mut page) > 200,
            "the colours are those that are preferred"
        );
        assert_eq!(phone.eval("document.documentElement.scrollWidth").unwrap(), 360, "nothing is cut off");
        for (page, url) in [(&mut page, served.url()), (&mut dark, served.url()), (&mut phone, below)] {
            it_only_asks(page, &url);
        }
        application.abort();

        drop(served);
        page.wait_for("document.querySelector('#status').innerText === 'no answer'", SOON).unwrap();
    })
    .await
    .unwrap();
}

/// Opens the page, and waits until it has drawn what it was told.
fn open(browser: &Browser, url: &str, screen: Screen) -> Page {
    let mut page = browser.open(url, screen).unwrap();
    page.wait_for("document.querySelector('#tiles .value')", SOON).unwrap();
    page.wait_for("document.querySelector('#ratio svg path')", SOON).unwrap();
    page
}

fn text(page: &mut Page, selector: &str) -> String {
    let found = page.eval(&format!("document.querySelector('{selector}')?.innerText ?? 'nothing there'"));
    found.unwrap().as_str().unwrap().to_owned()
}

fn shows(page: &mut Page, selector: &str, wanted: &[&str]) {
    let shown = text(page, selector);
    for wanted in wanted {
        assert!(shown.contains(wanted), "{selector} should have {wanted}: {shown}");
    }
}

/// How light the ground is, 0 to 255.
fn ground(page: &mut Page) -> u64 {
    page.eval("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
        .unwrap()
        .as_u64()
        .unwrap()
}

fn all_is_there(page: &mut Page, world: &World) {
    let stats = world.shop.stats();
    let percent = |part: u64| format!("{:.1}", part as f64 * 100.0 / stats.reads.total() as f64);
    shows(page, "#status", &["healthy"]);
    shows(page, "#tiles", &[&format!("{:.1} % since the start", stats.hit_ratio * 100.0)]);
    shows(page, "#notices", &["Hit ratio", "shop", "90.0 % are wanted", "since 00:0"]);
    shows(
        page,
        "#advice",
        &["l1_cache_size", "make tier 1 larger", "because tier 1 holds 150 of 150 entries"],
    );
    shows(page, "#tiers", &["Tier 2: redis", &format!("{} %", percent(stats.reads.misses))]);
    shows(page, "#misses", &["never stored"]);
    shows(page, "#bounds", &["150 of 150"]);
    shows(page, "#store", &["redis", "up", "closed: the store is asked", "the store tells of every change"]);
    shows(page, "#hot", &["`product:…` (9 bytes)"]);
    shows(page, "#big", &["`product:…` (9 bytes)", "90.0 kB"]);
    shows(page, "#times", &["read: get or load · memory · hit", "store: get"]);
    shows(page, "#saved", &["USD", "calls spared", "summarize", "large-1"]);
    let drawn =
        page.eval("document.querySelector('#ratio path.edge').getAttribute('d').split('L').length").unwrap();
    assert_eq!(drawn, 120, "a page that was just opened shows what was before");
    assert!(page.eval("document.title").unwrap().as_str().unwrap().contains("% · shop"));
}

fn it_can_be_read_by_keyboard(page: &mut Page) {
    let label = "document.querySelector('#ratio .plot').getAttribute('aria-label')";
    let before = page.eval(label).unwrap();
    assert!(before.as_str().unwrap().starts_with("Hit ratio over 20 minutes; at "), "{before}");
    page.eval("document.querySelector('#ratio .plot').focus()").unwrap();
    page.press("ArrowLeft").unwrap();
    page.press("ArrowLeft").unwrap();
    page.wait_for("document.querySelector('#ratio .time').innerText.endsWith('00:19:40')", SOON).unwrap();
    assert_ne!(page.eval(label).unwrap(), before);
    page.eval("document.activeElement.blur()").unwrap();
    page.eval(
        "[...document.querySelectorAll('#caches button')].find((it) => it.innerText === 'assistant').focus()",
    )
    .unwrap();
    page.eval("document.activeElement.click()").unwrap();
    page.wait_for("document.title.endsWith('assistant · cache')", SOON).unwrap();
    shows(page, "#bounds", &["7 of 100"]);
    assert_eq!(
        page.eval("document.activeElement.innerText").unwrap(),
        "assistant",
        "who chose is still there"
    );
    page.eval("document.querySelector('#caches button').click()").unwrap();
}

fn it_is_live(page: &mut Page, world: &World, runtime: &tokio::runtime::Handle) {
    let before = text(page, "#tiers");
    runtime.block_on(world.step(120));
    page.wait_for(
        &format!("document.querySelector('#tiers').innerText !== {}", serde_json::json!(before)),
        SOON,
    )
    .unwrap();
    page.wait_for(
        "document.querySelector('#ratio path.edge').getAttribute('d').split('L').length === 121",
        SOON,
    )
    .unwrap();
}

fn others_cannot_write_into_it(page: &mut Page, world: &World) {
    let markup = "<img src=x onerror=alert(1)>";
    world.monitor.add_section("note", markup, move || Some([(markup, markup)]));
    page.wait_for("document.querySelector('#more').innerText.includes('<img src=x onerror')", SOON).unwrap();
    assert_eq!(page.eval("document.images.length").unwrap(), 0);
}

/// Something in front of the server answers in its place for a while: as a proxy does.
fn it_goes_on_asking_when_others_answer(page: &mut Page) {
    for (route, answer) in [("health", r#"{"error": "no upstream"}"#), ("stats", "{}"), ("history", "null")] {
        page.eval(&format!(
            "window.asked = window.fetch; window.fetch = (url, how) => String(url).includes('/{route}') \
             ? Promise.resolve(new Response('{answer}')) : window.asked(url, how); 0"
        ))
        .unwrap();
        page.wait_for("document.querySelector('#status').innerText === 'no answer'", SOON).unwrap();
        page.eval("window.fetch = window.asked; 0").unwrap();
        page.wait_for("document.querySelector('#status').innerText === 'healthy'", SOON).unwrap();
    }
}

/// Nothing but this server was asked, nothing failed, and the policy of the page was kept.
fn it_only_asks(page: &mut Page, url: &str) {
    let requests = page.requests().unwrap();
    let elsewhere: Vec<_> =
        requests.iter().filter(|it| !it.starts_with(url) && !it.starts_with("data:")).collect();
    assert!(elsewhere.is_empty() && requests.len() >= 4, "{requests:?}");
    assert_eq!(page.complaints().unwrap(), [""; 0]);
}

/// Keeps a picture, if somebody wants one.
fn picture(page: &mut Page, name: &str, height: u32) {
    let Some(folder) = std::env::var_os("CACHE_TEST_SCREENSHOTS").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.png")), page.screenshot(height).unwrap()).unwrap();
}
