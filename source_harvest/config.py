"""The source's settings: the config dict comes in here, is migrated and checked, and goes no further."""

import ipaddress
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pendulum
from pendulum.parsing.exceptions import ParserError

from source_harvest.address import origin
from source_harvest.errors import SHOWN_LENGTH, brief, config_error, shown_if_harmless
from source_harvest.secret_filter import NAMES, keep_secret

Config = Mapping[str, Any]

# Of the credentials, what people paste.
PASTED = (*NAMES, "client_id")

# So many fields that nobody knows are named.
MOST_NAMED = 10


@dataclass(frozen=True)
class Settings:
    """A config that was checked: whoever holds one need not ask again."""

    credentials: Config
    """As in the spec: `auth_type` and what belongs to it."""
    account: str | None
    """Harvest's account ID, or the account's subdomain, or None for the only account that there is."""
    start: pendulum.DateTime | None
    """Facts updated before this moment, in UTC, are left out."""
    num_workers: int
    """How many requests may be under way at once."""
    lookback: timedelta
    """How far before the last sync the next one begins to ask, for changes that show later than their time says."""
    rate_limit_percent: int
    """How much of Harvest's rate limit to use, in percent."""
    child_full_read_days: int
    """After how many days messages and payments of every invoice and estimate are read again; 0: in each sync."""
    report_period: str
    """day, week, month or year: what a row of a report is about."""
    report_lookback_days: int
    """For how many days after its end a period may still change in reports."""
    include_fixed_fee: bool | None
    """Whether reports count projects with a fixed fee; None: as Harvest does if it is not told."""
    deleted_records_days: int
    """After how many days a list is read whole to see what was deleted; 0: in each sync."""
    api_url: str
    """Without a slash at its end."""
    identity_url: str
    """Without a slash at its end."""

    @property
    def uses_oauth(self) -> bool:
        """Whether the access token comes from a refresh token, and so can be renewed."""
        return bool(self.credentials["auth_type"] == "Client")

    @classmethod
    def of(cls, config: Config, spec: Mapping[str, Any]) -> "Settings":
        """The settings in a config, by the spec's `connectionSpecification`.

        Raises a config `HarvestError` that names the first field that is wrong, what it holds and what it may hold.
        """
        keep_secret(config)
        config = cleaned(migrated(config))
        keep_secret(config)
        _check(config, spec)
        api_url = _url(config, "api_url", spec)
        return cls(
            credentials=config["credentials"],
            account=config.get("account_id") or None,
            start=_moment(config, "replication_start_date"),
            num_workers=_number(config, "num_workers", spec),
            lookback=timedelta(minutes=_number(config, "lookback_minutes", spec)),
            rate_limit_percent=_number(config, "rate_limit_percent", spec),
            child_full_read_days=_number(config, "child_full_read_days", spec),
            report_period=config.get("report_period") or spec["properties"]["report_period"]["default"],
            report_lookback_days=_number(config, "report_lookback_days", spec),
            include_fixed_fee=None if config.get("include_fixed_fee") == "" else config.get("include_fixed_fee"),
            deleted_records_days=_number(config, "deleted_records_days", spec),
            api_url=api_url if urlsplit(api_url).path else f"{api_url}/v2",
            identity_url=_url(config, "identity_url", spec),
        )


