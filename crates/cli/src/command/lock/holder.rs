//! The holder of a lock, as the value of its key.

use std::time::{SystemTime, UNIX_EPOCH};

/// A text that no other holder writes, with the machine and the process for people. It has only characters without
/// a meaning to a shell, in JSON or in a URL, so that a script can put it into a condition as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder(String);

impl Holder {
    /// This process on this machine.
    pub(super) fn this_process() -> Self {
        let host = rustix::system::uname();
        Self::new(
            &host.nodename().to_string_lossy(),
            std::process::id(),
            unique(),
        )
    }

    fn new(host: &str, process: u32, unique: u64) -> Self {
        let plain =
            |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
        let host: String = host
            .chars()
            .map(|character| if plain(character) { character } else { '_' })
            .collect();
        Self(format!("host={host},pid={process},id={unique:016x}"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A number that no two processes share. Without a source of random numbers the time has to do, beside
/// the number of the process.
fn unique() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_holders_are_the_same() {
        assert_ne!(Holder::this_process(), Holder::this_process());
    }

    #[test]
    fn a_holder_needs_no_quotes_anywhere() {
        let holder = Holder::new("nöde 7\"'$(x)\\", 17, 255);
        assert_eq!(
            holder.as_str(),
            "host=n_de_7____x__,pid=17,id=00000000000000ff"
        );
    }
}
