//! The keys that sign tokens, and how they come and go (`identity.md` 5.7).
//!
//! ```text
//! pending ──5 min──> active ──24 h──> retiring ──longest life of what it signed + 1 h──> gone
//! ```
//!
//! A key is pending until every node has it, so no node is asked about a key that it does not know. The very first key
//! of a purpose has nobody to wait for and is active at once.

use std::str::FromStr;
use std::time::Duration;

use aws::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Row, Tx, Value};
use zeroize::Zeroizing;

use crate::error::Noun;
use crate::tokens::Keyring;
use crate::vault::{Owner, Place, Vault};
use crate::{Error, Iam, ids};

const PENDING: Duration = Duration::from_mins(5);
const ROTATE: Duration = Duration::from_hours(24);

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Bearer tokens; they live up to 12 hours.
    Bearer,
    /// Session tokens; they live up to 36 hours.
    Sts,
}

impl Purpose {
    const ALL: [Self; 2] = [Self::Bearer, Self::Sts];

    fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Sts => "sts",
        }
    }

    /// How long a key is still needed after it signed for the last time.
    fn retiring(self) -> Duration {
        match self {
            Self::Bearer => Duration::from_hours(12 + 1),
            Self::Sts => Duration::from_hours(36 + 1),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Active,
    Retiring,
    Gone,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Gone => "gone",
        }
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pending" => Ok(Self::Pending),
            "active" => Ok(Self::Active),
            "retiring" => Ok(Self::Retiring),
            "gone" => Ok(Self::Gone),
            other => Err(format!("`{other}` is no state of a key")),
        }
    }
}

/// One purpose's keys in memory, and the one that signs.
#[derive(Clone, Default)]
pub(crate) struct Ring {
    pub(crate) keys: Keyring,
    pub(crate) signing: Option<u16>,
}

/// A key that signs tokens, without itself.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TokenKey {
    /// Its number, which stands in every token that it signed.
    pub number: u16,
    /// `bearer` or `sts`.
    pub purpose: String,
    /// `pending`, `active` or `retiring`.
    pub state: String,
    /// When it was made: `2026-03-14T15:09:26Z`.
    pub created: String,
    /// Since when it is in this state.
    pub changed: String,
}

const IN_USE: &str = "
    SELECT kid, purpose, state, created, changed
      FROM token_keys
     WHERE state <> 'gone'
     ORDER BY purpose, created, kid";

const USABLE: &str = "
    SELECT kid, state, secret
      FROM token_keys
     WHERE purpose = $1
       AND state <> 'gone'
     ORDER BY kid";

const STATES: &str = "
    SELECT kid, state, changed
      FROM token_keys
     WHERE purpose = $1
     ORDER BY created, kid";

const NEWEST: &str = "
    SELECT kid
      FROM token_keys
     ORDER BY created DESC, kid DESC
     LIMIT 1";

const INSERT: &str = "
    INSERT INTO token_keys (kid, purpose, state, secret, created, changed)
    VALUES ($1, $2, $3, $4, $5, $5)
        ON CONFLICT (kid) DO UPDATE
       SET purpose = excluded.purpose, state = excluded.state, secret = excluded.secret,
           created = excluded.created, changed = excluded.changed";

const MOVE: &str = "
    UPDATE token_keys
       SET state = $2, changed = $3
     WHERE kid = $1";

const END: &str = "
    UPDATE token_keys
       SET state = 'gone', secret = '', changed = $2
     WHERE kid = $1";

fn place(kid: &str) -> Place<'_> {
    Place {
        table: "token_keys",
        column: "secret",
        key: kid,
    }
}

/// Reads and opens every key of a purpose that may still have signed something.
pub(crate) async fn load(
    vault: &Vault,
    database: &store::Database,
    purpose: Purpose,
) -> Result<Ring, Error> {
    let mut ring = Ring::default();
    for row in database.rows(USABLE, vec![purpose.as_str().into()]).await? {
        let (kid, state) = (kid(&row)?, row.parse::<State>("state")?);
        let key = vault
            .open(
                Owner::Installation,
                place(&kid.to_string()),
                row.as_str("secret")?,
            )
            .await?;
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(
            key.as_slice()
                .try_into()
                .map_err(|error| Error::damaged("token key", error))?,
        );
        ring.keys.insert(kid, &key);
        if state == State::Active {
            ring.signing = Some(kid);
        }
    }
    Ok(ring)
}

