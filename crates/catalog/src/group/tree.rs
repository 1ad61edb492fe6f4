//! The groups of a domain together: which lies within which, what each inherits, and which one a package belongs to.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use aws::Timestamp;

use super::pattern::{Association, GroupPattern, Looks};
use super::{GroupMode, GroupName, GroupRestriction, GroupRule, PackageGroup, arn};
use crate::domain::Domain;
use crate::names::{PackageId, RepositoryName};

/// A group as its row has it, before it is known what is around it.
#[derive(Debug, Clone)]
pub(crate) struct Alone {
    pub(crate) pattern: GroupPattern,
    pub(crate) contact_info: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) tags: Vec<(String, String)>,
    /// In the order of [`GroupRestriction::ALL`], as everywhere here.
    pub(crate) modes: [GroupMode; 3],
    pub(crate) allowed: [BTreeSet<RepositoryName>; 3],
}

impl Alone {
    /// A group that nobody has said anything about.
    pub(crate) fn new(pattern: GroupPattern, created: Timestamp) -> Self {
        let mode = if pattern.is_root() {
            GroupMode::Allow
        } else {
            GroupMode::Inherit
        };
        Self {
            pattern,
            contact_info: None,
            description: None,
            created,
            tags: Vec::new(),
            modes: [mode; 3],
            allowed: <[BTreeSet<RepositoryName>; 3]>::default(),
        }
    }
}

/// The groups of a domain, by pattern. There is always the root group.
pub(crate) struct Groups(Vec<(Arc<PackageGroup>, Looks)>);

/// How specific a group is for a package; of two the higher one has it.
type Rank<'a> = (usize, bool, bool, usize, Reverse<&'a GroupPattern>);

fn rank<'a>(pattern: &'a GroupPattern, looks: &Looks, how: Association) -> Rank<'a> {
    (
        looks.length(),
        pattern.is_exact(),
        how == Association::Strong,
        // Two literals may look the same and yet one begin the other: `a-` and `a--`.
        pattern.literal().len(),
        Reverse(pattern),
    )
}

impl Groups {
    /// Puts them together. The root group is made up where it is not among them.
    pub(crate) fn new(domain: &Arc<Domain>, mut alone: Vec<Alone>) -> Self {
        if !alone.iter().any(|group| group.pattern.is_root()) {
            alone.push(Alone::new(GroupPattern::root(), domain.created));
        }
        // Whatever encloses a group stands before it, and what encloses it most closely stands last among those.
        alone.sort_by(|a, b| {
            let key = |group: &Alone| (group.pattern.is_exact(), group.pattern.clone());
            let (one, other) = (a.pattern.literal(), b.pattern.literal());
            one.cmp(other).then_with(|| key(a).cmp(&key(b)))
        });
        let mut groups: Vec<Arc<PackageGroup>> = Vec::with_capacity(alone.len());
        // Places of those whose literals the literal of the next one may begin with.
        let mut open: Vec<usize> = Vec::new();
        for group in alone {
            let begins = |place: &usize| {
                let literal = group.pattern.literal();
                literal.starts_with(groups[*place].pattern.literal())
            };
            while open.last().is_some_and(|place| !begins(place)) {
                open.pop();
            }
            let encloses = |place: &&usize| groups[**place].pattern.encloses(&group.pattern);
            let parent = open.iter().rev().find(encloses);
            let parent = parent.map(|place| Arc::clone(&groups[*place]));
            open.push(groups.len());
            groups.push(Arc::new(placed(domain, group, parent.as_deref())));
        }
        groups.sort_by(|a, b| a.pattern.cmp(&b.pattern));
        let looks = |group: Arc<PackageGroup>| {
            let looks = Looks::of_pattern(&group.pattern);
            (group, looks)
        };
        Self(groups.into_iter().map(looks).collect())
    }

    /// All of them, by pattern.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<PackageGroup>> {
        self.0.iter().map(|(group, _)| group)
    }

    /// The one of exactly this pattern.
    pub(crate) fn find(&self, pattern: &str) -> Option<&Arc<PackageGroup>> {
        let place = self
            .0
            .binary_search_by(|(group, _)| group.pattern.as_str().cmp(pattern))
            .ok()?;
        Some(&self.0[place].0)
    }

    /// The group that a package belongs to, and how.
    ///
    /// What is more specific comes before what fits better: a package that only looks like those of a group does not
    /// fall through to a wider one that it is exactly what the pattern says of.
    pub(crate) fn associate(&self, id: &PackageId) -> Option<(&Arc<PackageGroup>, Association)> {
        let (group, how, _) = self.closest(&Looks::of_package(id))?;
        Some((group, how))
    }

    /// How a package would belong to a group of this pattern, which there need not be.
    pub(crate) fn associate_with(
        &self,
        pattern: &GroupPattern,
        looks: &Looks,
        id: &PackageId,
    ) -> Option<Association> {
        let path = Looks::of_package(id);
        let how = path.association(pattern, looks)?;
        let rank = rank(pattern, looks, how);
        let is_closest = self.closest(&path).is_none_or(|(_, _, best)| rank >= best);
        is_closest.then_some(how)
    }

    fn closest(&self, path: &Looks) -> Option<(&Arc<PackageGroup>, Association, Rank<'_>)> {
        let candidates = self.0.iter().filter_map(|(group, looks)| {
            let how = path.association(&group.pattern, looks)?;
            Some((group, how, rank(&group.pattern, looks, how)))
        });
        candidates.max_by_key(|(_, _, rank)| *rank)
    }
}

/// A group with what it inherits.
fn placed(domain: &Arc<Domain>, group: Alone, parent: Option<&PackageGroup>) -> PackageGroup {
    let Alone {
        pattern,
        contact_info,
        description,
        created,
        tags,
        modes,
        allowed,
    } = group;
    let name = |group: &PackageGroup| GroupName {
        arn: group.arn.clone(),
        pattern: group.pattern.clone(),
    };
    let mut allowed = allowed.map(Arc::new).into_iter();
    let rules = GroupRestriction::ALL.map(|restriction| {
        let mode = modes[restriction as usize];
        let allowed = allowed.next().unwrap_or_default();
        let above = parent.map(|parent| (parent, parent.rule(restriction)));
        match above.filter(|_| mode == GroupMode::Inherit) {
            None => GroupRule {
                mode,
                effective_mode: mode,
                inherited_from: None,
                effectively_allowed: Arc::clone(&allowed),
                allowed,
            },
            Some((parent, rule)) => GroupRule {
                mode,
                effective_mode: rule.effective_mode,
                inherited_from: rule.inherited_from.clone().or_else(|| Some(name(parent))),
                effectively_allowed: Arc::clone(&rule.effectively_allowed),
                allowed,
            },
        }
    });
    PackageGroup {
        arn: arn(&domain.arn, pattern.as_str()),
        domain: Arc::clone(domain),
        pattern,
        contact_info,
        description,
        created,
        tags,
        parent: parent.map(name),
        rules,
    }
}
