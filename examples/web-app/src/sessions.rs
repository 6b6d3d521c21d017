//! Sessions: 30 minutes from each visit, ended one by one or all of a user's at once.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use cache_factory::durations::mins;
use cache_factory::{KeySpace, SetOptions};
use serde::{Deserialize, Serialize};

use crate::App;
use crate::failed::Failed;

const KEYS: KeySpace = KeySpace::new("session");
const LIFE: Duration = mins(30);

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) user: String,
    visits: u32,
}

#[derive(Deserialize)]
pub(crate) struct Login {
    user: String,
}

/// Signs in whoever says who it is: a real application asks for more.
pub(crate) async fn login(
    State(app): State<App>,
    Json(login): Json<Login>,
) -> Result<impl IntoResponse, Failed> {
    let id = unguessable()?;
    keep(&app, &id, &Session { user: login.user, visits: 0 }).await?;
    let cookie = format!("session={id}; HttpOnly; SameSite=Lax; Path=/; Max-Age={}", LIFE.as_secs());
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]))
}

/// Who is signed in. The 30 minutes begin anew.
pub(crate) async fn me(State(app): State<App>, headers: HeaderMap) -> Result<Json<Session>, Failed> {
    let (id, session) = current(&app, &headers).await?;
    let session = Session { visits: session.visits + 1, ..(*session).clone() };
    keep(&app, &id, &session).await?;
    Ok(Json(session))
}

pub(crate) async fn logout(State(app): State<App>, headers: HeaderMap) -> Result<StatusCode, Failed> {
    let (id, _) = current(&app, &headers).await?;
    gone(app.cache.delete(KEYS.key(id)).await)
}

pub(crate) async fn logout_everywhere(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<StatusCode, Failed> {
    let (_, session) = current(&app, &headers).await?;
    gone(app.cache.invalidate_tag(tag(&session)).await)
}

/// The session of a request.
pub(crate) async fn current(app: &App, headers: &HeaderMap) -> Result<(String, Arc<Session>), Failed> {
    let cookies = headers.get(COOKIE).and_then(|cookies| cookies.to_str().ok()).unwrap_or_default();
    let id = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("session="));
    let id = id.ok_or(Failed::NotSignedIn)?.to_owned();
    let session = app.cache.get::<Session>(KEYS.key(&id)).await?.ok_or(Failed::NotSignedIn)?;
    Ok((id, session))
}

async fn keep(app: &App, id: &str, session: &Session) -> Result<(), cache_factory::Error> {
    app.cache.set(KEYS.key(id), session, SetOptions::ttl(LIFE).tag(tag(session))).await
}

fn tag(session: &Session) -> String {
    KeySpace::new("user").key(&session.user)
}

/// While Redis is away a session ends here at once, and elsewhere when it is back: that is accepted, not an error.
fn gone(ended: Result<(), cache_factory::Error>) -> Result<StatusCode, Failed> {
    match ended {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) if error.is_queued() => Ok(StatusCode::ACCEPTED),
        Err(error) => Err(error.into()),
    }
}

fn unguessable() -> Result<String, Failed> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| Failed::NoRandomness)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
