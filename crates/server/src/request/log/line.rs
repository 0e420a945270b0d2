//! The lines of the access log and of the audit log.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use prominence_api::time::rfc3339;
use prominence_core::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

/// The form of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// Words `name=value`.
    Text,
}

/// The fields of a line about a request.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    /// The end of the answer.
    #[serde(serialize_with = "as_text")]
    pub(super) time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) job: Option<&'a str>,
    pub(super) address: IpAddr,
    pub(super) method: &'a str,
    /// As it was sent, with the key percent-encoded, and without the query string.
    pub(super) path: &'a str,
    /// Missing if the client went away before the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    /// Bytes of the body, where the request says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) received: Option<u64>,
    /// Bytes of the answer's body.
    pub(super) sent: u64,
    /// From the head of the request to the end of the answer.
    #[serde(rename = "ms", serialize_with = "as_millis")]
    pub(super) took: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<&'a str>,
    /// The reason for which the caller was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
    /// The tokens that were made or revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effect: Option<&'a str>,
}

/// The fields of a line about a change that no request of a user has made.
#[derive(Serialize)]
pub(super) struct Note<'a> {
    #[serde(serialize_with = "as_text")]
    pub(super) time: Timestamp,
    pub(super) effect: &'a str,
}

impl Note<'_> {
    /// The line with its end, as [`Line::render`].
    pub(super) fn render(&self, format: LineFormat) -> String {
        match format {
            LineFormat::Json => {
                let mut text = serde_json::to_string(self).unwrap_or_default();
                text.push('\n');
                text
            }
            LineFormat::Text => format!("time={} effect={:?}\n", rfc3339(self.time), self.effect),
        }
    }
}

impl Line<'_> {
    /// The line with its end. Nothing in it can begin another line: control characters are escaped.
    pub(super) fn render(&self, format: LineFormat) -> String {
        let mut text = match format {
            LineFormat::Json => serde_json::to_string(self).unwrap_or_default(),
            LineFormat::Text => self.words().unwrap_or_default(),
        };
        text.push('\n');
        text
    }

    fn words(&self) -> Result<String, std::fmt::Error> {
        let mut text = format!("time={}", rfc3339(self.time));
        for (name, value) in [("user", self.user), ("job", self.job)] {
            if let Some(value) = value {
                write!(text, " {name}={value:?}")?;
            }
        }
        let Self {
            address,
            method,
            path,
            ..
        } = self;
        write!(text, " address={address} method={method} path={path:?}")?;
        if let Some(status) = self.status {
            write!(text, " status={status}")?;
        }
        if let Some(received) = self.received {
            write!(text, " received={received}")?;
        }
        write!(text, " sent={} ms={}", self.sent, millis(self.took))?;
        if let Some(id) = self.request_id {
            write!(text, " request_id={id}")?;
        }
        for (name, value) in [("reason", self.reason), ("effect", self.effect)] {
            if let Some(value) = value {
                write!(text, " {name}={value:?}")?;
            }
        }
        Ok(text)
    }
}

/// Milliseconds to the microsecond.
fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

fn as_millis<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(millis(*took))
}

fn as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(user: Option<&'a str>, reason: Option<&'a str>) -> Line<'a> {
        Line {
            time: Timestamp::from_secs(1_700_000_000),
            user,
            job: user.map(|_| "17"),
            address: "10.0.0.7".parse().unwrap(),
            method: "PUT",
            path: "/prominence/v1/kv/a%20b",
            status: Some(201),
            received: Some(5),
            sent: 0,
            took: Duration::from_micros(1_234),
            request_id: Some("r-1"),
            reason,
            effect: reason,
        }
    }

    #[test]
    fn a_line_has_the_same_fields_in_both_forms() {
        let line = line(Some("alice"), None);
        assert_eq!(
            line.render(LineFormat::Json),
            "{\"time\":\"2023-11-14T22:13:20.000Z\",\"user\":\"alice\",\"job\":\"17\",\"address\":\"10.0.0.7\",\
             \"method\":\"PUT\",\"path\":\"/prominence/v1/kv/a%20b\",\"status\":201,\"received\":5,\"sent\":0,\
             \"ms\":1.234,\"request_id\":\"r-1\"}\n"
        );
        assert_eq!(
            line.render(LineFormat::Text),
            "time=2023-11-14T22:13:20.000Z user=\"alice\" job=\"17\" address=10.0.0.7 method=PUT \
             path=\"/prominence/v1/kv/a%20b\" status=201 received=5 sent=0 ms=1.234 request_id=r-1\n"
        );
    }

    #[test]
    fn no_text_of_a_client_begins_a_line_of_its_own() {
        let forged = "x\"\nuser=\"root\u{1b}[2J";
        let note = Note {
            time: Timestamp::from_secs(1_700_000_000),
            effect: forged,
        };
        for format in [LineFormat::Json, LineFormat::Text] {
            for text in [
                line(Some(forged), Some(forged)).render(format),
                note.render(format),
            ] {
                assert_eq!(text.find('\n'), Some(text.len() - 1), "{text}");
                assert!(!text.contains('\u{1b}'), "{text}");
            }
        }
    }
}
