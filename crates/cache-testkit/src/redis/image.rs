//! The image of a container: one that is there, one that can be had, or one made of a server's binary.

use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures_util::TryStreamExt;
use testcontainers::bollard::query_parameters::CreateImageOptions;
use testcontainers::bollard::{Docker, body_full};

use super::{fetch, program};

/// Names an image that takes the server's arguments as its command.
const CHOSEN: &str = "CACHE_TEST_REDIS_IMAGE";
const USUAL: &str = "redis:8-alpine";
const MADE: &str = "cache-test-redis";
const PULL: Duration = Duration::from_secs(30);
const IMPORT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_secs(20);

/// Name and tag of an image that the engine has.
pub(super) async fn find(docker: &Docker) -> Result<(String, String), String> {
    if let Some(chosen) = env::var(CHOSEN).ok().filter(|image| !image.is_empty()) {
        if !is_there(docker, &chosen).await {
            pull(docker, &chosen).await?;
        }
        return Ok(split(&chosen));
    }
    if is_there(docker, USUAL).await {
        return Ok(split(USUAL));
    }
    // Made at an earlier time, because nothing could be pulled then. It is not tried again for each test process.
    let made = program::server().map(|binary| made_of(&binary)).transpose()?;
    if let Some(made) = &made
        && is_there(docker, made).await
    {
        return Ok(split(made));
    }
    let Err(no_pull) = pull(docker, USUAL).await else { return Ok(split(USUAL)) };
    let binary = match program::server() {
        Some(binary) => binary,
        None => fetch::server().map_err(|problem| {
            format!("{no_pull}; nor is there a server to make an image of: none on the PATH, {problem}")
        })?,
    };
    let made = made_of(&binary)?;
    if !is_there(docker, &made).await {
        make(docker, &binary, &made).await?;
    }
    Ok(split(&made))
}

async fn is_there(docker: &Docker, image: &str) -> bool {
    docker.inspect_image(image).await.is_ok()
}

async fn pull(docker: &Docker, image: &str) -> Result<(), String> {
    let (name, tag) = split(image);
    let options =
        CreateImageOptions { from_image: Some(name), tag: Some(tag), ..CreateImageOptions::default() };
    let pulled = docker.create_image(Some(options), None, None).try_for_each(|_| async { Ok(()) });
    match tokio::time::timeout(PULL, pulled).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("{image} cannot be pulled: {error}")),
        Err(_) => Err(format!("{image} could not be pulled within {PULL:?}")),
    }
}

/// The image made of a binary, named after what the binary says of itself.
fn made_of(binary: &Path) -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    program::output(Command::new(binary).arg("--version"), LOOK)?.hash(&mut hasher);
    Ok(format!("{MADE}:{:016x}", hasher.finish()))
}

/// An image of the binary and the libraries that it is linked to, and nothing else.
async fn make(docker: &Docker, binary: &Path, image: &str) -> Result<(), String> {
    let (folder, file) = (binary.parent().unwrap_or(Path::new("/")), binary.file_name().unwrap_or_default());
    let mut tar = Command::new("tar");
    tar.args(["-c", "-h", "-f", "-", "-C"]).arg(folder).arg(file).args(["-C", "/"]);
    for library in libraries(binary) {
        tar.arg(library.trim_start_matches('/'));
    }
    let files = program::output(&mut tar, LOOK)?;
    let (repo, tag) = split(image);
    let options = CreateImageOptions {
        from_src: Some("-".into()),
        repo: Some(repo),
        tag: Some(tag),
        changes: vec![format!("ENTRYPOINT [{:?}]", format!("/{}", file.to_string_lossy()))],
        ..CreateImageOptions::default()
    };
    let made = docker.create_image(Some(options), Some(body_full(files.into())), None);
    let made = tokio::time::timeout(IMPORT, made.try_for_each(|_| async { Ok(()) })).await;
    match made {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("an image of {} cannot be made: {error}", binary.display())),
        Err(_) => Err(format!("an image of {} could not be made within {IMPORT:?}", binary.display())),
    }
}

/// Paths of the libraries that a binary is linked to, the loader among them. None for a static one.
fn libraries(binary: &Path) -> Vec<String> {
    let listed = program::output(Command::new("ldd").arg(binary), LOOK).unwrap_or_default();
    String::from_utf8_lossy(&listed)
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(|path| path.trim_end_matches(':').to_owned())
        .collect()
}

/// `name:tag`, where the name may have a port in it and the tag may be missing.
fn split(image: &str) -> (String, String) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name.to_owned(), tag.to_owned()),
        _ => (image.to_owned(), "latest".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_told_from_a_port() {
        let split = |image| {
            let (name, tag) = split(image);
            format!("{name} {tag}")
        };
        assert_eq!(split("redis:8-alpine"), "redis 8-alpine");
        assert_eq!(split("redis"), "redis latest");
        assert_eq!(split("host:5000/redis"), "host:5000/redis latest");
        assert_eq!(split("host:5000/redis:7"), "host:5000/redis 7");
    }
}
