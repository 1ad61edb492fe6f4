//! The account: `CreateAccountAlias`, `DeleteAccountAlias`, `ListAccountAliases`, `GetAccountSummary`.

use aws::Violation;
use aws::member::{check_length, check_pattern};

use super::call::{Answered, Call};

/// 3 to 63 of `a-z0-9-`, no hyphen at either end, no two in a row, not twelve digits.
fn alias(text: &str) -> Result<String, Violation> {
    check_length(text, 3, 63)?;
    let letters = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let hyphens = !text.starts_with('-') && !text.ends_with('-') && !text.contains("--");
    check_pattern(
        letters && hyphens,
        "^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$",
    )?;
    if text.parse::<aws::AccountId>().is_ok() {
        let rule = "not be an account number".to_owned();
        return Err(Violation::Other(rule));
    }
    Ok(text.to_owned())
}

pub(super) async fn create_alias(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let alias = read.required("AccountAlias", alias);
    let alias = read.finish(|| alias)?;
    call.authorize_anywhere().await?;
    call.iam.set_alias(call.account(), &alias).await?;
    call.done()
}

pub(super) async fn delete_alias(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let alias = read.required("AccountAlias", alias);
    let alias = read.finish(|| alias)?;
    call.authorize_anywhere().await?;
    call.iam.remove_alias(call.account(), &alias).await?;
    call.done()
}

/// One at most.
pub(super) async fn list_aliases(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let paging = read.paging();
    let paging = read.finish(|| paging)?;
    let page = call.page(&paging, &[])?;
    call.authorize_anywhere().await?;
    let alias = call.iam.alias(call.account()).await?;
    let shown = call.show_of(&page, Vec::from_iter(alias));
    call.answer(|xml| {
        xml.text_list("AccountAliases", &shown.items);
        shown.end(xml);
    })
}

pub(super) async fn summary(call: Call<'_>) -> Answered {
    call.authorize_anywhere().await?;
    let summary = call.iam.summary(call.account()).await?;
    call.answer(|xml| {
        xml.map("SummaryMap", summary);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_a_name_that_could_stand_in_a_host_name() {
        for (text, good) in [
            ("packhouse-lab", true),
            ("a1b", true),
            ("ab", false),
            ("-abc", false),
            ("abc-", false),
            ("a--b", false),
            ("Abc", false),
            ("a_b", false),
            ("111122223333", false),
            ("1111222233334", true),
        ] {
            assert_eq!(alias(text).is_ok(), good, "{text}");
        }
    }
}
