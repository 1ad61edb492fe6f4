//! Managed policies: those of customers, which are rows, and those of AWS, which are part of the program.

use std::collections::HashMap;

use aws::{AccountId, Timestamp};
use store::{Row, Tx, Value};

use crate::attachments::Usage;
use crate::error::{InUse, Noun};
use crate::ids::{self, Kind};
use crate::lists::Part;
use crate::policy::{self, PolicyKind, PolicySource, validate};
use crate::tags::{self, Tag};
use crate::users::name_key;
use crate::{Error, Iam, count, policy_versions, quotas};

/// How the ARNs of AWS's own policies begin.
pub(crate) const OWNED_BY_AWS: &str = "arn:aws:iam::aws:policy/";

/// When AWS's own policies came to be: the day on which managed policies were introduced.
const AWS_CREATED: Timestamp = Timestamp::from_seconds(1_423_247_999);

/// A managed policy without its documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManagedPolicy {
    /// `ANPA…`.
    pub(crate) id: String,
    /// `None` for AWS's own.
    pub(crate) account: Option<AccountId>,
    pub(crate) arn: String,
    /// As created; unique without case.
    pub(crate) name: String,
    /// `/` or `/…/`.
    pub(crate) path: String,
    pub(crate) description: Option<String>,
    /// The number in `v1`.
    pub(crate) default_version: i64,
    /// To how many users, groups and roles of the account it is attached.
    pub(crate) attachments: u64,
    /// How many users and roles of the account it limits.
    pub(crate) boundaries: u64,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

/// What a new policy is to be.
#[derive(Clone, Debug)]
pub(crate) struct NewPolicy {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) description: Option<String>,
    pub(crate) document: String,
    pub(crate) tags: Vec<Tag>,
}

/// Which policies are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolicyFilter<'a> {
    pub(crate) usage: Option<Usage>,
    pub(crate) part: Part<'a>,
}

pub(crate) const BY_ARN: &str = "
    SELECT p.id, p.account_id, p.arn, p.name, p.path, p.description, p.default_version, p.created, p.updated,
           (SELECT COUNT(*) FROM attachments a WHERE a.policy_arn = p.arn) AS attachments,
           (SELECT COUNT(*) FROM users u WHERE u.boundary = p.arn)
         + (SELECT COUNT(*) FROM roles r WHERE r.boundary = p.arn) AS boundaries
      FROM policies p
     WHERE p.arn = $1";

pub(crate) const LIST: &str = "
    SELECT p.id, p.account_id, p.arn, p.name, p.path, p.description, p.default_version, p.created, p.updated,
           (SELECT COUNT(*) FROM attachments a WHERE a.policy_arn = p.arn) AS attachments,
           (SELECT COUNT(*) FROM users u WHERE u.boundary = p.arn)
         + (SELECT COUNT(*) FROM roles r WHERE r.boundary = p.arn) AS boundaries
      FROM policies p
     WHERE p.account_id = $1
       AND p.name_key > $2
       AND p.path >= $3
       AND p.path < $4
       AND ($6 = 0
            OR $6 = 1 AND EXISTS (SELECT a.holder_id FROM attachments a WHERE a.policy_arn = p.arn)
            OR $6 = 2 AND (EXISTS (SELECT u.id FROM users u WHERE u.boundary = p.arn)
                           OR EXISTS (SELECT r.id FROM roles r WHERE r.boundary = p.arn)))
     ORDER BY p.name_key
     LIMIT $5";

const COUNT: &str = "
    SELECT COUNT(*) AS n
      FROM policies
     WHERE account_id = $1";

const COUNT_BY_ARN: &str = "
    SELECT COUNT(*) AS n
      FROM policies
     WHERE arn = $1";

const INSERT: &str = "
    INSERT INTO policies (id, account_id, arn, name, name_key, path, description, default_version, next_version, created, updated)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 2, $8, $8)";

const DELETE: &str = "
    DELETE FROM policies
     WHERE id = $1";

/// How often each policy is attached in an account.
const ATTACHMENTS: &str = "
    SELECT a.policy_arn AS arn, COUNT(*) AS n
      FROM attachments a
     WHERE a.holder_id IN (SELECT id FROM users WHERE account_id = $1
                           UNION ALL
                           SELECT id FROM groups WHERE account_id = $1
                           UNION ALL
                           SELECT id FROM roles WHERE account_id = $1)
     GROUP BY a.policy_arn
     ORDER BY a.policy_arn";

