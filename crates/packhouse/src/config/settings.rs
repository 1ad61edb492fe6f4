//! Every setting in one list: an entry gives the flag, the environment variable, the key in the file, the line that
//! `packhouse config` prints and the row of the reference page.

/// One setting of the server.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The flag without its dashes: `public-url`.
    pub(crate) name: &'static str,
    /// What stands for its value in help texts; empty for a switch.
    pub(crate) value: &'static str,
    /// The value when nobody sets it, as text; empty when there is none.
    pub(crate) default: &'static str,
    /// How it may be given.
    pub(crate) form: Form,
    /// What it does, in a sentence or two.
    pub(crate) about: &'static str,
}

/// How a setting may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Once.
    Text,
    /// Once, on or off; as a flag it takes no value.
    Switch,
    /// Several times as a flag; separated by commas in the environment; an array in the file.
    List,
    /// `NAME=URL`, several times as a flag; one variable each in the environment; a table in the file.
    Upstreams,
    /// Once, never as a flag (other users of the machine can read those), and never printed.
    Secret,
}

impl Setting {
    /// The environment variable: `PACKHOUSE_PUBLIC_URL`. For upstreams it is a prefix.
    pub(crate) fn variable(&self) -> String {
        let upper = self.name.replace('-', "_").to_ascii_uppercase();
        format!("PACKHOUSE_{upper}")
    }

    /// Where it stands in the file: `blobs.endpoint` is the key `endpoint` of the table `[blobs]`.
    pub(crate) fn key(&self) -> String {
        for table in [
            "blobs", "limit", "auth", "oidc", "audit", "webhook", "maven", "npm", "pypi", "generic",
        ] {
            if self.name == table {
                return format!("{table}.location");
            }
            if let Some(key) = self
                .name
                .strip_prefix(table)
                .and_then(|rest| rest.strip_prefix('-'))
            {
                return format!("{table}.{key}");
            }
        }
        match self.form {
            Form::Upstreams => "upstreams".to_owned(),
            _ => self.name.to_owned(),
        }
    }

    /// Finds a setting by its name.
    pub(crate) fn named(name: &str) -> &'static Setting {
        SETTINGS
            .iter()
            .find(|setting| setting.name == name)
            .expect("names are written in this crate only, and a test reads every one")
    }
}

const fn setting(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    form: Form,
    about: &'static str,
) -> Setting {
    Setting {
        name,
        value,
        default,
        form,
        about,
    }
}

use Form::{List, Secret, Switch, Text, Upstreams};