/// What one call of [`Iam::rotate`] is going to do to the keys of a purpose.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Make a key in this state.
    Make(State),
    Move(u16, State),
    End(u16),
}

/// When the next key is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    InTime,
    /// Somebody asked for it. One that is waiting already is the next.
    AtOnce,
}

/// The steps that are due; pure, so that a table can say what happens when.
fn due(
    purpose: Purpose,
    keys: &[(u16, State, Timestamp)],
    next: Next,
    now: Timestamp,
) -> Vec<Step> {
    let in_state = |wanted| keys.iter().filter(move |(_, state, _)| *state == wanted);
    let mut steps = Vec::new();
    let active = in_state(State::Active).next_back();
    let pending = in_state(State::Pending).next();
    match (active, pending) {
        (None, None) => steps.push(Step::Make(State::Active)),
        // The one that signed was dropped: signing with a key that some node has to look up is better than not signing.
        (None, Some((first, _, _))) => steps.push(Step::Move(*first, State::Active)),
        (Some((last, _, _)), Some((first, _, since))) => {
            if now.since(*since) >= PENDING {
                steps.extend([
                    Step::Move(*last, State::Retiring),
                    Step::Move(*first, State::Active),
                ]);
            }
        }
        (Some((_, _, since)), None) => {
            if next == Next::AtOnce || now.since(*since) >= ROTATE.saturating_sub(PENDING) {
                steps.push(Step::Make(State::Pending));
            }
        }
    }
    let over =
        in_state(State::Retiring).filter(|(_, _, since)| now.since(*since) >= purpose.retiring());
    steps.extend(over.map(|(kid, _, _)| Step::End(*kid)));
    steps
}

impl Iam {
    /// Takes every step that is due in the life of the token keys. Call it every minute or so, on any number of nodes;
    /// two that do it at once do it once.
    pub async fn rotate(&self, now: Timestamp) -> Result<(), Error> {
        for purpose in Purpose::ALL {
            if self.is_due(purpose, now).await? {
                self.take_steps(purpose, Next::InTime, now).await?;
            }
        }
        Ok(())
    }

    /// Makes the next key of each purpose now: it signs in five minutes, when every node has it, and what the one before
    /// has signed stays good until it expires. While one waits already, nothing is made.
    pub async fn rotate_token_keys(&self) -> Result<(), Error> {
        for purpose in Purpose::ALL {
            self.take_steps(purpose, Next::AtOnce, self.clock().now())
                .await?;
        }
        Ok(())
    }

