"""Turns the config into checked `Settings`: migrates old shapes, cleans pasted values, validates."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import jsonschema

from source_harvest.errors import SHOWN_LENGTH, config_error, quote_unless_secret, redacted
from source_harvest.secret_filter import NAMES, keep_secret

Config = Mapping[str, Any]

# Credentials that people paste.
PASTED = (*NAMES, "client_id")

# A warning names at most this many fields or streams.
MOST_NAMED = 10


@dataclass(frozen=True)
class Settings:
    """A valid config."""

    credentials: Config
    """As in the spec: `auth_type` and its fields."""
    account: str | None
    """Account ID or subdomain; None for the only account that the credentials reach."""
    start: datetime | None
    """Start date, in UTC: time entries, expenses, estimates and invoices updated before it are not read."""
    num_workers: int
    """Maximum number of concurrent requests."""
    lookback: timedelta
    """How long before the last sync the next one starts reading, as a change may show later than its timestamp."""
    rate_limit_percent: int
    """Share of Harvest's rate limit to use, in percent."""
    child_full_read_days: int
    """Days between full reads of messages and payments; 0: in each sync."""
    report_period: str
    """day, week, month or year: the period of a report row."""
    report_lookback_days: int
    """Days after its end in which the reports of a period may still change."""
    include_fixed_fee: bool | None
    """Whether reports count fixed-fee projects; None: Harvest's default."""
    deleted_records_days: int
    """Days between full reads of a list to find deletions; 0: in each sync."""
    api_url: str
    """Without a slash at its end."""
    identity_url: str
    """Without a slash at its end."""

    @property
    def uses_oauth(self) -> bool:
        """Whether the access token can be renewed with a refresh token."""
        return bool(self.credentials["auth_type"] == "Client")

    @classmethod
    def of(cls, config: Config, spec: Mapping[str, Any]) -> "Settings":
        """The settings in a config. `spec` is the `connectionSpecification`.

        Raises a config `HarvestError` for the first invalid field, with its value unless secret, and the valid values.
        """
        config = cleaned(migrated(config))
        keep_secret(config)
        _check(config, spec)
        config = _completed(config, spec["properties"])
        api_url = config["api_url"].rstrip("/")
        return cls(
            credentials=config["credentials"],
            account=config.get("account_id"),
            start=_start(config.get("replication_start_date")),
            num_workers=config["num_workers"],
            lookback=timedelta(minutes=config["lookback_minutes"]),
            rate_limit_percent=config["rate_limit_percent"],
            child_full_read_days=config["child_full_read_days"],
            report_period=config["report_period"],
            report_lookback_days=config["report_lookback_days"],
            include_fixed_fee=config.get("include_fixed_fee"),
            deleted_records_days=config["deleted_records_days"],
            api_url=api_url if urlsplit(api_url).path else f"{api_url}/v2",
            identity_url=config["identity_url"].rstrip("/"),
        )


def _completed(config: Config, properties: Mapping[str, Any]) -> Config:
    """The config with the default of each field that is missing or empty. 5.0 is a whole number too, and becomes 5."""
    defaults = {name: field["default"] for name, field in properties.items() if "default" in field}
    given = {name: value for name, value in config.items() if value not in (None, "")}
    return {name: int(value) if type(value) is float else value for name, value in {**defaults, **given}.items()}


def migrated(config: Config) -> Config:
    """The config in the current shape; the same object if there is nothing to migrate.

    Older configs have a top-level `api_token`, credentials without `auth_type`, or a number as `account_id`.
    """
    if type(config.get("account_id")) is int:
        config = {**config, "account_id": str(config["account_id"])}
    if not config.get("credentials") and "api_token" in config:
        rest = {key: value for key, value in config.items() if key != "api_token"}
        config = {**rest, "credentials": {"api_token": config["api_token"]}}
    credentials = config.get("credentials")
    if isinstance(credentials, Mapping) and credentials.get("auth_type") is None:
        auth_type = "Client" if credentials.get("refresh_token") else "Token"
        config = {**config, "credentials": {**credentials, "auth_type": auth_type}}
    return config


def _check(config: Config, spec: Mapping[str, Any]) -> None:
    _check_fields(config, spec, "")
    credentials = config["credentials"]
    options = {
        option["properties"]["auth_type"]["const"]: option for option in spec["properties"]["credentials"]["oneOf"]
    }
    option = options.get(str(credentials["auth_type"]))
    if option is None:
        raise config_error(
            f'The config field "credentials.auth_type" is {quote_unless_secret(credentials["auth_type"])}. '
            f"Valid values are: {', '.join(options)}."
        )
    _check_fields(credentials, option, "credentials.")