/// How often each policy is a boundary in an account.
const BOUNDARIES: &str = "
    SELECT b.boundary AS arn, COUNT(*) AS n
      FROM (SELECT boundary FROM users WHERE account_id = $1 AND boundary IS NOT NULL
            UNION ALL
            SELECT boundary FROM roles WHERE account_id = $1 AND boundary IS NOT NULL) AS b
     GROUP BY b.boundary
     ORDER BY b.boundary";

impl ManagedPolicy {
    fn read(row: &Row) -> Result<Self, store::Error> {
        Ok(Self {
            id: row.text("id")?,
            account: Some(row.parse("account_id")?),
            arn: row.text("arn")?,
            name: row.text("name")?,
            path: row.text("path")?,
            description: row.opt_text("description")?,
            default_version: row.int("default_version")?,
            attachments: row.size("attachments")?,
            boundaries: row.size("boundaries")?,
            created: Timestamp::from_millis(row.int("created")?),
            updated: Timestamp::from_millis(row.int("updated")?),
        })
    }

    fn of_aws(shipped: &policy::ManagedPolicy, used: &Used) -> Self {
        let arn = shipped.arn();
        Self {
            id: ids::policy_id_of(shipped.name),
            account: None,
            name: shipped.name.to_owned(),
            path: "/".to_owned(),
            description: None,
            default_version: version_number(shipped.version).unwrap_or(1),
            attachments: used.attachments.get(&arn).copied().unwrap_or(0),
            boundaries: used.boundaries.get(&arn).copied().unwrap_or(0),
            created: AWS_CREATED,
            updated: AWS_CREATED,
            arn,
        }
    }

    fn is_used(&self, usage: Option<Usage>) -> bool {
        match usage {
            None => true,
            Some(Usage::Permissions) => self.attachments > 0,
            Some(Usage::Boundary) => self.boundaries > 0,
        }
    }

    /// Refuses to change what belongs to AWS.
    pub(crate) fn require_own(&self) -> Result<&AccountId, Error> {
        let unmodifiable = || Error::Unmodifiable(self.arn.clone());
        self.account.as_ref().ok_or_else(unmodifiable)
    }
}

/// `arn:aws:iam::A:policy/PATH/name`.
pub(crate) fn policy_arn(account: &AccountId, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:policy{path}{name}")
}

/// The number in `v12`.
pub(crate) fn version_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('v')?;
    let plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// AWS's own policy of this ARN.
pub(crate) fn shipped(arn: &str) -> Option<&'static policy::ManagedPolicy> {
    let name = arn.strip_prefix(OWNED_BY_AWS)?;
    policy::managed()
        .iter()
        .find(|managed| managed.name == name)
}

/// Makes sure that there is such a policy, and that somebody of the account may be given it. Errors: [`Error::NotFound`].
pub(crate) fn require(tx: &mut Tx<'_>, account: &AccountId, arn: &str) -> Result<(), Error> {
    if shipped(arn).is_some() || arn.starts_with(&policy_arn(account, "/", "")) {
        return require_any(tx, arn);
    }
    Err(Error::not_found(Noun::Attachable, arn))
}

/// The same for a policy of which it is known whose it is.
pub(crate) fn require_any(tx: &mut Tx<'_>, arn: &str) -> Result<(), Error> {
    if shipped(arn).is_some() || count(tx, COUNT_BY_ARN, &[arn.into()])? > 0 {
        return Ok(());
    }
    Err(Error::not_found(Noun::Attachable, arn))
}

/// How often an account uses each policy, by ARN.
#[derive(Default)]
struct Used {
    attachments: HashMap<String, u64>,
    boundaries: HashMap<String, u64>,
}

impl Iam {
    /// Makes a policy with its first version. Errors: [`Error::Malformed`], [`Error::Exists`], [`Error::Quota`].
    pub(crate) async fn create_policy(
        &self,
        account: &AccountId,
        new: NewPolicy,
    ) -> Result<ManagedPolicy, Error> {
        let now = self.clock().now();
        let policy = ManagedPolicy {
            id: ids::unique_id(Kind::Policy),
            account: Some(*account),
            arn: policy_arn(account, &new.path, &new.name),
            name: new.name,
            path: new.path,
            description: new.description,
            default_version: 1,
            attachments: 0,
            boundaries: 0,
            created: now,
            updated: now,
        };
        let source = PolicySource {
            name: policy.name.clone(),
            arn: Some(policy.arn.clone()),
        };
        validate(PolicyKind::Managed, &new.document, source)?;
        let account: Value = account.as_str().into();
        let row: [Value; 8] = [
            policy.id.as_str().into(),
            account.clone(),
            policy.arn.as_str().into(),
            policy.name.as_str().into(),
            name_key(&policy.name).into(),
            policy.path.as_str().into(),
            policy.description.as_deref().into(),
            now.millis().into(),
        ];
        let (id, document, tags) = (policy.id.clone(), new.document, new.tags);
        self.change(move |tx| {
            quotas::POLICIES.room(count(tx, COUNT, std::slice::from_ref(&account))?)?;
            tx.execute(INSERT, &row)?;
            policy_versions::insert(tx, &id, 1, &document, now)?;
            tags::put(tx, &id, &tags)
        })
        .await
        .map_err(|error| error.or_exists(Noun::Policy, &policy.name))?;
        Ok(policy)
    }