    /// The keys that may still have signed something, by purpose, oldest first.
    pub async fn token_keys(&self) -> Result<Vec<TokenKey>, Error> {
        let rows = self.database().rows(IN_USE, Vec::new()).await?;
        let read = |row: &Row| {
            let time =
                |column| Ok::<_, store::Error>(Timestamp::from_millis(row.int(column)?).iso8601());
            Ok(TokenKey {
                number: kid(row)?,
                purpose: row.text("purpose")?,
                state: row.text("state")?,
                created: time("created")?,
                changed: time("changed")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Emergency: everything that this key signed is dead from the next request on. [`rotate`](Self::rotate) makes the next key.
    pub async fn drop_token_key(&self, number: u16) -> Result<(), Error> {
        let values: [Value; 2] = [number.into(), self.clock().now().millis().into()];
        let dropped = self.write(move |tx| tx.execute(END, &values)).await?;
        if dropped == 0 {
            return Err(Error::NotFound {
                noun: Noun::TokenKey,
                name: number.to_string(),
            });
        }
        self.rotate(self.clock().now()).await
    }

    /// Asked outside a transaction, so that the usual answer, no, costs no writer.
    async fn is_due(&self, purpose: Purpose, now: Timestamp) -> Result<bool, Error> {
        let rows = self
            .database()
            .rows(STATES, vec![purpose.as_str().into()])
            .await?;
        Ok(!due(purpose, &states(&rows)?, Next::InTime, now).is_empty())
    }

    async fn take_steps(&self, purpose: Purpose, next: Next, now: Timestamp) -> Result<(), Error> {
        // A number has to be known before its key can be sealed for its row. When another node was faster the number
        // is taken by then, and this key is not needed.
        let number = self.next_number().await?;
        let key = Zeroizing::new(ids::random::<32>());
        let sealed = self
            .vault()
            .seal(
                Owner::Installation,
                place(&number.to_string()),
                key.as_slice(),
            )
            .await?;
        self.write(move |tx| {
            let keys = states(&tx.rows(STATES, &[purpose.as_str().into()])?)?;
            let taken = next_number(tx.rows(NEWEST, &[])?.first())? != number;
            for step in due(purpose, &keys, next, now) {
                match step {
                    Step::Make(_) if taken => {}
                    Step::Make(state) => make(tx, number, purpose, state, &sealed, now)?,
                    Step::Move(kid, state) => {
                        tx.execute(
                            MOVE,
                            &[kid.into(), state.as_str().into(), now.millis().into()],
                        )?;
                    }
                    Step::End(kid) => {
                        tx.execute(END, &[kid.into(), now.millis().into()])?;
                    }
                }
            }
            Ok(())
        })
        .await
    }

    async fn next_number(&self) -> Result<u16, Error> {
        let rows = self.database().rows(NEWEST, Vec::new()).await?;
        Ok(next_number(rows.first())?)
    }
}

fn make(
    tx: &mut Tx<'_>,
    kid: u16,
    purpose: Purpose,
    state: State,
    sealed: &str,
    now: Timestamp,
) -> Result<(), store::Error> {
    tx.execute(
        INSERT,
        &[
            kid.into(),
            purpose.as_str().into(),
            state.as_str().into(),
            sealed.into(),
            now.millis().into(),
        ],
    )?;
    Ok(())
}

/// One more than the newest, in a circle: two keys a day come round after 90 years.
fn next_number(newest: Option<&Row>) -> Result<u16, store::Error> {
    newest.map_or(Ok(1), |row| Ok(kid(row)?.wrapping_add(1)))
}

fn kid(row: &Row) -> Result<u16, store::Error> {
    let number = row.int("kid")?;
    u16::try_from(number).map_err(|_| store::Error::Column {
        column: "kid".to_owned(),
        problem: format!("is {number}"),
    })
}

fn states(rows: &[Row]) -> Result<Vec<(u16, State, Timestamp)>, store::Error> {
    rows.iter()
        .map(|row| {
            Ok((
                kid(row)?,
                row.parse("state")?,
                Timestamp::from_millis(row.int("changed")?),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_key_is_made_at_once_when_asked_for_but_only_one() {
        let now = Timestamp::from_seconds(1_773_500_966);
        let active = (1, State::Active, now);
        let asked = |keys: &[_]| due(Purpose::Sts, keys, Next::AtOnce, now);
        assert_eq!(asked(&[active]), [Step::Make(State::Pending)]);
        assert_eq!(asked(&[active, (2, State::Pending, now)]), []);
    }

    #[test]
    fn keys_wait_sign_rest_and_go() {
        let now = Timestamp::from_seconds(1_773_500_966);
        let ago = |minutes| now.minus(Duration::from_mins(minutes));
        let day = 24 * 60;
        for (keys, expected) in [
            (vec![], vec![Step::Make(State::Active)]),
            (
                vec![(1, State::Gone, ago(1))],
                vec![Step::Make(State::Active)],
            ),
            (
                vec![(1, State::Retiring, ago(1))],
                vec![Step::Make(State::Active)],
            ),
            (
                vec![(1, State::Gone, ago(1)), (2, State::Pending, ago(1))],
                vec![Step::Move(2, State::Active)],
            ),
            (vec![(1, State::Active, ago(day - 6))], vec![]),
            (
                vec![(1, State::Active, ago(day - 5))],
                vec![Step::Make(State::Pending)],
            ),
            (
                vec![
                    (1, State::Active, ago(day - 4)),
                    (2, State::Pending, ago(4)),
                ],
                vec![],
            ),
            (
                vec![(1, State::Active, ago(day)), (2, State::Pending, ago(5))],
                vec![Step::Move(1, State::Retiring), Step::Move(2, State::Active)],
            ),
            (
                vec![
                    (1, State::Retiring, ago(13 * 60 - 1)),
                    (2, State::Active, ago(60)),
                ],
                vec![],
            ),
            (
                vec![
                    (1, State::Retiring, ago(13 * 60)),
                    (2, State::Active, ago(60)),
                ],
                vec![Step::End(1)],
            ),
        ] {
            assert_eq!(
                due(Purpose::Bearer, &keys, Next::InTime, now),
                expected,
                "{keys:?}"
            );
        }
        let old = [
            (1, State::Retiring, ago(13 * 60)),
            (2, State::Active, ago(60)),
        ];
        assert_eq!(
            due(Purpose::Sts, &old, Next::InTime, now),
            [],
            "session tokens live longer"
        );
    }
}
