//! Names the world outside has agreed on: services that may be trusted, and public issuers that may
//! not be trusted blindly.

/// Whether the name is that of a service a role may trust: `ec2.amazonaws.com`.
///
/// Nobody but the agent of a machine asks as a service here; the list lets trust policies written
/// for AWS be stored and catches misspelt ones.
pub(super) fn is_service(name: &str) -> bool {
    name.strip_suffix(".amazonaws.com")
        .is_some_and(|service| SERVICES.contains(&service))
}

const SERVICES: &[&str] = &[
    "access-analyzer",
    "amplify",
    "apigateway",
    "appflow",
    "application-autoscaling",
    "appsync",
    "athena",
    "autoscaling",
    "backup",
    "batch",
    "bedrock",
    "budgets",
    "build.apprunner",
    "cloudformation",
    "cloudfront",
    "cloudtrail",
    "cloudwatch",
    "codeartifact",
    "codebuild",
    "codecommit",
    "codedeploy",
    "codepipeline",
    "codestar-connections",
    "cognito-idp",
    "config",
    "connect",
    "databrew",
    "datapipeline",
    "datasync",
    "delivery.logs",
    "dlm",
    "dms",
    "dynamodb",
    "ec2",
    "ec2fleet",
    "ec2scheduled",
    "ecr",
    "ecs",
    "ecs-tasks",
    "edgelambda",
    "eks",
    "eks-fargate-pods",
    "eks-nodegroup",
    "elasticache",
    "elasticbeanstalk",
    "elasticfilesystem",
    "elasticloadbalancing",
    "elasticmapreduce",
    "emr-containers",
    "emr-serverless",
    "events",
    "export.rds",
    "firehose",
    "fis",
    "glue",
    "grafana",
    "greengrass",
    "guardduty",
    "imagebuilder",
    "inspector",
    "iot",
    "kafka",
    "kinesis",
    "kinesisanalytics",
    "kms",
    "lakeformation",
    "lambda",
    "lex",
    "lightsail",
    "logs",
    "macie",
    "mediaconvert",
    "mobilehub",
    "monitoring.rds",
    "mwaa",
    "airflow",
    "airflow-env",
    "opensearchservice",
    "opsworks",
    "organizations",
    "osis-pipelines",
    "pipes",
    "pods.eks",
    "quicksight",
    "rds",
    "redshift",
    "rekognition",
    "replicator.lambda",
    "resource-groups",
    "robomaker",
    "route53",
    "s3",
    "sagemaker",
    "scheduler",
    "secretsmanager",
    "securityhub",
    "serverlessrepo",
    "servicecatalog",
    "ses",
    "sns",
    "spotfleet",
    "sqs",
    "ssm",
    "ssm-incidents",
    "states",
    "storagegateway",
    "support",
    "swf",
    "synthetics",
    "tasks.apprunner",
    "textract",
    "transcribe",
    "transfer",
    "translate",
    "vmie",
    "vpc-flow-logs",
    "waf",
    "wellarchitected",
    "workspaces",
    "xray",
];

/// A public issuer that gives a token to anyone, so that trusting it means nothing until a claim is
/// pinned.
pub(super) struct SharedIssuer {
    /// Issuer without scheme, as in the provider's ARN.
    pub(super) issuer: &'static str,
    /// Claims of which one must be pinned.
    pub(super) claims: &'static [&'static str],
    /// Subjects of strangers, which a pattern that is a pin does not match.
    pub(super) strangers: &'static [&'static str],
}

/// The shared issuer of that name.
pub(super) fn shared_issuer(issuer: &str) -> Option<&'static SharedIssuer> {
    SHARED_ISSUERS
        .iter()
        .find(|shared| issuer.eq_ignore_ascii_case(shared.issuer))
}

const SHARED_ISSUERS: &[SharedIssuer] = &[
    SharedIssuer {
        issuer: "token.actions.githubusercontent.com",
        claims: &[
            "sub",
            "repository",
            "repository_id",
            "repository_owner",
            "repository_owner_id",
            "job_workflow_ref",
        ],
        strangers: &[
            "repo:~stranger/~stranger:ref:refs/heads/main",
            "repo:~stranger/~stranger:ref:refs/heads/master",
            "repo:~stranger/~stranger:environment:production",
            "repo:~stranger/~stranger:pull_request",
            "~stranger/~stranger",
            "~stranger/~stranger/.github/workflows/~stranger.yml@refs/heads/main",
        ],
    },
    SharedIssuer {
        issuer: "gitlab.com",
        claims: &[
            "sub",
            "project_path",
            "project_id",
            "namespace_path",
            "namespace_id",
        ],
        strangers: &[
            "project_path:~stranger/~stranger:ref_type:branch:ref:main",
            "~stranger/~stranger",
        ],
    },
    SharedIssuer {
        issuer: "agent.buildkite.com",
        claims: &["sub", "organization_slug"],
        strangers: &[
            "organization:~stranger:pipeline:~stranger:ref:refs/heads/main:commit:~stranger:step:~stranger",
        ],
    },
    SharedIssuer {
        issuer: "app.terraform.io",
        claims: &["sub", "terraform_organization_id", "terraform_workspace_id"],
        strangers: &[
            "organization:~stranger:project:~stranger:workspace:~stranger:run_phase:apply",
        ],
    },
    SharedIssuer {
        issuer: "accounts.google.com",
        claims: &["sub", "oaud", "aud"],
        strangers: &[],
    },
];
