//! `prominence token list`: the tokens that the server has made for the user.

use std::io::Write as _;

use prominence_client::Client;

use crate::args::token::List;
use crate::failure::Failure;
use crate::output::{Look, Output, one_line};

/// The digits of a token's name that are shown. `token revoke` takes them for the whole name.
const SHOWN_DIGITS: usize = 16;

pub(super) fn run(options: &List, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let tokens = client.tokens()?;
    if options.json {
        output.json(&tokens)?;
        return Ok(());
    }
    if tokens.is_empty() {
        return Ok(());
    }
    let row = |cells: [&str; 5], rest: &str| {
        let [id, made, ends, used, job] = cells;
        format!("{id:<16}  {made:<10}  {ends:<10}  {used:<10}  {job:<12}  {rest}\n")
    };
    let heads = row(
        ["ID", "MADE", "ENDS", "LAST USED", "JOB"],
        "SCOPES AND NOTE",
    );
    output.styled(Look::Heading, &heads)?;
    for token in &tokens {
        let day = |instant: &str| instant.split('T').next().unwrap_or_default().to_owned();
        let scopes = match token.scopes.is_empty() {
            true => "everything".to_owned(),
            false => token.scopes.join(" "),
        };
        let note = token.note.as_deref().map(|note| format!("  ({note})"));
        let rest = format!("{scopes}{}", note.unwrap_or_default());
        let id: String = token.id.chars().take(SHOWN_DIGITS).collect();
        let (made, ends) = (day(&token.made), day(&token.ends));
        let used = token.last_used.as_deref().unwrap_or("-");
        let job = token.job.as_deref().map(one_line);
        let job = job.as_deref().unwrap_or("-");
        // Notes and jobs are the user's own words; a control character must not move the cursor.
        write!(
            output,
            "{}",
            row([&id, &made, &ends, used, job], &one_line(&rest))
        )?;
    }
    Ok(())
}
