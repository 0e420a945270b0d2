//! A real OpenID provider: `tests/oidc/provider.mjs` with Node, on ports of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The name of this service in its tokens.
pub(crate) const AUDIENCE: &str = "https://kv.example.org";

/// A provider that runs until it is dropped.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    control: String,
    process: Child,
    state: TempDir,
}

/// The folder of the provider, from any package of the workspace.
fn folder() -> PathBuf {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut folders = above.map(|folder| folder.join("tests/oidc"));
    let found = folders.find(|folder| folder.join("provider.mjs").exists());
    found.expect("tests/oidc is missing")
}

/// Starts it and reads its addresses. The folder of its state makes it the same provider again.
fn spawn(state: &Path, ports: [&str; 2]) -> (Child, Value) {
    let installed = folder().join("node_modules/oidc-provider");
    assert!(
        installed.exists(),
        "{installed:?} is missing; run cargo xtask install"
    );
    let mut process = Command::new("node")
        .arg(folder().join("provider.mjs"))
        .arg("--state")
        .arg(state)
        .args(["--port", ports[0], "--control-port", ports[1]])
        .env("NODE_NO_WARNINGS", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("node is missing; run cargo xtask install");
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    // It prints other lines before this one.
    let ready = lines.find_map(|line| serde_json::from_str::<Value>(&line.unwrap()).ok());
    (process, ready.expect("the provider did not start"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl Provider {
    pub(crate) fn start() -> Self {
        let state = tempfile::tempdir().unwrap();
        let (process, ready) = spawn(state.path(), ["0", "0"]);
        Self {
            issuer: text(&ready["issuer"]),
            control: text(&ready["control"]),
            process,
            state,
        }
    }

    /// Kills it, so that its ports refuse connections.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again after it was killed, on the same ports.
    pub(crate) fn start_again(&mut self) {
        let port = |url: &str| url.rsplit(':').next().unwrap().to_owned();
        let (own, control) = (port(&self.issuer), port(&self.control));
        let (process, ready) = spawn(self.state.path(), [&own, &control]);
        assert_eq!(text(&ready["issuer"]), self.issuer);
        self.process = process;
    }

    /// A token of a user, for this service.
    pub(crate) fn token(&self, user: &str) -> String {
        self.mint(&[("user", user)])
    }

    /// A token with these parameters of `mint`.
    pub(crate) fn mint(&self, parameters: &[(&str, &str)]) -> String {
        text(&self.ask("POST", "/mint", parameters, "")["access_token"])
    }

    /// A token with these claims, signed by RS256.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_with(&[], &json!({"claims": claims}))
    }

    /// A token with these parameters of `sign`, and this header and these claims.
    pub(crate) fn sign_with(&self, parameters: &[(&str, &str)], content: &Value) -> String {
        let answer = self.ask("POST", "/sign", parameters, &content.to_string());
        text(&answer["access_token"])
    }

    /// New keys.
    pub(crate) fn rotate(&self, mode: &str) {
        self.ask("POST", "/rotate", &[("mode", mode)], "");
    }

    /// Answers this instead of what is at a path; `*` for all.
    pub(crate) fn fail(&self, path: &str, fault: &Value) {
        self.ask("POST", "/fault", &[("path", path)], &fault.to_string());
    }

    pub(crate) fn heal(&self) {
        self.ask("DELETE", "/fault", &[], "");
    }

    /// How often a path was asked for.
    pub(crate) fn requests(&self, path: &str) -> u64 {
        self.ask("GET", "/requests", &[], "")[path]
            .as_u64()
            .unwrap_or(0)
    }

    /// The public key that signs by RS256, as PEM.
    pub(crate) fn pem(&self) -> String {
        text(&self.ask("GET", "/pem", &[], "")["pem"])
    }

    /// What the provider itself answers at a path.
    pub(crate) fn document(&self, path: &str) -> Value {
        let mut response = ureq::get(format!("{}{path}", self.issuer)).call().unwrap();
        serde_json::from_slice(&response.body_mut().read_to_vec().unwrap()).unwrap()
    }

    /// The answer of the token endpoint to the device flow of a user, with an ID token.
    pub(crate) fn log_in(&self, user: &str) -> Value {
        let client = format!("client_id=prominence-cli&scope=openid%20profile&resource={AUDIENCE}");
        let begun = self.post("/devicecode", &client);
        self.approve(&text(&begun["user_code"]), user);
        let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
        let device = text(&begun["device_code"]);
        self.post(
            "/token",
            &format!("client_id=prominence-cli&{grant}&device_code={device}"),
        )
    }

    /// Approves the login with this code, as a user in a browser.
    pub(crate) fn approve(&self, code: &str, user: &str) {
        let parameters = [("user_code", code), ("user", user)];
        self.ask("POST", "/approve", &parameters, "");
    }

    /// A code as a browser gets it that was sent with this challenge, for this address.
    pub(crate) fn code(&self, challenge: &str, redirect: &str) -> String {
        let parameters = [("challenge", challenge), ("redirect", redirect)];
        text(&self.ask("POST", "/code", &parameters, "")["code"])
    }

    fn post(&self, path: &str, form: &str) -> Value {
        let mut response = ureq::post(format!("{}{path}", self.issuer))
            .content_type("application/x-www-form-urlencoded")
            .send(form)
            .unwrap();
        serde_json::from_slice(&response.body_mut().read_to_vec().unwrap()).unwrap()
    }

    fn ask(&self, method: &str, path: &str, parameters: &[(&str, &str)], body: &str) -> Value {
        let encode = prominence_api::path::query_value;
        let query: Vec<_> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let request = ureq::http::Request::builder().method(method).uri(format!(
            "{}{path}?{}",
            self.control,
            query.join("&")
        ));
        let mut response = ureq::run(request.body(body).unwrap()).unwrap();
        serde_json::from_slice(&response.body_mut().read_to_vec().unwrap()).unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
