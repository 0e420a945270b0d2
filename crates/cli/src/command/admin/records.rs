//! `prominence admin user` and `prominence admin quota`: what the server keeps of single users.

use std::io::Write as _;

use prominence_server::admin::{self, RecordRequest};

use crate::args::admin::{Folder, QuotaCommand, UserCommand};
use crate::failure::Failure;
use crate::output::{Output, one_line};

pub(super) fn user(command: &UserCommand, output: &mut Output) -> Result<(), Failure> {
    let (request, named) = match command {
        UserCommand::Show(named) => {
            let user = named.user.clone();
            (RecordRequest::Show { user }, named)
        }
        UserCommand::Unpin(named) => {
            let user = named.user.clone();
            (RecordRequest::Unpin { user }, named)
        }
        UserCommand::Pin(pin) => {
            let request = RecordRequest::Pin {
                user: pin.named.user.clone(),
                issuer: pin.issuer.clone(),
                subject: pin.sub.clone(),
            };
            (request, &pin.named)
        }
    };
    ask(&request, &named.folder, named.json, output)
}

pub(super) fn quota(command: &QuotaCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        QuotaCommand::Set(set) => {
            let request = RecordRequest::SetQuota {
                user: set.named.user.clone(),
                keys: set.keys,
                bytes: set.bytes,
                requests_per_second: set.requests_per_second,
                held: set.held,
            };
            ask(&request, &set.named.folder, set.named.json, output)
        }
        QuotaCommand::Unset(named) => {
            let user = named.user.clone();
            let request = RecordRequest::UnsetQuota { user };
            ask(&request, &named.folder, named.json, output)
        }
        QuotaCommand::Show(show) => {
            let request = match &show.user {
                Some(user) => RecordRequest::Show { user: user.clone() },
                None => RecordRequest::ShowQuotas,
            };
            ask(&request, &show.folder, show.json, output)
        }
    }
}

/// Asks the server, and prints what its records say afterwards.
fn ask(
    request: &RecordRequest,
    folder: &Folder,
    json: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let reports = admin::records(&super::any_folder(folder)?, request)?;
    if json {
        output.json(&reports)?;
        return Ok(());
    }
    for report in &reports {
        let user = one_line(&report.user);
        let (keys, bytes) = (report.quota_keys, report.quota_bytes);
        write!(output, "{user}: at most {keys} keys and {bytes} bytes")?;
        match report.requests_per_second {
            Some(0) => write!(output, ", any number of requests")?,
            Some(rate) => write!(output, ", {rate} requests a second")?,
            None => {}
        }
        if let Some(held) = report.held {
            write!(output, ", {held} waiting at once")?;
        }
        writeln!(output)?;
        for subject in &report.subjects {
            let (issuer, sub) = (one_line(&subject.issuer), one_line(&subject.subject));
            writeln!(output, "  account {sub} of {issuer}")?;
        }
    }
    Ok(())
}
