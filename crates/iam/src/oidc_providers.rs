//! OIDC providers: issuers of tokens that roles of the account may trust.

use aws::{AccountId, Timestamp};
use store::{Row, Tx, Value};

use crate::error::Noun;
use crate::tags::{self, Tag};
use crate::{Error, Iam, count, quotas};

/// A row of `oidc_providers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OidcProvider {
    /// `arn:aws:iam::A:oidc-provider/HOST[/PATH]`; also the holder of its tags.
    pub(crate) arn: String,
    pub(crate) account: AccountId,
    /// `HOST[/PATH]`: the issuer without `https://`.
    pub(crate) url: String,
    /// Audiences that its tokens may be for.
    pub(crate) client_ids: Vec<String>,
    /// Kept and shown; certificates are checked against the trusted roots instead.
    pub(crate) thumbprints: Vec<String>,
    pub(crate) created: Timestamp,
}

pub(crate) const BY_ARN: &str = "
    SELECT arn, account_id, url, client_ids, thumbprints, created
      FROM oidc_providers
     WHERE arn = $1";

pub(crate) const OF_ACCOUNT: &str = "
    SELECT arn, account_id, url, client_ids, thumbprints, created
      FROM oidc_providers
     WHERE account_id = $1
     ORDER BY arn";

const COUNT: &str = "
    SELECT COUNT(*) AS n
      FROM oidc_providers
     WHERE account_id = $1";

const INSERT: &str = "
    INSERT INTO oidc_providers (arn, account_id, url, client_ids, thumbprints, created)
    VALUES ($1, $2, $3, $4, $5, $6)";

const SET_CLIENT_IDS: &str = "
    UPDATE oidc_providers
       SET client_ids = $2
     WHERE arn = $1";

const SET_THUMBPRINTS: &str = "
    UPDATE oidc_providers
       SET thumbprints = $2
     WHERE arn = $1";

const DELETE: &str = "
    DELETE FROM oidc_providers
     WHERE arn = $1";

impl OidcProvider {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            arn: row.text("arn")?,
            account: row.parse("account_id")?,
            url: row.text("url")?,
            client_ids: list(row.as_str("client_ids")?)?,
            thumbprints: list(row.as_str("thumbprints")?)?,
            created: Timestamp::from_millis(row.int("created")?),
        })
    }
}

/// `arn:aws:iam::A:oidc-provider/HOST[/PATH]`.
pub(crate) fn provider_arn(account: &AccountId, url: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{url}")
}

fn list(text: &str) -> Result<Vec<String>, Error> {
    serde_json::from_str(text).map_err(|error| Error::damaged("list of a provider", error))
}

fn text(list: &[String]) -> Value {
    serde_json::Value::from(list.to_vec()).to_string().into()
}

fn find(tx: &mut Tx<'_>, arn: &str) -> Result<OidcProvider, Error> {
    let rows = tx.rows(BY_ARN, &[arn.into()])?;
    let provider = rows.first().map(OidcProvider::read).transpose()?;
    provider.ok_or_else(|| Error::not_found(Noun::OidcProvider, arn))
}

impl Iam {
    /// Makes a provider. Errors: [`Error::Exists`], [`Error::Quota`].
    pub(crate) async fn create_provider(
        &self,
        account: &AccountId,
        url: &str,
        client_ids: Vec<String>,
        thumbprints: Vec<String>,
        tags: Vec<Tag>,
    ) -> Result<OidcProvider, Error> {
        let provider = OidcProvider {
            arn: provider_arn(account, url),
            account: *account,
            url: url.to_owned(),
            client_ids,
            thumbprints,
            created: self.clock().now(),
        };
        let new = provider.clone();
        self.change(move |tx| {
            let used = count(tx, COUNT, &[new.account.as_str().into()])?;
            quotas::OIDC_PROVIDERS.room(used)?;
            let values: [Value; 6] = [
                new.arn.as_str().into(),
                new.account.as_str().into(),
                new.url.as_str().into(),
                text(&new.client_ids),
                text(&new.thumbprints),
                new.created.millis().into(),
            ];
            tx.execute(INSERT, &values)?;
            tags::put(tx, &new.arn, &tags)
        })
        .await
        .map_err(|error| error.or_exists(Noun::OidcProvider, &format!("https://{url}")))?;
        Ok(provider)
    }

    /// The provider of this ARN, if it is the account's.
    pub(crate) async fn find_provider(
        &self,
        account: &AccountId,
        arn: &str,
    ) -> Result<Option<OidcProvider>, Error> {
        let rows = self.database().rows(BY_ARN, vec![arn.into()]).await?;
        let provider = rows.first().map(OidcProvider::read).transpose()?;
        Ok(provider.filter(|provider| provider.account == *account))
    }

    /// The account's providers by ARN: a hundred at most.
    pub(crate) async fn providers(&self, account: &AccountId) -> Result<Vec<OidcProvider>, Error> {
        let rows = self
            .database()
            .rows(OF_ACCOUNT, vec![account.as_str().into()])
            .await?;
        rows.iter().map(OidcProvider::read).collect()
    }

    /// Lets tokens be for one more audience; a second time changes nothing. Errors: [`Error::Quota`], [`Error::NotFound`].
    pub(crate) async fn add_client_id(
        &self,
        provider: &OidcProvider,
        client_id: &str,
    ) -> Result<(), Error> {
        let (arn, client_id) = (provider.arn.clone(), client_id.to_owned());
        self.change(move |tx| {
            let mut client_ids = find(tx, &arn)?.client_ids;
            if !client_ids.contains(&client_id) {
                quotas::CLIENT_IDS.room(client_ids.len() as u64)?;
                client_ids.push(client_id.clone());
            }
            tx.execute(SET_CLIENT_IDS, &[arn.as_str().into(), text(&client_ids)])?;
            Ok(())
        })
        .await
    }

    /// Takes an audience away; one that is not there is not missed. Errors: [`Error::NotFound`].
    pub(crate) async fn remove_client_id(
        &self,
        provider: &OidcProvider,
        client_id: &str,
    ) -> Result<(), Error> {
        let (arn, client_id) = (provider.arn.clone(), client_id.to_owned());
        self.change(move |tx| {
            let mut client_ids = find(tx, &arn)?.client_ids;
            client_ids.retain(|known| *known != client_id);
            tx.execute(SET_CLIENT_IDS, &[arn.as_str().into(), text(&client_ids)])?;
            Ok(())
        })
        .await
    }

    /// Replaces all thumbprints. Errors: [`Error::NotFound`].
    pub(crate) async fn set_thumbprints(
        &self,
        provider: &OidcProvider,
        thumbprints: &[String],
    ) -> Result<(), Error> {
        let values = [provider.arn.as_str().into(), text(thumbprints)];
        match self
            .write(move |tx| tx.execute(SET_THUMBPRINTS, &values))
            .await?
        {
            0 => Err(Error::not_found(Noun::OidcProvider, provider.arn.as_str())),
            _ => Ok(()),
        }
    }

    /// Deletes a provider, whether or not roles trust it. Errors: [`Error::NotFound`].
    pub(crate) async fn delete_provider(&self, provider: &OidcProvider) -> Result<(), Error> {
        let arn = provider.arn.clone();
        self.change(move |tx| {
            tags::remove_all(tx, &arn)?;
            match tx.execute(DELETE, &[arn.as_str().into()])? {
                0 => Err(Error::not_found(Noun::OidcProvider, arn.as_str())),
                _ => Ok(()),
            }
        })
        .await
    }
}
