//! A server in a container.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{KillContainerOptions, RemoveContainerOptions};
use testcontainers::core::{IntoContainerPort, Mount, client::docker_client_instance};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::control::Control;
use super::image;
use super::options::Options;
use crate::folder::Folder;
use crate::watchdog::Watchdog;

/// Where the folder of the server's socket is in the container.
const FOLDER: &str = "/cache-test";
const PORT: u16 = 6379;

/// Starts a server whose port on this machine is `port`.
pub(super) fn contained(port: u16, options: &Options, folder: Folder) -> Result<Box<dyn Control>, String> {
    let arguments = options.to_arguments(&Path::new(FOLDER).join("server.sock"));
    let shared = match options.unix_socket {
        true => Some(open_to_all(folder)?),
        false => None,
    };
    Ok(Box::new(Container::start(port, arguments, shared)?))
}

/// Lets every user write in it: a server in a container may be another one.
fn open_to_all(folder: Folder) -> Result<Folder, String> {
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777))
        .map_err(|error| format!("{} cannot be opened: {error}", folder.path().display()))?;
    Ok(folder)
}

/// Of one request to the engine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pulling or making the image is in it.
const START: Duration = Duration::from_secs(240);

/// A container, and the thread that talks to the engine about it.
///
/// The engine's client is async, and tests have runtimes that come and go. The thread has one of its own for as long
/// as the container lives.
#[derive(Debug)]
pub(super) struct Container {
    addr: SocketAddr,
    orders: Option<UnboundedSender<Order>>,
    keeper: Option<JoinHandle<()>>,
    // The engine may need the folder until the container is gone.
    _folder: Option<Folder>,
    _watchdog: Watchdog,
}

/// What the thread is to do, and whom it tells.
type Order = (Do, mpsc::Sender<Result<bool, String>>);

#[derive(Clone, Copy, Debug)]
enum Do {
    Start,
    Kill,
    Freeze,
    Thaw,
    Look,
}

impl Container {
    /// Starts a container whose server is reached at this port of this machine, or of the engine's. `folder` is
    /// where the server puts its socket.
    pub(super) fn start(port: u16, arguments: Vec<String>, folder: Option<Folder>) -> Result<Self, String> {
        let name = format!("cache-test-redis-{:016x}", cache_core::random_u64());
        // Without its own program the engine can be asked through its socket.
        let watchdog = Watchdog::start(
            r#"docker rm -f -v "$1" || curl -s -X DELETE --unix-socket /var/run/docker.sock \
                "http://docker/containers/$1?force=true&v=true"; test -z "$2" || rm -rf "$2""#,
            &[OsStr::new(&name), folder.as_ref().map_or(OsStr::new(""), |folder| folder.path().as_os_str())],
        )?;
        let shared = folder.as_ref().map(|folder| folder.path().to_path_buf());
        let (orders, receiver) = unbounded_channel();
        let (started, start) = mpsc::channel();
        let keeper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(async {
                    match launch(&name, port, arguments, shared.as_deref()).await {
                        Ok((container, docker, addr)) => {
                            drop(started.send(Ok(addr)));
                            keep(container, &docker, receiver).await;
                        }
                        Err(problem) => drop(started.send(Err(problem))),
                    }
                }),
                Err(error) => drop(started.send(Err(format!("no runtime for the engine's client: {error}")))),
            }
        });
        let addr = start.recv_timeout(START).map_err(|_| "the engine started no container in time")??;
        Ok(Self { addr, orders: Some(orders), keeper: Some(keeper), _folder: folder, _watchdog: watchdog })
    }

    fn order(&self, what: Do) -> Result<bool, String> {
        let (sender, receiver) = mpsc::channel();
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send((what, sender)).is_ok());
        if !sent {
            return Err("the thread of the container is gone".into());
        }
        receiver
            .recv_timeout(PATIENCE)
            .map_err(|_| "the container engine did not answer in time".to_owned())?
    }
}

