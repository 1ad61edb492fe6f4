//! The statements of a search, each for eight repositories at once.
//!
//! A repository is looked at by itself, so that no work is done in one that the caller may not read, and nothing of it
//! can be told from how a page ends. `UNION ALL` saves the round trips; a place without a repository costs nothing.
//!
//! In each repository a statement walks an index in its order, at most so many rows (`$6`), and gives those that meet
//! all conditions, and the last one that it looked at: whoever asks knows how far it came.

/// Repositories of one statement.
pub(super) const REPOSITORIES: usize = 8;
/// Conditions of a search, at most.
pub(super) const CONDITIONS: usize = 10;

/// Whether the package has all the terms `$7` to `$16`.
macro_rules! conditions {
    () => {
        "($7 = '' OR EXISTS (SELECT 1 FROM search_terms AS t WHERE t.package_id = w.package_id AND t.term = $7))
         AND ($8 = '' OR EXISTS (SELECT 1 FROM search_terms AS t WHERE t.package_id = w.package_id AND t.term = $8))
         AND ($9 = '' OR EXISTS (SELECT 1 FROM search_terms AS t WHERE t.package_id = w.package_id AND t.term = $9))
         AND ($10 = '' OR EXISTS (SELECT 1 FROM search_terms AS t WHERE t.package_id = w.package_id AND t.term = $10))
         AND ($11 = '' OR EXISTS (SELECT 1 FROM search_terms AS t WHERE t.package_id = w.package_id AND t.term = $11))
         AND ($12 = '' OR EXISTS (SELECT 1 FROM search_terms AS t WHERE t.package_id = w.package_id AND t.term = $12))
         AND ($13 = '' OR EXISTS (SELECT 1 FROM search_terms AS t WHERE t.package_id = w.package_id AND t.term = $13))
         AND ($14 = '' OR EXISTS (SELECT 1 FROM search_terms AS t WHERE t.package_id = w.package_id AND t.term = $14))
         AND ($15 = '' OR EXISTS (SELECT 1 FROM search_terms AS t WHERE t.package_id = w.package_id AND t.term = $15))
         AND ($16 = '' OR EXISTS (SELECT 1 FROM search_terms AS t WHERE t.package_id = w.package_id AND t.term = $16))"
    };
}

/// One repository, by name: from `$1` to before `$2`, after the name `$3` and the package `$4`; `$5` rows.
macro_rules! by_name {
    ($repository:literal) => {
        concat!(
            "
    SELECT * FROM (
        SELECT repository_id, package_id, folded, weight, place, fits
          FROM (SELECT w.repository_id, w.package_id, w.folded, CAST(0 AS BIGINT) AS weight, ROW_NUMBER() OVER (ORDER BY folded, package_id) AS place,
                       CASE WHEN w.version <> '' AND ",
            conditions!(),
            " THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS fits
                  FROM (SELECT repository_id, package_id, folded, version
                          FROM search_packages
                         WHERE repository_id = ",
            $repository,
            "
                           AND folded >= $1
                           AND folded < $2
                           AND (folded, package_id) > ($3, $4)
                         ORDER BY folded, package_id
                         LIMIT $6) AS w) AS judged
         WHERE fits = 1 OR place = $6
         ORDER BY folded, package_id
         LIMIT $5) AS found"
        )
    };
}

