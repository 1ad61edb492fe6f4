//! OIDC providers: `CreateOpenIDConnectProvider`, `GetOpenIDConnectProvider`, `ListOpenIDConnectProviders`,
//! `AddClientIDToOpenIDConnectProvider`, `RemoveClientIDFromOpenIDConnectProvider`,
//! `UpdateOpenIDConnectProviderThumbprint`, `DeleteOpenIDConnectProvider`.

use aws::Violation;
use aws::member::check_length;

use super::call::{Answered, Asked, Call};
use super::{params, shapes};
use crate::oidc_providers::provider_arn;

const ARN: &str = "OpenIDConnectProviderArn";

/// `https://HOST[/PATH]`, at most 255 characters, without query, fragment or user; gives it without scheme. A slash at the
/// end stays, as on AWS: Entra ID and others issue tokens in the name of `https://…/`, and names compare exactly.
fn url(text: &str) -> Result<String, Violation> {
    check_length(text, 1, 255)?;
    let wrong = || Violation::Other("be a URL of the form https://host[/path]".to_owned());
    let rest = text.strip_prefix("https://").ok_or_else(wrong)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_host = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
    let is_path = path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~/%!$&'()*+,;=:@".contains(&byte));
    if is_host && is_path {
        Ok(rest.to_owned())
    } else {
        Err(wrong())
    }
}

/// 40 hex digits.
fn thumbprint(text: &str) -> Result<String, Violation> {
    check_length(text, 40, 40)?;
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text.to_owned())
    } else {
        Err(Violation::Pattern("[0-9A-Fa-f]{40}"))
    }
}

const CLIENT_IDS: usize = 100;
const THUMBPRINTS: usize = 5;

pub(super) async fn create(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let url = read.required("Url", url);
    let client_ids = read.list("ClientIDList", CLIENT_IDS, params::text::<255>);
    let thumbprints = read.list("ThumbprintList", THUMBPRINTS, thumbprint);
    let tags = read.tags();
    let (url, client_ids, thumbprints, tags) =
        read.finish(|| Some((url?, client_ids?, thumbprints?, tags?)))?;
    params::check_tags(&tags)?;
    let arn = provider_arn(call.account(), &url);
    let asked = Asked::about(arn, call.account()).with_tags(&tags);
    call.authorize(&asked).await?;
    call.authorize_tags("iam:TagOpenIDConnectProvider", &asked)
        .await?;
    let provider = call
        .iam
        .create_provider(call.account(), &url, client_ids, thumbprints, tags.clone())
        .await?;
    call.answer(|xml| {
        xml.text(ARN, &provider.arn);
        shapes::some_tags(xml, &tags);
    })
}

pub(super) async fn get(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required(ARN, params::arn);
    let arn = read.finish(|| arn)?;
    let target = call.provider(&arn).await?;
    let tags = target.asked.resource_tags.clone();
    let provider = call.permit(target).await?;
    call.answer(|xml| {
        xml.text("Url", &provider.url)
            .text_list("ClientIDList", &provider.client_ids)
            .text_list("ThumbprintList", &provider.thumbprints)
            .time("CreateDate", provider.created);
        shapes::some_tags(xml, &tags);
    })
}

pub(super) async fn list(call: Call<'_>) -> Answered {
    let account = call.account();
    let every = format!("arn:aws:iam::{account}:oidc-provider/*");
    call.authorize(&Asked::about(every, account)).await?;
    let providers = call.iam.providers(account).await?;
    call.answer(|xml| {
        xml.list("OpenIDConnectProviderList", &providers, |xml, provider| {
            xml.text("Arn", &provider.arn);
        });
    })
}

pub(super) async fn add_client_id(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required(ARN, params::arn);
    let client_id = read.required("ClientID", params::text::<255>);
    let (arn, client_id) = read.finish(|| Some((arn?, client_id?)))?;
    let provider = call.permit(call.provider(&arn).await?).await?;
    call.iam.add_client_id(&provider, &client_id).await?;
    call.done()
}

pub(super) async fn remove_client_id(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required(ARN, params::arn);
    let client_id = read.required("ClientID", params::text::<255>);
    let (arn, client_id) = read.finish(|| Some((arn?, client_id?)))?;
    let provider = call.permit(call.provider(&arn).await?).await?;
    call.iam.remove_client_id(&provider, &client_id).await?;
    call.done()
}

pub(super) async fn set_thumbprints(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required(ARN, params::arn);
    let thumbprints = read.required_list("ThumbprintList", THUMBPRINTS, thumbprint);
    let (arn, thumbprints) = read.finish(|| Some((arn?, thumbprints?)))?;
    let provider = call.permit(call.provider(&arn).await?).await?;
    call.iam.set_thumbprints(&provider, &thumbprints).await?;
    call.done()
}

pub(super) async fn delete(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required(ARN, params::arn);
    let arn = read.finish(|| arn)?;
    let provider = call.permit(call.provider(&arn).await?).await?;
    call.iam.delete_provider(&provider).await?;
    call.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_a_host_and_perhaps_a_path() {
        for (text, expected) in [
            (
                "https://token.actions.githubusercontent.com",
                Some("token.actions.githubusercontent.com"),
            ),
            ("https://host/a/b/", Some("host/a/b/")),
            ("https://host/", Some("host/")),
            ("https://host:8443", Some("host:8443")),
            ("http://host", None),
            ("host", None),
            ("https://", None),
            ("https://host?x=1", None),
            ("https://host/a#b", None),
            ("https://user@host/", None),
        ] {
            assert_eq!(url(text).ok().as_deref(), expected, "{text}");
        }
    }
}