async fn launch(
    name: &str,
    port: u16,
    arguments: Vec<String>,
    folder: Option<&Path>,
) -> Result<(ContainerAsync<GenericImage>, Docker, SocketAddr), String> {
    let docker = docker_client_instance().await.map_err(|error| format!("no container engine: {error}"))?;
    let ping = tokio::time::timeout(Duration::from_secs(2), docker.ping()).await;
    match ping {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(format!("no container engine answers: {error}")),
        Err(_) => return Err("no container engine answers in time".into()),
    }
    let (image, tag) = image::find(&docker).await?;
    let own = ["--port", &PORT.to_string(), "--bind", "0.0.0.0", "--protected-mode", "no"].map(str::to_owned);
    let host = loopback(&docker).await;
    let mut request = GenericImage::new(image, tag)
        .with_cmd(own.into_iter().chain(arguments))
        .with_container_name(name)
        // A port that the engine chooses would be another one after each start.
        .with_mapped_port(port, PORT.tcp())
        .with_host_config_modifier(move |config| {
            let bindings = config.port_bindings.iter_mut().flat_map(|ports| ports.values_mut()).flatten();
            for binding in bindings.flatten() {
                // Other machines have no business with it, if it can be helped.
                binding.host_ip = host.map(|host| host.to_string());
            }
        });
    if let Some(folder) = folder {
        request = request.with_mount(Mount::bind_mount(folder.to_string_lossy(), FOLDER));
    }
    let container = match request.start().await {
        Ok(container) => container,
        Err(error) => {
            let force = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
            drop(docker.remove_container(name, Some(force)).await);
            return Err(format!("the container cannot be started: {error}"));
        }
    };
    let addr = match host {
        Some(host) => SocketAddr::from((host, port)),
        None => {
            let host = container.get_host().await.map_err(|error| format!("the engine's host: {error}"))?;
            let found =
                format!("{host}:{port}").to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
            found.into_iter().next().ok_or_else(|| format!("{host} has no address"))?
        }
    };
    Ok((container, docker, addr))
}

/// The address of the engine that only its own machine reaches; none if the engine is on another machine.
async fn loopback(docker: &Docker) -> Option<IpAddr> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    if !host.is_empty() && !host.starts_with("unix://") {
        return None;
    }
    if !Path::new("/.dockerenv").exists() {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    // In a container our loopback is not the engine's, but its bridge leads there.
    let bridge = docker.inspect_network("bridge", None).await.ok();
    let networks = bridge.and_then(|bridge| bridge.ipam?.config).unwrap_or_default();
    let gateway = networks.into_iter().find_map(|network| network.gateway?.parse().ok());
    Some(gateway.unwrap_or(Ipv4Addr::LOCALHOST.into()))
}

/// Carries out orders until nobody is left to give any, then removes the container.
async fn keep(
    container: ContainerAsync<GenericImage>,
    docker: &Docker,
    mut orders: UnboundedReceiver<Order>,
) {
    while let Some((what, reply)) = orders.recv().await {
        let done = carry_out(what, &container, docker).await;
        drop(reply.send(done));
    }
    // If it fails, the watchdog is still there.
    drop(container.rm().await);
}

async fn carry_out(
    what: Do,
    container: &ContainerAsync<GenericImage>,
    docker: &Docker,
) -> Result<bool, String> {
    let done = match what {
        Do::Start => container.start().await,
        Do::Freeze => container.pause().await,
        Do::Thaw => container.unpause().await,
        Do::Look => return container.is_running().await.map_err(|error| error.to_string()),
        Do::Kill => {
            let kill = KillContainerOptions { signal: "SIGKILL".into() };
            let is_running = container.is_running().await.map_err(|error| error.to_string())?;
            let killed =
                if is_running { docker.kill_container(container.id(), Some(kill)).await } else { Ok(()) };
            return killed.map(|()| true).map_err(|error| error.to_string());
        }
    };
    done.map(|()| true).map_err(|error| error.to_string())
}

impl Control for Container {
    fn start(&self) -> Result<(), String> {
        self.order(Do::Start).map(drop)
    }

    fn kill(&self) -> Result<(), String> {
        self.order(Do::Kill)?;
        // The engine answers when the signal is sent, not when the process is gone.
        while self.is_running()? {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn freeze(&self) -> Result<(), String> {
        self.order(Do::Freeze).map(drop)
    }

    fn thaw(&self) -> Result<(), String> {
        self.order(Do::Thaw).map(drop)
    }

    fn is_running(&self) -> Result<bool, String> {
        self.order(Do::Look)
    }

    fn process_id(&self) -> Option<u32> {
        None
    }

    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn last_words(&self) -> String {
        "see `docker logs`".into()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(keeper) = self.keeper.take() {
            drop(keeper.join());
        }
    }
}
