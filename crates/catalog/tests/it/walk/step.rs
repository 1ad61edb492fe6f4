//! The steps of a walk, and dice to choose them by.

use catalog::{GroupMode, GroupRestriction, Restriction, Restrictions, Status};

use super::model::{COLOURS, FILES, PACKAGES, PATTERNS, REPOSITORIES, VERSIONS};
use super::old::{CALLED, Find, RULES};

/// Numbers that are the same for the same seed (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to one less than this.
    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap()
    }

    /// True in one of so many cases.
    fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Some of the first `count` numbers, each once, in any order.
    fn some_of(&mut self, count: usize, at_most: usize) -> Vec<usize> {
        let mut found = Vec::new();
        for _ in 0..self.below(at_most + 1) {
            let one = self.below(count);
            if !found.contains(&one) {
                found.push(one);
            }
        }
        found
    }
}

/// Something that somebody does. Names are places in the model's lists.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Publish {
        repository: usize,
        package: usize,
        version: usize,
        file: usize,
        content: u8,
        finish: bool,
    },
    Read {
        repository: usize,
        package: usize,
        version: usize,
        file: usize,
    },
    Copy {
        from: usize,
        to: usize,
        package: usize,
        versions: Vec<usize>,
        overwrite: bool,
        from_upstream: bool,
    },
    SetStatus {
        repository: usize,
        package: usize,
        versions: Vec<usize>,
        target: Status,
        expected: Option<Status>,
    },
    Dispose {
        repository: usize,
        package: usize,
        versions: Vec<usize>,
    },
    Delete {
        repository: usize,
        package: usize,
        versions: Vec<usize>,
    },
    DeletePackage {
        repository: usize,
        package: usize,
    },
    SetControl {
        repository: usize,
        package: usize,
        control: Restrictions,
    },
    SetUpstreams {
        repository: usize,
        upstreams: Vec<usize>,
    },
    /// To the public registry.
    Connect {
        repository: usize,
    },
    Disconnect {
        repository: usize,
    },
    /// Deleted, and made again under the same name.
    Renew {
        repository: usize,
    },
    CreateGroup {
        pattern: usize,
    },
    DeleteGroup {
        pattern: usize,
    },
    SetOrigin {
        pattern: usize,
        restriction: GroupRestriction,
        mode: Option<GroupMode>,
        add: Vec<usize>,
        remove: Vec<usize>,
    },
    /// Time passes, and what nobody needs is swept away.
    Sweep {
        hours: u64,
    },
    Restore {
        repository: usize,
        package: usize,
        versions: Vec<usize>,
    },
    SetRules {
        repository: usize,
        rules: usize,
    },
    /// What the rules say is previewed, then done.
    RunRules {
        repository: usize,
    },
    Undo {
        repository: usize,
        /// How many runs of the rules came after it.
        before: usize,
    },
    Find(Find),
}

const TARGETS: [Status; 4] = [
    Status::Published,
    Status::Published,
    Status::Unlisted,
    Status::Archived,
];

impl Step {
    #[expect(clippy::too_many_lines, reason = "a line or two for each step")]
    pub(super) fn any(dice: &mut Dice) -> Self {
        let (repository, package) = (dice.below(REPOSITORIES.len()), dice.below(PACKAGES.len()));
        match dice.below(121) {
            0..30 => Self::Publish {
                repository,
                package,
                version: dice.below(VERSIONS.len()),
                file: dice.below(FILES.len()),
                content: u8::try_from(dice.below(3)).unwrap(),
                finish: !dice.once_in(4),
            },
            30..58 => Self::Read {
                repository,
                package,
                version: dice.below(VERSIONS.len()),
                file: dice.below(FILES.len()),
            },
            58..66 => Self::Copy {
                from: repository,
                to: dice.below(REPOSITORIES.len()),
                package,
                versions: some_versions(dice),
                overwrite: dice.once_in(2),
                from_upstream: dice.once_in(3),
            },
            66..73 => Self::SetStatus {
                repository,
                package,
                versions: some_versions(dice),
                target: dice.one_of(&TARGETS),
                expected: dice
                    .once_in(4)
                    .then(|| dice.one_of(&[Status::Published, Status::Unfinished])),
            },
            73..75 => Self::Dispose {
                repository,
                package,
                versions: some_versions(dice),
            },
            75..81 => Self::Delete {
                repository,
                package,
                versions: some_versions(dice),
            },
            81..83 => Self::DeletePackage {
                repository,
                package,
            },
            83..87 => Self::SetControl {
                repository,
                package,
                control: Restrictions {
                    publish: dice.one_of(&[
                        Restriction::Allow,
                        Restriction::Allow,
                        Restriction::Block,
                    ]),
                    upstream: dice.one_of(&[
                        Restriction::Allow,
                        Restriction::Allow,
                        Restriction::Block,
                    ]),
                },
            },
            87..91 => {
                let upstreams = dice.some_of(REPOSITORIES.len(), 3);
                Self::SetUpstreams {
                    repository,
                    upstreams,
                }
            }
            91 if dice.once_in(3) => Self::Renew { repository },
            91..94 => Self::CreateGroup {
                pattern: dice.below(PATTERNS.len()),
            },
            94 => Self::DeleteGroup {
                pattern: dice.below(PATTERNS.len()),
            },
            95..98 => Self::SetOrigin {
                pattern: dice.below(PATTERNS.len()),
                restriction: dice.one_of(&GroupRestriction::ALL),
                mode: (!dice.once_in(4)).then(|| {
                    dice.one_of(&[
                        GroupMode::Allow,
                        GroupMode::Allow,
                        GroupMode::AllowSpecificRepositories,
                        GroupMode::Block,
                        GroupMode::Inherit,
                    ])
                }),
                add: dice.some_of(REPOSITORIES.len(), 2),
                remove: dice.some_of(REPOSITORIES.len(), 1),
            },
            98..100 => Self::Sweep {
                hours: dice.below(48) as u64,
            },
            100..105 => Self::Restore {
                repository,
                package,
                versions: some_versions(dice),
            },
            105..107 => Self::SetRules {
                repository,
                rules: dice.below(RULES.len()),
            },
            107..110 => Self::RunRules { repository },
            110..112 => Self::Undo {
                repository,
                before: dice.below(2),
            },
            112..116 => Self::Connect { repository },
            116 => Self::Disconnect { repository },
            _ => Self::Find(match dice.below(3) {
                0 => {
                    let (name, packages) = dice.one_of(&CALLED);
                    Find::Called(name, packages)
                }
                1 => Find::Saying(u8::try_from(dice.below(COLOURS.len())).unwrap()),
                _ => {
                    let content = u8::try_from(dice.below(COLOURS.len())).unwrap();
                    Find::Bytes(package, dice.below(FILES.len()), content)
                }
            }),
        }
    }
}

/// One or two of them, the same perhaps twice.
fn some_versions(dice: &mut Dice) -> Vec<usize> {
    let mut versions = vec![dice.below(VERSIONS.len())];
    if dice.once_in(2) {
        versions.push(dice.below(VERSIONS.len()));
    }
    versions
}