def migrated(config: Config) -> Config:
    """The config in today's shape: the same object where there is nothing to migrate.

    Older configs hold `api_token` at the top, or credentials without `auth_type`; some hold the account as a number.
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
            f'The config field "credentials.auth_type" is {shown_if_harmless(credentials["auth_type"])}. '
            f"Valid values are: {', '.join(options)}."
        )
    _check_fields(credentials, option, "credentials.")


def _check_fields(values: Config, schema: Mapping[str, Any], prefix: str) -> None:
    for name, described in schema["properties"].items():
        if values.get(name) in (None, ""):
            if name in schema["required"]:
                raise config_error(f'The config field "{prefix}{name}" is missing. It must be {_valid(described)}.')
            continue
        # The formats are annotations for the form; the pattern decides, and the parser after it.
        validator = jsonschema.Draft7Validator({k: v for k, v in described.items() if k not in ("format", "oneOf")})
        if not validator.is_valid(values[name]):
            held = "a value that is not shown here" if _is_secret(described) else shown_if_harmless(values[name])
            raise config_error(f'The config field "{prefix}{name}" is {held}. It must be {_valid(described)}.')


def _is_secret(described: Mapping[str, Any]) -> bool:
    return "oneOf" in described or bool(described.get("airbyte_secret"))


def _valid(described: Mapping[str, Any]) -> str:
    """What a field may hold, as the end of a sentence."""
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
    """The config as it was meant, where its values were pasted with what stood around them."""
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
    """Addresses stay: one with a control character is refused."""
    texts = {name: text for name, text in values.items() if isinstance(text, str) and not name.endswith("_url")}
    return {**values, **{name: _trimmed(text) for name, text in texts.items()}}


def _trimmed(text: str) -> str:
    """Without quotes around it, and without blanks and characters that nobody sees."""
    while text and unicodedata.category(text[0])[0] in "ZC":
        text = text[1:]
    while text and unicodedata.category(text[-1])[0] in "ZC":
        text = text[:-1]
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`"
    return _trimmed(text[1:-1]) if is_quoted else text


def _token(text: str) -> str:
    return _trimmed(re.sub(r"^(Authorization\s*:\s*)?(Bearer(:|\s|$)\s*)*", "", text, flags=re.IGNORECASE))


def _account(text: str) -> str:
    """The account ID or bare subdomain."""
    text = re.sub(r"^(https?:)?//", "", text.lower())
    return _trimmed(re.sub(r"(\.harvestapp\.com\.?)?(:\d*)?$", "", _trimmed(re.split("[/?#]", text)[0])))


def notices(config: Config, settings: Settings, spec: Mapping[str, Any]) -> Iterator[str]:
    """What in a valid config is not as its user will have meant it."""
    if unknown := list(_unknown(config, spec)):
        names = ", ".join(f'"{brief(name, SHOWN_LENGTH)}"' for name in unknown[:MOST_NAMED])
        known = ", ".join(name for name, field in spec["properties"].items() if not field.get("airbyte_hidden"))
        yield f"The config holds fields that the connector does not know and ignores: {names}. It knows: {known}."
    if settings.start and settings.start > pendulum.now("UTC"):
        yield (
            f'The config field "replication_start_date" is {shown_if_harmless(config["replication_start_date"])}, '
            "which is in the future: what is limited by it is left out until then. Give the day from which to read."
        )


def _unknown(config: Config, spec: Mapping[str, Any]) -> Iterator[str]:
    properties = spec["properties"]
    known = {"api_token", *properties}
    known_credentials = {name for option in properties["credentials"]["oneOf"] for name in option["properties"]}
    # The platform's own begin with an underscore.
    yield from (name for name in config if name not in known and not name.startswith("_"))
    yield from (f"credentials.{name}" for name in migrated(config)["credentials"] if name not in known_credentials)


def _number(config: Config, name: str, spec: Mapping[str, Any]) -> int:
    value = config.get(name)
    return int(spec["properties"][name]["default"] if value in (None, "") else value)


def _moment(config: Config, name: str) -> pendulum.DateTime | None:
    if not config.get(name):
        return None
    try:
        moment = pendulum.parse(config[name])
    except (ParserError, ValueError):
        raise config_error(
            f'The config field "{name}" is {shown_if_harmless(config[name])}, which is no day of the calendar.'
        ) from None
    if not isinstance(moment, pendulum.DateTime):
        raise TypeError(f"pendulum made a {type(moment).__name__} of a date")
    return max(moment.in_timezone("UTC"), pendulum.datetime(1970, 1, 1))  # long before there was Harvest


def _url(config: Config, name: str, spec: Mapping[str, Any]) -> str:
    url = str(config.get(name) or spec["properties"][name]["default"]).rstrip("/")
    if not _is_private(url):
        held = "an address that is not shown here" if "@" in url else shown_if_harmless(url)
        raise config_error(
            f'The config field "{name}" is {held}. It must be an https:// address, or http:// on this machine '
            "(127.0.0.1), so that the token stays private, without a user name, a query or a fragment."
        )
    return url


def _is_private(url: str) -> bool:
    """Whether nobody on the way there can read what is sent."""
    try:
        scheme, host, _ = origin(url)
    except ValueError:
        return False
    return "?" not in url and (scheme == "https" or _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