/// The settings, in the order in which they are shown.
#[rustfmt::skip]
pub(crate) const SETTINGS: &[Setting] = &[
    setting("data", "DIR", "./packhouse-data", Text,
        "Directory of everything that is kept here: database, blobs, master key, first credentials. Made if it is not there."),
    setting("config", "FILE", "", Text,
        "Configuration file (TOML). Without it `packhouse.toml` in the data directory is read, if there is one."),
    setting("listen", "ADDRESS:PORT", "127.0.0.1:7070", Text,
        "Where to listen. Port 0 takes a free one. Anything but loopback needs a certificate or `insecure-http`."),
    setting("tls-certificate", "FILE", "", Text,
        "Certificate of this server and those that vouch for it, PEM. With it the port speaks TLS. Both files are looked at every ten seconds: a renewed certificate needs no restart."),
    setting("tls-key", "FILE", "", Text,
        "Private key of that certificate, PEM."),
    setting("public-url", "URL", "", Text,
        "The address under which clients reach this server, as it shall stand in repository endpoints. Without it the `Host` of each request decides."),
    setting("insecure-http", "", "false", Switch,
        "Allows plain HTTP beyond loopback: for a server behind a proxy that speaks TLS, or in a network you trust."),
    setting("trusted-proxy", "CIDR", "", List,
        "Networks of the proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed."),
    setting("account-id", "ID", "111122223333", Text,
        "The account of the root key and of the user `admin`, twelve digits. Looked at by the first start only."),
    setting("region", "REGION", "us-east-1", Text,
        "The region in ARNs and in signatures."),
    setting("database", "URL", "", Text,
        "`sqlite:PATH` or `postgres://…`. Without it `packhouse.db` in the data directory."),
    setting("blobs", "URL", "", Text,
        "Where the bytes of packages are kept: `file:PATH` or `s3://BUCKET/PREFIX`. Without it `blobs` in the data directory."),
    setting("blobs-endpoint", "URL", "", Text,
        "Address of the bucket's server. Without it `AWS_ENDPOINT_URL_S3`, else the region's own. `AWS_ENDPOINT_URL` is not looked at: users of this server have it pointing at this server."),
    setting("blobs-region", "REGION", "", Text,
        "Region of the bucket. Without it the ordinary AWS sources are asked."),
    setting("blobs-path-style", "BOOL", "true", Text,
        "Whether the bucket's name stands in the path (`true`) or in the host name (`false`)."),
    setting("blobs-access-key-id", "KEY", "", Text,
        "Access key of the bucket. Without it the ordinary AWS credential sources are asked."),
    setting("blobs-secret-access-key", "SECRET", "", Secret,
        "Secret of that access key."),
    setting("blobs-memory-bytes", "BYTES", "67108864", Text,
        "How much memory may hold the bytes of small assets."),
    setting("upstream", "public:NAME=URL", "", Upstreams,
        "Address of the public registry behind an external connection. `packhouse upstreams detect --write` finds those that this machine's own clients use."),
    setting("registry-host", "HOST", "", List,
        "Further hosts that the public registries may point to although their addresses are not public: the file server of a mirror inside your network, say. Without a port."),
    setting("complete-versions", "BOOL", "true", Text,
        "Whether the further files of a version that was taken from a public registry (sources, documentation) are fetched in the background, or only when somebody asks for them."),
    setting("maven-require-pom", "", "false", Switch,
        "Publishes no version of a Maven package that has no POM."),
    setting("maven-strict-pom", "", "false", Switch,
        "Refuses a POM for other coordinates than those of its path, instead of keeping it with a warning."),
    setting("maven-refuse-unverified", "", "false", Switch,
        "Takes no file of a public Maven repository that has no checksum beside it."),
    setting("npm-allow-unpublish", "", "false", Switch,
        "Lets `npm unpublish` delete versions, for whoever may `DeletePackageVersions`."),
    setting("npm-allow-unverified", "", "false", Switch,
        "Lists and takes versions of a public npm registry of which it promises no digest."),
    setting("npm-private-scope", "SCOPE", "", List,
        "Scopes of your own, like `@acme`: no public npm registry is ever asked about a package in them, whatever its origin controls say. What is kept here of them stays."),
    setting("pypi-allow-unverified", "", "false", Switch,
        "Takes files of a public Python index of which it has no digest."),
    setting("pypi-legacy-files", "", "false", Switch,
        "Shows the eggs and Windows installers of a public Python index, which only tools from long ago install."),
    setting("pypi-synthesize-metadata", "BOOL", "true", Text,
        "Whether the metadata of a wheel is promised, and read out of the wheel, where a public Python index has none beside it. It saves clients from fetching each wheel that they look at."),
    setting("pypi-trust-root", "FILE", "", Text,
        "A Sigstore trust root (`trusted_root.json`): attestations that come with Python uploads are shown if they verify by it. Without it by that of the public-good instance, as it was when this program was built. Read at the start."),
    setting("generic-http", "BOOL", "true", Text,
        "Whether generic packages have an HTTP endpoint beside the operations of the API."),
    setting("master-key-file", "FILE", "", Text,
        "The key that seals all stored secrets. Without it `master.key` in the data directory, made by the first start. Keep it apart from backups of the database."),
    setting("master-key-command", "COMMAND", "", Text,
        "Instead of a file: a program and its arguments, separated by spaces, run without a shell, that prints the master key in 64 hex digits, and on a second line the one before while it is being changed. It has 30 seconds."),
    setting("auth-strict-root", "", "false", Switch,
        "Refuses authorization tokens to the root key, as AWS does."),
    setting("oidc-allow-private-issuers", "", "false", Switch,
        "Lets the issuers of web identity tokens, and the addresses that their documents name, stand in your own networks and on this machine. Clusters and a GitLab of your own need it."),
    setting("oidc-ca-file", "FILE", "", Text,
        "Certificates, PEM, that vouch for issuers besides those that this machine trusts."),
    setting("oidc-jwks-file", "ISSUER=FILE", "", List,
        "Keys of an issuer that cannot be asked from here: its address, `https://…`, and a file with its JWK set, read again every five minutes."),
    setting("auth-cap-tokens-to-session", "", "false", Switch,
        "Lets no authorization token outlive the session that it was fetched with. On AWS, and without this, one with an explicit duration does."),
    setting("auth-max-skew-seconds", "SECONDS", "300", Text,
        "How far the clock of a client that signs may be off: 1 to 900."),
    setting("auth-trust-policy-characters", "COUNT", "2048", Text,
        "How long a role's trust policy may be, white space not counted: 2048 to 4096."),
    setting("auth-trust-unconfirmed", "", "false", Switch,
        "With several servers on one PostgreSQL: goes on with what is remembered when the others have not been heard of for 30 seconds, instead of answering 503. What was revoked may then be good for longer."),
    setting("log", "FORM", "text", Text,
        "Form of the log on standard error: `text` or `json`."),
    setting("log-level", "FILTER", "info", Text,
        "What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter like `info,catalog=debug`."),
    setting("drain-seconds", "SECONDS", "30", Text,
        "After a request to stop: how long a running transfer may go without a byte before it is cut off."),
    setting("audit-directory", "DIR", "", Text,
        "Where the files of the audit log are written. Without it `audit` in the data directory."),
    setting("audit-stdout", "", "false", Switch,
        "Writes each record of the audit log to standard output too, one JSON object a line: for containers, whose output is gathered."),
    setting("audit-file-bytes", "BYTES", "104857600", Text,
        "A file of the audit log that has grown so large is put away, and a new one begun."),
    setting("audit-file-hours", "HOURS", "24", Text,
        "The same for a file that has been written to for so long."),
    setting("audit-days", "DAYS", "90", Text,
        "How long records of requests are kept, in files and in the database."),
    setting("audit-records", "COUNT", "1000000", Text,
        "How many records of requests are kept in the database, at most; the oldest go first."),
    setting("audit-read-window-seconds", "SECONDS", "60", Text,
        "Downloads that are alike within so many seconds become one record with a count, in the log and in the database. 0 records each of them."),
    setting("audit-decision-days", "DAYS", "30", Text,
        "How long a refusal can be explained (`packhouse why`)."),
    setting("audit-decisions", "COUNT", "100000", Text,
        "How many refusals can be explained, at most; the oldest go first."),
    setting("webhook-private-addresses", "", "false", Switch,
        "Lets webhooks lead to addresses that are not public: receivers in your own networks and on this machine."),
    setting("webhook-retry-hours", "HOURS", "72", Text,
        "How long an event that a webhook does not take is tried again before it is given up."),
    setting("webhook-event-days", "DAYS", "30", Text,
        "How long events are kept, to be sent again when that is asked for."),
    setting("limit-connections", "COUNT", "8192", Text,
        "Connections served at once; more wait to be accepted."),
    setting("limit-connections-per-address", "COUNT", "2048", Text,
        "Connections of one address, at most; more are closed. Of IPv6 a network of 64 bits counts as one; those of `trusted-proxy` are not counted."),
    setting("limit-asset-size-bytes", "BYTES", "5368709120", Text,
        "Size of an asset, at most."),
    setting("limit-assets-per-version", "COUNT", "350", Text,
        "Assets of a package version, at most."),
    setting("limit-domains-per-account", "COUNT", "10", Text,
        "Domains of an account, at most."),
    setting("limit-repositories-per-domain", "COUNT", "1000", Text,
        "Repositories of a domain, at most."),
    setting("limit-direct-upstreams", "COUNT", "10", Text,
        "Direct upstream repositories of a repository, at most."),
    setting("limit-upstreams-searched", "COUNT", "25", Text,
        "Upstream repositories searched for one request, at most. What was not found by then is not found."),
    setting("limit-tags-per-resource", "COUNT", "50", Text,
        "Tags of a domain, a repository or a package group, at most."),
    setting("limit-reads-per-second", "COUNT", "0", Text,
        "Reading requests of one account in a second, at most: operations that read, and `GET` and `HEAD` of package managers. 0: no limit, as for all that follow. AWS has 800."),
    setting("limit-writes-per-second", "COUNT", "0", Text,
        "All other requests of one account in a second, at most. AWS has 100."),
    setting("limit-token-requests-per-second", "COUNT", "0", Text,
        "Requests with one authorization token in a second, at most. AWS has 1200."),
    setting("limit-address-requests-per-second", "COUNT", "0", Text,
        "Requests of package managers without a good token from one address in a second, at most. AWS has 600."),
    setting("limit-authorization-tokens-per-second", "COUNT", "0", Text,
        "Calls of `GetAuthorizationToken` of one account in a second, at most. AWS has 40."),
    setting("limit-assets-per-second", "COUNT", "0", Text,
        "Calls of `GetPackageVersionAsset` of one account in a second, at most. AWS has 50."),
    setting("limit-lists-per-second", "COUNT", "0", Text,
        "Calls of `ListPackages` of one account in a second, at most, and as many of `ListPackageVersions` and of `ListPackageVersionAssets`. AWS has 200."),
    setting("limit-publishes-per-second", "COUNT", "0", Text,
        "Calls of `PublishPackageVersion` of one account in a second, at most. AWS has 10."),
    setting("limit-copies-per-second", "COUNT", "0", Text,
        "Calls of `CopyPackageVersions` of one account in a second, at most. AWS has 5."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_variables_and_keys_are_unique_and_well_formed() {
        let names: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        let keys: BTreeSet<_> = SETTINGS.iter().map(Setting::key).collect();
        assert_eq!(names.len(), SETTINGS.len());
        assert_eq!(keys.len(), SETTINGS.len());
        for setting in SETTINGS {
            assert_eq!(
                setting.value.is_empty(),
                setting.form == Switch,
                "{}",
                setting.name
            );
            assert!(setting.about.ends_with('.'), "{}", setting.name);
        }
    }

    #[test]
    fn the_blobs_settings_stand_in_a_table() {
        for (name, variable, key) in [
            ("blobs", "PACKHOUSE_BLOBS", "blobs.location"),
            (
                "blobs-endpoint",
                "PACKHOUSE_BLOBS_ENDPOINT",
                "blobs.endpoint",
            ),
            (
                "limit-connections",
                "PACKHOUSE_LIMIT_CONNECTIONS",
                "limit.connections",
            ),
            ("upstream", "PACKHOUSE_UPSTREAM", "upstreams"),
            ("public-url", "PACKHOUSE_PUBLIC_URL", "public-url"),
        ] {
            let setting = Setting::named(name);
            assert_eq!(
                (setting.variable().as_str(), setting.key().as_str()),
                (variable, key)
            );
        }
    }
}
