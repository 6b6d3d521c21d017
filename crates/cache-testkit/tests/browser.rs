//! The browser that tests drive sees what a page shows, complains about and asks for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use cache_testkit::browser::{Browser, Screen};

const PAGE: &str = "<!doctype html><meta name=viewport content='width=device-width'><title>T</title>
<link rel=icon href='data:,'><p tabindex=0>one</p><script>
setTimeout(() => { document.title = `${innerWidth} ${matchMedia('(prefers-color-scheme: dark)').matches}`; }, 10);
document.querySelector('p').onkeydown = (event) => { document.title = event.key; };
fetch('missing').then(() => { console.error('said'); throw new Error('thrown'); });
</script>";

#[test]
fn a_page_is_seen_as_its_reader_sees_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let (status, body) = if request[..length].starts_with(b"GET / ") {
                ("200 OK", PAGE)
            } else {
                ("404 Not Found", "")
            };
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n{body}");
            drop(stream.write_all(head.as_bytes()));
        }
    });
    let browser = Browser::launch().unwrap();
    let within = Duration::from_secs(30);
    assert!(browser.version().contains("Chrom"), "{}", browser.version());
    let mut page = browser.open(&url, Screen::phone().dark()).unwrap();
    page.wait_for("document.title === '360 true'", within).unwrap();
    page.wait_for("performance.getEntriesByType('resource').length", within).unwrap();
    while page.complaints().unwrap().len() < 3 {}
    let complaints = page.complaints().unwrap().join("\n");
    assert!(["404", "said", "thrown"].iter().all(|what| complaints.contains(what)), "{complaints}");
    assert!(page.requests().unwrap().contains(&format!("{url}missing")));
    page.press("Tab").unwrap();
    page.press("ArrowLeft").unwrap();
    page.wait_for("document.title === 'ArrowLeft'", within).unwrap();
    assert!(page.screenshot(100).unwrap().starts_with(b"\x89PNG"), "it is a picture");
    assert!(page.eval("nothing.at.all").unwrap_err().to_string().contains("ReferenceError"));
    let mut wide = browser.open(&url, Screen::desktop()).unwrap();
    wide.wait_for("document.title === '1280 false'", within).unwrap();
}