    /// The policy of this ARN, one of the account's or of AWS's.
    pub(crate) async fn find_policy(
        &self,
        account: &AccountId,
        arn: &str,
    ) -> Result<Option<ManagedPolicy>, Error> {
        if let Some(shipped) = shipped(arn) {
            let used = self.used(account).await?;
            return Ok(Some(ManagedPolicy::of_aws(shipped, &used)));
        }
        let rows = self.database().rows(BY_ARN, vec![arn.into()]).await?;
        let policy = rows.first().map(ManagedPolicy::read).transpose()?;
        Ok(policy.filter(|policy| policy.account == Some(*account)))
    }

    /// The account's own policies, by name.
    pub(crate) async fn customer_policies(
        &self,
        account: &AccountId,
        filter: PolicyFilter<'_>,
    ) -> Result<Vec<ManagedPolicy>, Error> {
        let mut values = filter.part.values(account.as_str());
        values.push(Usage::number(filter.usage).into());
        let rows = self.database().rows(LIST, values).await?;
        let policies = rows.iter().map(ManagedPolicy::read);
        Ok(policies.collect::<Result<_, _>>()?)
    }

    /// AWS's policies as the account uses them, by name.
    pub(crate) async fn aws_policies(
        &self,
        account: &AccountId,
        filter: PolicyFilter<'_>,
    ) -> Result<Vec<ManagedPolicy>, Error> {
        let used = self.used(account).await?;
        let policies = policy::managed()
            .iter()
            .map(|shipped| ManagedPolicy::of_aws(shipped, &used))
            .filter(|policy| policy.path.starts_with(filter.part.prefix))
            .filter(|policy| policy.is_used(filter.usage))
            .collect();
        Ok(filter.part.cut(policies, |policy| name_key(&policy.name)))
    }

    /// Deletes a policy that nobody has, with its one version. Errors: [`Error::Unmodifiable`], [`Error::InUse`],
    /// [`Error::NotFound`].
    pub(crate) async fn delete_policy(&self, policy: &ManagedPolicy) -> Result<(), Error> {
        policy.require_own()?;
        let (id, arn) = (policy.id.clone(), policy.arn.clone());
        self.change(move |tx| {
            let rows = tx.rows(BY_ARN, &[arn.as_str().into()])?;
            let Some(policy) = rows.first().map(ManagedPolicy::read).transpose()? else {
                return Err(Error::not_found(Noun::Policy, arn.as_str()));
            };
            if policy.attachments > 0 || policy.boundaries > 0 {
                return Err(Error::InUse(InUse::PolicyAttached));
            }
            policy_versions::remove_only(tx, &id)?;
            tags::remove_all(tx, &id)?;
            tx.execute(DELETE, &[id.as_str().into()])?;
            Ok(())
        })
        .await
    }

    async fn used(&self, account: &AccountId) -> Result<Used, Error> {
        Ok(Used {
            attachments: self.count_by_arn(ATTACHMENTS, account).await?,
            boundaries: self.count_by_arn(BOUNDARIES, account).await?,
        })
    }

    async fn count_by_arn(
        &self,
        sql: &'static str,
        account: &AccountId,
    ) -> Result<HashMap<String, u64>, Error> {
        let rows = self
            .database()
            .rows(sql, vec![account.as_str().into()])
            .await?;
        let counts = rows
            .iter()
            .map(|row| Ok((row.text("arn")?, row.size("n")?)));
        Ok(counts.collect::<Result<_, store::Error>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_a_letter_and_a_number_without_leading_zeros() {
        for (text, number) in [
            ("v1", Some(1)),
            ("v12", Some(12)),
            ("v0", None),
            ("v01", None),
            ("v", None),
            ("1", None),
            ("v1.a", None),
            ("v-1", None),
        ] {
            assert_eq!(version_number(text), number, "{text}");
        }
    }
}
