# Every resource and data source that Terraform's AWS provider has for CodeArtifact. Run by ../terraform.sh.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region = "us-east-1"
}

# The second round changes whatever can be changed in place.
variable "round" {
  type    = number
  default = 1
}

locals {
  changed = var.round > 1
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = local.changed ? "Later" : "First"
      Effect    = "Allow"
      Principal = "*"
      Action    = ["codeartifact:ReadFromRepository", "codeartifact:DescribeDomain"]
      Resource  = "*"
    }]
  })
}

resource "aws_codeartifact_domain" "plain" {
  domain = "tf-plain"
}

resource "aws_codeartifact_domain" "keyed" {
  domain         = "tf-keyed"
  encryption_key = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  tags           = local.changed ? { team = "two" } : { team = "one", env = "" }
}

resource "aws_codeartifact_repository" "store" {
  domain     = aws_codeartifact_domain.plain.domain
  repository = "store"

  dynamic "external_connections" {
    for_each = var.round < 3 ? ["public:npmjs"] : []
    content {
      external_connection_name = external_connections.value
    }
  }
}

resource "aws_codeartifact_repository" "team" {
  domain      = aws_codeartifact_domain.plain.domain
  repository  = "team"
  description = local.changed ? "the team's" : "a team's"
  tags        = { round = tostring(var.round) }
}

resource "aws_codeartifact_repository" "all" {
  domain     = aws_codeartifact_domain.plain.domain
  repository = "all"

  dynamic "upstream" {
    for_each = local.changed ? ["store", "team"] : ["team", "store"]
    content {
      repository_name = upstream.value
    }
  }

  depends_on = [aws_codeartifact_repository.store, aws_codeartifact_repository.team]
}

resource "aws_codeartifact_domain_permissions_policy" "plain" {
  domain          = aws_codeartifact_domain.plain.domain
  policy_document = local.policy
}

resource "aws_codeartifact_repository_permissions_policy" "team" {
  domain          = aws_codeartifact_domain.plain.domain
  repository      = aws_codeartifact_repository.team.repository
  policy_document = local.policy
}

data "aws_codeartifact_authorization_token" "short" {
  domain           = aws_codeartifact_domain.plain.domain
  duration_seconds = 900
}

data "aws_codeartifact_repository_endpoint" "of" {
  for_each   = toset(["npm", "pypi", "maven", "nuget"])
  domain     = aws_codeartifact_domain.plain.domain
  repository = aws_codeartifact_repository.all.repository
  format     = each.key
}