/// One repository, by the term `$4`: after the weight `$1` and the package `$2`; `$5` rows. `$3` begins names that are
/// not wanted (they were found before), `$17` those that are; a space begins none.
macro_rules! by_term {
    ($repository:literal) => {
        concat!(
            "
    SELECT * FROM (
        SELECT judged.repository_id, judged.package_id, p.folded, judged.weight, judged.place,
               CASE WHEN judged.fits = 1
                     AND SUBSTR(p.folded, 1, CAST(CAST($18 AS BIGINT) AS INTEGER)) <> $3
                     AND SUBSTR(p.folded, 1, CAST(CAST($19 AS BIGINT) AS INTEGER)) = $17
                    THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS fits
          FROM (SELECT w.repository_id, w.package_id, w.weight, ROW_NUMBER() OVER (ORDER BY w.weight, w.package_id) AS place,
                       CASE WHEN ",
            conditions!(),
            " THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS fits
                  FROM (SELECT repository_id, package_id, weight
                          FROM search_terms
                         WHERE repository_id = ",
            $repository,
            "
                           AND term = $4
                           AND (weight, package_id) > ($1, $2)
                         ORDER BY weight, package_id
                         LIMIT $6) AS w) AS judged
         CROSS JOIN search_packages AS p
         WHERE p.package_id = judged.package_id
           AND (judged.place = $6
                OR (judged.fits = 1
                    AND SUBSTR(p.folded, 1, CAST(CAST($18 AS BIGINT) AS INTEGER)) <> $3
                    AND SUBSTR(p.folded, 1, CAST(CAST($19 AS BIGINT) AS INTEGER)) = $17))
         ORDER BY judged.weight, judged.package_id
         LIMIT $5) AS found"
        )
    };
}

macro_rules! eight {
    ($one:ident: $($repository:literal)*) => {
        eight!(@ $one [] $($repository)*)
    };
    (@ $one:ident [$($done:tt)*] $last:literal) => {
        concat!($($done)* $one!($last))
    };
    (@ $one:ident [$($done:tt)*] $next:literal $($rest:literal)+) => {
        eight!(@ $one [$($done)* $one!($next), "\n     UNION ALL",] $($rest)+)
    };
}

pub(super) const BY_NAME: &str = eight!(by_name: "$17" "$18" "$19" "$20" "$21" "$22" "$23" "$24");
pub(super) const BY_TERM: &str = eight!(by_term: "$20" "$21" "$22" "$23" "$24" "$25" "$26" "$27");

/// How many packages of eight repositories have each of ten terms; counts no further than 400.
macro_rules! count {
    ($($term:literal $name:literal)*) => {
        concat!("
    SELECT CAST(0 AS BIGINT) AS zero", $(",
           (SELECT COUNT(*)
              FROM (SELECT 1
                      FROM search_terms
                     WHERE repository_id IN ($11, $12, $13, $14, $15, $16, $17, $18)
                       AND term = ", $term, "
                     LIMIT 400) AS few) AS ", $name,)*)
    };
}

pub(super) const COUNT: &str = count!(
    "$1" "count1" "$2" "count2" "$3" "count3" "$4" "count4" "$5" "count5"
    "$6" "count6" "$7" "count7" "$8" "count8" "$9" "count9" "$10" "count10"
);
pub(super) const COUNTS: [&str; CONDITIONS] = [
    "count1", "count2", "count3", "count4", "count5", "count6", "count7", "count8", "count9",
    "count10",
];

/// What is shown of a package.
pub(super) const SHOWN: &str = "
    SELECT packages.id, packages.repository_id, packages.format, packages.namespace, packages.name, shown.version,
           shown.published, shown.summary, shown.licenses
      FROM packages
      JOIN search_packages AS shown ON shown.package_id = packages.id
     WHERE packages.id IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
/// Packages of one statement.
pub(super) const SHOWN_AT_ONCE: usize = 10;

/// The files with a digest, in all repositories of a domain.
macro_rules! by_digest {
    ($column:literal) => {
        concat!(
            "
    SELECT assets.name AS asset, blobs.size_bytes, blobs.sha256, versions.id AS version_id, versions.version,
           versions.status, versions.revision, versions.published, packages.repository_id, packages.format,
           packages.namespace, packages.name
      FROM blobs
     CROSS JOIN assets
     CROSS JOIN versions
     CROSS JOIN packages
     WHERE blobs.domain_id = $1
       AND blobs.",
            $column,
            " = $2
       AND assets.blob_id = blobs.id
       AND versions.id = assets.version_id
       AND packages.id = versions.package_id
       AND (assets.version_id, assets.name) > ($3, $4)
     ORDER BY assets.version_id, assets.name
     LIMIT $5"
        )
    };
}

pub(super) const BY_MD5: &str = by_digest!("md5");
pub(super) const BY_SHA1: &str = by_digest!("sha1");
pub(super) const BY_SHA256: &str = by_digest!("sha256");
pub(super) const BY_SHA512: &str = by_digest!("sha512");
