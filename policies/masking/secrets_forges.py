"""Declare the tokens of code forges, registries, CI systems and developers' tools.

Source  each provider's documentation of its token format, as named beside each
"""

from __future__ import annotations

from policies.masking.detector import HEX, LOWER, UPPER, made
from policies.masking.secrets_tokens import UUID, token

# fmt: off
DETECTORS = (
    token(
        "github-token",
        "GitHub token",
        r"(?:gh[pousr]_[A-Za-z0-9]{36,251}|ghs_[A-Za-z0-9]+_eyJ[A-Za-z0-9_.-]{20,}|github_pat_[A-Za-z0-9_]{82})",
        "ghp_" + made(36),
        "gho_" + made(36),
        "ghs_" + made(36),
        "github_pat_" + made(22) + "_" + made(59),
        misses=("ghp_short", "github_pat_token"),
        source="GitHub: token formats",
    ),
    token(
        "gitlab-token",
        "GitLab token",
        r"(?:gl(?:pat|dt|rt|ft|ptt|soat|agent|oas|cbt|imt|ffct|wt)-(?:[A-Za-z0-9]{1,5}_)?[A-Za-z0-9_=-]{20,300}"
        r"(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?|GR1348941[A-Za-z0-9_-]{20}|_gitlab_session=[0-9a-z]{32})",
        "glpat-" + made(20),
        "glrt-t1_" + made(20),
        "glptt-" + made(40, HEX),
        "GR1348941" + made(20),
        misses=("glpat-example",),
        source="GitLab: token prefixes",
    ),
    token(
        "atlassian-token",
        "Atlassian or Bitbucket token",
        r"(?:ATATT3[A-Za-z0-9_=-]{60,}|AT(?:BB|CTT3|STT3)[A-Za-z0-9_=-]{24,})",
        "ATATT3" + made(186),
        "ATBB" + made(32),
        source="Atlassian: API tokens",
    ),
    token(
        "npm-token",
        "npm token",
        r"npm_[A-Za-z0-9]{36}",
        "npm_" + made(36),
        misses=("npm_config_registry",),
        source="npm: access tokens",
    ),
    token(
        "pypi-token",
        "PyPI token",
        r"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZ)[A-Za-z0-9_-]{50,}",
        "pypi-AgEIcHlwaS5vcmc" + made(150),
        source="PyPI: API tokens",
    ),
    token(
        "rubygems-key",
        "RubyGems key",
        r"rubygems_[a-f0-9]{48}",
        "rubygems_" + made(48, HEX),
        source="RubyGems",
    ),
    token("crates-token", "crates.io token", r"cio[A-Za-z0-9]{32}\b", "cio" + made(32), source="crates.io"),
    token("nuget-key", "NuGet key", r"oy2[a-z0-9]{43}\b", "oy2" + made(43, LOWER), source="NuGet: API keys"),
    token(
        "clojars-token",
        "Clojars token",
        r"(?i:CLOJARS_)[a-z0-9]{60}",
        "CLOJARS_" + made(60, LOWER),
        source="Clojars",
    ),
    token(
        "packagist-token",
        "Packagist token",
        r"packagist_[ou][a-z]t_[a-f0-9]{68}",
        "packagist_oot_" + made(68, HEX),
        source="Packagist",
    ),
    token(
        "docker-token",
        "Docker Hub token",
        r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,36}",
        "dckr_pat_" + made(27),
        source="Docker: access tokens",
    ),
    token(
        "jfrog-token",
        "JFrog key or identity token",
        r"(?:AKCp[A-Za-z0-9]{69}|cmVmd[A-Za-z0-9]{59})\b",
        "AKCp" + made(69),
        "cmVmdGtuOj" + made(54),
        source="JFrog: access tokens",
    ),
    token(
        "circleci-token",
        "CircleCI token",
        r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{22}_[a-f0-9]{40}",
        "CCIPAT_" + made(22) + "_" + made(40, HEX),
        source="CircleCI",
    ),
    token(
        "buildkite-token",
        "Buildkite token",
        r"bk(?:ua_[a-f0-9]{40}|ct_[A-Za-z0-9_-]{40,})",
        "bkua_" + made(40, HEX),
        source="Buildkite",
    ),
    token(
        "sentry-token",
        "Sentry token",
        r"sntry(?:u_[a-f0-9]{64}|s_eyJpYXQiO[A-Za-z0-9+/=_]{60,})",
        "sntryu_" + made(64, HEX),
        "sntrys_eyJpYXQiO" + made(150),
        source="Sentry: auth tokens",
    ),
    token(
        "sonar-token", "SonarQube token", r"sq[upa]_[a-z0-9]{40}", "squ_" + made(40, HEX), source="SonarQube"
    ),
    token(
        "postman-key",
        "Postman key",
        r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
        "PMAK-" + made(24, HEX) + "-" + made(34, HEX),
        source="Postman",
    ),
    token(
        "sourcegraph-token",
        "Sourcegraph token",
        r"sgp_(?:[a-f0-9]{16}_|local_)?[a-f0-9]{40}",
        "sgp_" + made(40, HEX),
        source="Sourcegraph",
    ),
    token(
        "linear-key",
        "Linear key",
        r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}",
        "lin_api_" + made(40),
        source="Linear",
    ),
    token(
        "notion-token",
        "Notion token",
        r"(?:ntn_[A-Za-z0-9]{46}|secret_[A-Za-z0-9]{43}\b)",
        "ntn_" + made(11, "0123456789") + made(35),
        "secret_" + made(43),
        source="Notion API",
    ),
    token(
        "figma-token", "Figma token", r"fig[dou]r?_[A-Za-z0-9_-]{40,}", "figd_" + made(40), source="Figma API"
    ),
    token(
        "airtable-token",
        "Airtable token",
        r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",
        "pat" + made(14) + "." + made(64, HEX),
        source="Airtable API",
    ),
    token("readme-key", "ReadMe key", r"rdme_[a-z0-9]{70}", "rdme_" + made(70, LOWER), source="ReadMe"),
    token(
        "snyk-token",
        "Snyk token",
        rf"snyk_(?:uat|sat)\.[a-z0-9]{{8}}\.[A-Za-z0-9_.-]{{60,}}|snyk_{UUID}",
        "snyk_uat." + made(8, LOWER) + "." + made(80),
        source="Snyk",
    ),
    token(
        "gitea-token",
        "Gitea or Forgejo token",
        r"gto_[a-z0-9]{52}",
        "gto_" + made(52, LOWER),
        source="Gitea: access tokens",
    ),
    token(
        "shopify-token",
        "Shopify token",
        r"shp(?:at|ca|pa|ss|ua|rt|it)_[a-fA-F0-9]{32}",
        "shpat_" + made(32, HEX),
        source="Shopify",
    ),
    token(
        "slack-token",
        "Slack token",
        r"(?:xox[abeoprs](?:\.xox[bp])?-[0-9A-Za-z-]{10,}|xox[cd]-[0-9A-Za-z%+/=-]{10,}|xapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]+|"
        r"xwfp-[0-9A-Za-z-]{20,})",
        "xoxb-" + made(12, "0123456789") + "-" + made(12, "0123456789") + "-" + made(24),
        "xoxp-"
        + made(11, "0123456789")
        + "-"
        + made(11, "0123456789")
        + "-"
        + made(12, "0123456789")
        + "-"
        + made(32, HEX),
        "xapp-1-A" + made(10, UPPER) + "-" + made(13, "0123456789") + "-" + made(64, HEX),
        source="Slack: token types",
    ),
    token(
        "slack-webhook",
        "Slack webhook",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,60}",
        "hooks.slack.com/services/T" + made(8, UPPER) + "/B" + made(8, UPPER) + "/" + made(24),
        source="Slack: incoming webhooks",
    ),
    token(
        "discord-token",
        "Discord bot token",
        r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}",
        "M" + made(23) + "." + made(6) + "." + made(38),
        source="Discord: authentication",
        rank=30,
        gate=r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27}",
        lead="A-Za-z0-9_-",
    ),
    token(
        "discord-webhook",
        "Discord webhook",
        r"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,70}",
        "discord.com/api/webhooks/" + made(18, "0123456789") + "/" + made(68),
        source="Discord",
    ),
    token(
        "teams-webhook",
        "Microsoft Teams webhook",
        rf"webhook\.office\.com/webhookb2/{UUID}@{UUID}/IncomingWebhook/[a-z0-9]{{32}}/{UUID}",
        "webhook.office.com/webhookb2/"
        + "@".join(["-".join(made(n, HEX) for n in (8, 4, 4, 4, 12))] * 2)
        + "/IncomingWebhook/"
        + made(32, HEX)
        + "/"
        + "-".join(made(n, HEX) for n in (8, 4, 4, 4, 12)),
        source="Microsoft Teams",
    ),
    token(
        "telegram-bot-token",
        "Telegram bot token",
        r"[0-9]{8,10}:A[A-Za-z0-9_-]{34}",
        "123456789:AA" + made(33),
        source="Telegram Bot API",
        rank=30,
        gate=":A[A-Za-z0-9_-]{34}",
        lead="0-9",
    ),
)
# fmt: on
