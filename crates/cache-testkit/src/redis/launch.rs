//! Goes through the ways until one works.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::control::Control;
use super::native::Native;
use super::way::given_url;
use super::{LaunchError, Options, RedisServer, Way, fetch, program};
use crate::folder::Folder;
use crate::port::free_address;

/// Names a file to which each launch adds a line: program, version and way, separated by tabs.
const REPORT: &str = "CACHE_TEST_REDIS_REPORT";
/// How a server is started in a container, if this build can do that.
type Contained = fn(u16, &Options, Folder) -> Result<Box<dyn Control>, String>;
const CONTAINED: &[Contained] = &[
    #[cfg(feature = "redis")]
    super::container::contained,
];
/// A free port can be taken by somebody else before our server has it.
const TRIES: usize = 3;

/// The server that is given, or one of our own.
pub(super) fn shared() -> Result<RedisServer, LaunchError> {
    let forced = Way::forced().map_err(LaunchError::setting)?;
    match (forced, given_url()) {
        (None | Some(Way::Url), Some(url)) => {
            let server = RedisServer::given(&url)
                .map_err(|problem| LaunchError::setting(format!("CACHE_TEST_REDIS_URL: {problem}")))?;
            report(&server);
            Ok(server)
        }
        (Some(Way::Url), None) => {
            Err(LaunchError::setting("CACHE_TEST_REDIS is `url`, but CACHE_TEST_REDIS_URL is not set".into()))
        }
        _ => own(&Options::default()),
    }
}

/// One of our own.
pub(super) fn own(options: &Options) -> Result<RedisServer, LaunchError> {
    let forced = match options.way {
        Some(way) => Some(way),
        // A given server is not ours to stop: whoever needs that gets another one.
        None => Way::forced().map_err(LaunchError::setting)?.filter(|way| *way != Way::Url),
    };
    let ways = match forced {
        Some(way) => vec![way],
        None => Way::ALL.into_iter().filter(|way| *way != Way::Url).collect(),
    };
    let mut attempts = Vec::new();
    for way in ways {
        match by(way, options) {
            Ok(server) => {
                report(&server);
                return Ok(server);
            }
            Err(problem) => attempts.push((way, problem)),
        }
    }
    Err(LaunchError::tried(attempts))
}

fn by(way: Way, options: &Options) -> Result<RedisServer, String> {
    let binary = match way {
        Way::Url => return Err("a server that is given cannot be launched".into()),
        Way::Docker => None,
        Way::Native => {
            Some(program::server().ok_or("neither redis-server nor valkey-server is on the PATH")?)
        }
        Way::Fetch => Some(fetch::server()?),
    };
    let mut problem = String::new();
    for _ in 0..TRIES {
        match once(way, binary.as_deref(), options) {
            Ok(server) => return Ok(server),
            Err(found) => problem = found,
        }
        if !is_about_the_port(&problem) {
            break;
        }
    }
    Err(problem)
}

fn once(way: Way, binary: Option<&Path>, options: &Options) -> Result<RedisServer, String> {
    let addr = free_address().ok_or("no port is free")?;
    let folder = Folder::new()?;
    let socket = options.unix_socket.then(|| folder.path().join("server.sock"));
    let control: Box<dyn Control> = match binary {
        Some(binary) => {
            let arguments = options.to_arguments(socket.as_deref().unwrap_or(Path::new("")));
            let native = Native::new(binary.to_path_buf(), addr, folder, &arguments);
            native.start()?;
            Box::new(native)
        }
        None => {
            let contained = CONTAINED.first().ok_or("this build has no containers")?;
            contained(addr.port(), options, folder)?
        }
    };
    RedisServer::started(way, control, options, socket)
}

/// Servers and engines say it in their own words.
fn is_about_the_port(problem: &str) -> bool {
    ["in use", "already allocated", "listen on", "on the port"].iter().any(|words| problem.contains(words))
}

/// For whoever runs the tests and wants to know what they ran against. It is of no concern to the test.
fn report(server: &RedisServer) {
    let Some(path) = env::var_os(REPORT).map(PathBuf::from) else { return };
    let program = env::current_exe().unwrap_or_default();
    let line = format!("{}\t{}\t{}\n", program.display(), server.version(), server.way());
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path) {
        drop(file.write_all(line.as_bytes()));
    }
}
