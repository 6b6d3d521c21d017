//! Many who want one key: in several processes, and when the one who loads it dies.
#![cfg(all(feature = "memory", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_factory::durations::{mins, secs};
use cache_factory::{CacheFactory, Loaded};
use cache_testkit::redis::fresh_namespace;
use common::shared;
use futures_util::future::join_all;

/// Tells a process of this test program that it is a child, and in which namespace.
const CHILD: &str = "CACHE_HERD_NAMESPACE";
const TASKS: &str = "CACHE_HERD_TASKS";

/// Another process with a cache on the server. It is killed when it is dropped.
struct Process {
    child: Child,
    input: ChildStdin,
    lines: BufReader<std::process::ChildStdout>,
}

impl Process {
    /// Starts it; it waits until it is told to [`go`](Self::go).
    fn start(namespace: &str, tasks: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture", "--test-threads", "1"]);
        command.env(CHILD, namespace).env(TASKS, tasks.to_string());
        // Our server is the child's, too.
        command.env("CACHE_TEST_REDIS", "url").env("CACHE_TEST_REDIS_URL", shared().url());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut process = Self { child, input, lines: BufReader::new(output) };
        process.line("ready");
        process
    }

    fn go(&mut self) {
        self.input.write_all(b"go\n").unwrap();
    }

    /// Reads up to a line that starts like this, and returns its rest.
    fn line(&mut self, start: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(
                self.lines.read_line(&mut line).unwrap() > 0,
                "the process ended before it said `{start}`"
            );
            // The test harness does not end its line before a test starts to print.
            if let Some((_, rest)) = line.split_once(start) {
                return rest.trim().to_owned();
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Not a test of its own: what the processes of the other tests run.
#[test]
fn child() {
    let Ok(namespace) = std::env::var(CHILD) else { return };
    let tasks: usize = std::env::var(TASKS).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let cache = CacheFactory::new().for_web_app().redis_url(shared().url()).namespace(&*namespace);
        let cache = cache
            .connect_timeout(secs(20))
            .store_timeout(secs(20))
            .fail_on_connection_error(true)
            .await
            .unwrap();
        println!("\nready");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        let call = |_| {
            let (cache, namespace) = (cache.clone(), namespace.clone());
            tokio::spawn(async move {
                let value = cache.get_or_load("cold", mins(10), move || async move {
                    count(&namespace);
                    println!("\nloading");
                    while !may_end(&namespace) {
                        tokio::task::yield_now().await;
                    }
                    Loaded::Ok("loaded".to_owned())
                });
                *value.await.unwrap() == "loaded"
            })
        };
        let calls: Vec<_> = (0..tasks).map(call).collect();
        println!("\nspawned");
        let right = join_all(calls).await.into_iter().filter(|answer| *answer.as_ref().unwrap()).count();
        println!("\ndone {right}");
    });
}

/// Each load counts itself on the server, where no process can lose it.
fn count(namespace: &str) {
    shared().command(&["INCR", &format!("loads of {namespace}")]).unwrap();
}

fn loads(namespace: &str) -> i64 {
    let counted = shared().command(&["GET", &format!("loads of {namespace}")]).unwrap();
    counted.text().parse().unwrap_or_default()
}

fn may_end(namespace: &str) -> bool {
    shared().command(&["EXISTS", &format!("loads of {namespace} may end")]).unwrap().integer() == Some(1)
}

#[test]
fn ten_thousand_tasks_in_each_of_four_processes_load_once() {
    const PROCESSES: usize = 4;
    const TASKS: usize = 10_000;
    let namespace = fresh_namespace("herd").unwrap();
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| Process::start(namespace.as_str(), TASKS)).collect();
    processes.iter_mut().for_each(Process::go);
    for process in &mut processes {
        process.line("spawned");
    }
    shared().command(&["SET", &format!("loads of {} may end", namespace.as_str()), "1"]).unwrap();
    for process in &mut processes {
        assert_eq!(process.line("done "), TASKS.to_string());
    }
    assert_eq!(loads(namespace.as_str()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_one_who_loads_is_killed_one_other_loads() {
    const TASKS: usize = 1_000;
    let namespace = fresh_namespace("killed").unwrap();
    let name = namespace.as_str().to_owned();
    let mut victim = tokio::task::spawn_blocking(move || {
        let mut victim = Process::start(&name, 1);
        victim.go();
        victim.line("loading");
        victim
    })
    .await
    .unwrap();
    let cache = CacheFactory::new().for_web_app().redis_url(shared().url()).namespace(namespace.as_str());
    let cache = Arc::new(cache.connect_timeout(secs(20)).store_timeout(secs(5)).await.unwrap());
    let calls: Vec<_> = (0..TASKS)
        .map(|_| {
            let (cache, name) = (Arc::clone(&cache), namespace.as_str().to_owned());
            tokio::spawn(async move {
                let value = cache.get_or_load("cold", mins(10), move || async move {
                    count(&name);
                    Loaded::Ok("loaded by another".to_owned())
                });
                value.await.unwrap().as_str().to_owned()
            })
        })
        .collect();
    victim.child.kill().unwrap();
    let killed = Instant::now();
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap(), "loaded by another");
    }
    // The claim lasts 5 s at the most when nobody prolongs it.
    assert!(killed.elapsed() < Duration::from_secs(7), "{:?}", killed.elapsed());
    assert_eq!(loads(namespace.as_str()), 2, "the victim's and one other");
}