def _check_fields(values: Config, schema: Mapping[str, Any], prefix: str) -> None:
    for name, described in schema["properties"].items():
        if values.get(name) in (None, ""):
            if name in schema["required"]:
                raise config_error(f'The config field "{prefix}{name}" is missing. It must be {_valid(described)}.')
            continue
        # A format is for the form only; the pattern decides, and later the parser.
        validator = jsonschema.Draft7Validator({k: v for k, v in described.items() if k not in ("format", "oneOf")})
        if not validator.is_valid(values[name]):
            is_secret = "oneOf" in described or described.get("airbyte_secret")
            held = "a value that is not shown here" if is_secret else quote_unless_secret(values[name])
            raise config_error(f'The config field "{prefix}{name}" is {held}. It must be {_valid(described)}.')


def _valid(described: Mapping[str, Any]) -> str:
    """The valid values of a field, as the end of a sentence."""
    if "oneOf" in described:
        return f"an object, one of: {', '.join(option['title'] for option in described['oneOf'])}"
    if "enum" in described:
        return f"one of: {', '.join(described['enum'])}"
    if described["type"] == "boolean":
        return "true or false"
    if described["type"] == "integer":
        return f"a whole number from {described['minimum']} to {described['maximum']}"
    example = f", for example {described['examples'][0]!r}" if described.get("examples") else ""
    return f"{described['pattern_descriptor']}{example}"


def cleaned(config: Config) -> Config:
    """The config without what was pasted around its values: blanks, quotes, "Bearer", an address."""
    config = _trimmed_values(config)
    account, credentials = config.get("account_id"), config.get("credentials")
    if isinstance(account, str):
        config = {**config, "account_id": _account(account) or account}
    if isinstance(credentials, Mapping):
        credentials = _trimmed_values(credentials)
        pasted = {name: value for name, value in credentials.items() if name in PASTED and isinstance(value, str)}
        config = {**config, "credentials": {**credentials, **{name: _token(text) for name, text in pasted.items()}}}
    return config


def _trimmed_values(values: Config) -> dict[str, Any]:
    """Trims all texts but addresses: one with a control character must be rejected."""
    texts = {name: text for name, text in values.items() if isinstance(text, str) and not name.endswith("_url")}
    return {**values, **{name: _trimmed(text) for name, text in texts.items()}}


def _trimmed(text: str) -> str:
    """Strips quotes, blanks and invisible characters from both ends."""
    text = text.strip("".join(letter for letter in text if unicodedata.category(letter)[0] in "ZC"))
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`"
    return _trimmed(text[1:-1]) if is_quoted else text


def _token(text: str) -> str:
    return _trimmed(re.sub(r"^(Authorization\s*:\s*)?(Bearer(:|\s|$)\s*)*", "", text, flags=re.IGNORECASE))


def _account(text: str) -> str:
    """The account ID or bare subdomain in a text or address."""
    text = re.sub(r"^(https?:)?//", "", text.lower())
    return _trimmed(re.sub(r"(\.harvestapp\.com\.?)?(:\d*)?$", "", _trimmed(re.split("[/?#]", text)[0])))


def notices(config: Config, settings: Settings, spec: Mapping[str, Any]) -> Iterator[str]:
    """Warnings about a valid config: unknown fields, a start date in the future."""
    if unknown := list(_unknown(config, spec)):
        names = ", ".join(f'"{redacted(name, SHOWN_LENGTH)}"' for name in unknown[:MOST_NAMED])
        known = ", ".join(name for name, field in spec["properties"].items() if not field.get("airbyte_hidden"))
        yield f"The config has unknown fields, which are ignored: {names}. Rename or remove them. Known: {known}."
    if settings.start and settings.start > datetime.now(timezone.utc):
        yield (
            f'The config field "replication_start_date" is {quote_unless_secret(config["replication_start_date"])}, '
            "which is in the future: the streams that it limits read nothing until then. Set it to an earlier day."
        )


def _unknown(config: Config, spec: Mapping[str, Any]) -> Iterator[str]:
    properties = spec["properties"]
    known = {"api_token", *properties}
    known_credentials = {name for option in properties["credentials"]["oneOf"] for name in option["properties"]}
    # The platform's own fields begin with an underscore.
    yield from (name for name in config if name not in known and not name.startswith("_"))
    yield from (f"credentials.{name}" for name in migrated(config)["credentials"] if name not in known_credentials)


def _start(day: str | None) -> datetime | None:
    """The start date, to the second: Harvest's timestamps have no fractions."""
    if not day:
        return None
    try:
        moment = datetime.fromisoformat(day[:19]).replace(tzinfo=timezone.utc)
    except ValueError:
        raise config_error(
            f'The config field "replication_start_date" is {quote_unless_secret(day)}, which is not a day of the '
            "calendar. Set it to one that is."
        ) from None
    return max(moment, datetime(1970, 1, 1, tzinfo=timezone.utc))  # before any Harvest data
