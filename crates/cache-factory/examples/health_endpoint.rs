//! The guide's dashboard: an application with the routes of a monitor in it: `cargo run --example health_endpoint --features http`.
//!
//! It mounts them below `/cache`, serves some requests of its own, asks each route and prints what it says. Ends with an error
//! if one is not as it should be. With `-- --stay` it stays up, and its page is there to look at in a browser.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use cache_factory::durations::{mins, secs};
use cache_factory::{Cache, CacheFactory, Loaded, PerformanceMonitor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let monitor = PerformanceMonitor::new();
    // Finds Redis on this machine, and does without it if there is none.
    let cache =
        CacheFactory::new().for_web_app().namespace("shop").performance_monitor(monitor.clone()).await?;

    let app = Router::new()
        .route("/product/{id}", get(product))
        .with_state(cache.clone())
        .nest_service("/cache", monitor.router());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });

    for n in 0..300 {
        ask(address, &format!("/product/{}", n * 7 % 60)).await?;
    }
    for route in ["health", "stats", "history", "metrics", ""] {
        let (head, body) = ask(address, &format!("/cache/{route}")).await?;
        check(head.starts_with("HTTP/1.1 200"), route)?;
        println!("GET /cache/{route}\n  {}\n", shortened(&body));
    }
    let found = monitor.snapshot().caches[0].stats.hit_ratio;
    check(found >= 0.8, &format!("a hit ratio of {found}"))?;

    if std::env::args().any(|argument| argument == "--stay") {
        println!("The page is at http://{address}/cache/ until you press Ctrl-C.");
        for n in 0_u64.. {
            ask(address, &format!("/product/{}", n * 7 % 60)).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

/// A page of the application. It reads the product's name from where it is slow to get, once in five minutes.
async fn product(State(cache): State<Cache>, Path(id): Path<u32>) -> Result<String, StatusCode> {
    let name = cache.get_or_load(format!("product:{id}"), mins(5), move || async move {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Loaded::Ok(format!("product number {id}"))
    });
    name.await.map(|name| name.to_string()).map_err(|_| StatusCode::BAD_GATEWAY)
}

/// Asks this application, as a browser does: head and body of the answer.
async fn ask(address: SocketAddr, path: &str) -> Result<(String, String), Failure> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    tokio::time::timeout(secs(10), stream.read_to_string(&mut answer)).await??;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("half an answer")?;
    Ok((head.to_owned(), body.to_owned()))
}

fn shortened(body: &str) -> String {
    match body.char_indices().nth(400) {
        Some((end, _)) => format!("{} … ({} bytes)", &body[..end], body.len()),
        None => body.to_owned(),
    }
}

fn check(holds: bool, otherwise: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(format!("not as it should be: {otherwise}").into()) }
}
