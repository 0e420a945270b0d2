//! Renewing the saved login: before its access token ends, and when a server has refused it.
//!
//! Many processes can find at the same time that the token has to be renewed. One of them does it under a lock, and the
//! others read what it has written: issuers take a refresh token that is used twice for a stolen one, and end the login.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prominence_client::{OAuth, OAuthAnswer, Token, TokenSource};
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

use super::file::{Draft, LoginFile, State};
use super::{client, now};
use crate::failure::Failure;

/// The access token is renewed when less than this is left of it, or a tenth of its life if that is less.
const EARLY: u64 = 60;

/// The longest wait for another process that renews it.
const LOCK_WITHIN: Duration = Duration::from_secs(10);

/// The pause between two tries to get the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The shortest time between two tries to renew it.
const BETWEEN_TRIES: Duration = Duration::from_secs(10);

/// The next step for a user whose login has ended.
const LOG_IN: &str = "run prominence login";

/// The saved login, as a source of tokens.
#[derive(Debug)]
pub(crate) struct Renewer {
    path: PathBuf,
    held: Mutex<Held>,
}

/// The token that was read last.
struct Held {
    token: Token,
    login: LoginFile,
    state: State,
    tried: Option<Instant>,
    trouble: Option<String>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl Renewer {
    /// The login in a file; `None` if the file is not one of this program's.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Failure> {
        let Some(login) = LoginFile::read(path) else {
            return Ok(None);
        };
        let Some(state) = login.state() else {
            return Ok(None);
        };
        let token = token_of(&login).ok_or_else(|| {
            let path = path.display();
            Failure::Login(format!("the login in {path} has no usable token; {LOG_IN}"))
        })?;
        Ok(Some(Self {
            path: path.to_owned(),
            held: Mutex::new(Held {
                token,
                login,
                state,
                tried: None,
                trouble: None,
            }),
        }))
    }

    /// The server that the token is for.
    pub(crate) fn server(&self) -> String {
        self.held().state.server.clone()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the token, and notes why that was not possible.
    fn renew(&self, held: &mut Held) {
        if held
            .tried
            .is_some_and(|tried| tried.elapsed() < BETWEEN_TRIES)
        {
            return;
        }
        held.tried = Some(Instant::now());
        held.trouble = self.try_to_renew(held).err();
    }

    fn try_to_renew(&self, held: &mut Held) -> Result<(), String> {
        let _locked = lock(&self.path.with_extension("lock"))?;
        // Another process may have done it meanwhile.
        if self.read_again(held) {
            return Ok(());
        }
        let Some(refresh) = held.login.text("refresh_token").map(str::to_owned) else {
            return Err(format!("your login can't be renewed by itself; {LOG_IN}"));
        };
        let draft = Draft::new(&self.path).map_err(|error| {
            format!(
                "your login can't be renewed, because {} can't be written: {error}",
                self.path.display()
            )
        })?;
        let oauth = OAuth::new(&held.state.token_endpoint).map_err(|error| error.to_string())?;
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
        ];
        let client = client(&held.state.client_id);
        let answer = oauth.form(&held.state.token_endpoint, &client, &fields);
        // Without an answer the access token is used as long as it lives.
        let answer = answer.map_err(|error| format!("your login could not be renewed: {error}"))?;
        if answer.status != 200 {
            if answer.text("error") == Some("invalid_grant") && !self.read_again(held) {
                return Err(format!("your login has ended; {LOG_IN}"));
            }
            return Ok(());
        }
        self.keep(held, draft, answer, refresh)
    }

    /// Writes a new token into the file.
    fn keep(
        &self,
        held: &mut Held,
        draft: Draft,
        answer: OAuthAnswer,
        refresh: String,
    ) -> Result<(), String> {
        let mut state = held.state.clone();
        state.expires_at = answer.number("expires_in").map(|lasts| now() + lasts);
        let mut body = answer.body;
        // An issuer that sends no other refresh token means that the old one stays.
        body.entry("refresh_token")
            .or_insert(Value::String(refresh));
        let login = LoginFile::new(body, &state);
        let token = token_of(&login).ok_or("the issuer's answer has no usable token")?;
        draft
            .keep(&self.path, &login)
            .map_err(|error| format!("{} can't be written: {error}", self.path.display()))?;
        (held.login, held.state, held.token) = (login, state, token);
        Ok(())
    }

    /// Reads the file, and answers whether another token is in it.
    fn read_again(&self, held: &mut Held) -> bool {
        let Some(login) = LoginFile::read(&self.path) else {
            return false;
        };
        let (Some(token), Some(state)) = (token_of(&login), login.state()) else {
            return false;
        };
        let is_new = token != held.token;
        (held.login, held.state, held.token) = (login, state, token);
        is_new
    }
}

impl TokenSource for Renewer {
    fn current(&self) -> Token {
        let mut held = self.held();
        if is_due(&held, now()) {
            self.renew(&mut held);
        }
        held.token.clone()
    }

    fn instead_of(&self, refused: &Token) -> Option<Token> {
        let mut held = self.held();
        if held.token == *refused {
            self.renew(&mut held);
        }
        (held.token != *refused).then(|| held.token.clone())
    }

    fn remark(&self) -> Option<String> {
        let trouble = self.held().trouble.clone();
        Some(trouble.unwrap_or_else(|| format!("if your login has ended, {LOG_IN}")))
    }
}

/// True if the access token is about to end.
fn is_due(held: &Held, now: u64) -> bool {
    let Some(ends) = held.state.expires_at else {
        return false;
    };
    let early = held
        .login
        .lifetime()
        .map_or(EARLY, |life| (life / 10).min(EARLY));
    ends.saturating_sub(now) <= early
}

fn token_of(login: &LoginFile) -> Option<Token> {
    Token::parse(login.text("access_token")?).ok()
}

/// Locks a file until the returned one is dropped.
fn lock(path: &Path) -> Result<File, String> {
    let failed = |error: std::io::Error| format!("{} can't be locked: {error}", path.display());
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).mode(0o600);
    let file = file.open(path).map_err(failed)?;
    let deadline = Instant::now() + LOCK_WITHIN;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(error) => return Err(failed(error.into())),
        }
    }
}
