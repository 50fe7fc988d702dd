"""What the connector does when Harvest refuses, fails or answers nonsense: the table of errors.md and of its test."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

# Faults.
REFUSED = ("400", "422")
DISTURBED = ("500", "502", "503", "broken JSON", "an HTML page with 200")
UNANSWERED = ("a connection reset", "a body cut off", "no answer")
UNDOCUMENTED = ("JSON that is not as documented",)
LIMITED = ("429 with Retry-After", "429 without Retry-After")
LIMITED_LONG = ("429 ten times in a row",)
REDIRECT = ("a redirect to another host",)

# Places: the request that meets the fault.
LIST = ("the first page of a list", "a later page of a list", "a span of a long first read")
CHILD = ("the first page of a list below a record",)
LATER_CHILD = ("a later page of a list below a record",)
READ = (*LIST, *CHILD, *LATER_CHILD)
READ_WITH_OAUTH = ("a list, with OAuth",)
TOKEN = ("OAuth's token request",)
ACCOUNTS = ("the list of accounts",)
CHECK = ("the check",)
EVERYWHERE = (*READ, *READ_WITH_OAUTH, *TOKEN, *ACCOUNTS, *CHECK)

ONCE, ALWAYS = "once", "always"
EITHER = (ONCE, ALWAYS)

# How the stream ends, or the command if no list is involved.
COMPLETE, CONFIG, TRANSIENT, SYSTEM = "complete", "config_error", "transient_error", "system_error"


@dataclass(frozen=True)
class Outcome:
    """What happens on any of `faults` in any of `places`."""

    faults: tuple[str, ...]
    places: tuple[str, ...]
    times: tuple[str, ...]
    ends: str
    does: str
    reads: str = ""
    """The whole message. {status} and {said} are Harvest's status and words, {name} is what was requested, {reason} is
    the cause."""
    mend: str = "Nothing."

    def cases(self) -> Iterator[tuple[str, str, str]]:
        """Each combination of fault, place and times."""
        return product(self.faults, self.places, self.times)


ASKS_AGAIN = "Asks again, up to five times."
GOES_ON = "The stream ends incomplete and its cursor stays; the others are read to their end."
FAILS = "The command ends with the error."
STOPS = "Asks which accounts the credentials reach, and ends the sync at once. A wrong account is named."
NETWORK = "Wait for the next sync. If it fails too, look at the network, and at Harvest's status page."
NEXT_SYNC = "Wait for the next sync. If it fails too, look at Harvest's status page."
SHAPE = "Harvest's answer for {name} is not as documented: {reason}. Please report this message."
PASSING = "This is a temporary fault at Harvest or in the network; the next sync tries again."
UNREACHED = (
    "The next sync tries again. If it fails too, check that api.harvestapp.com and id.getharvest.com can be reached "
    "from where the connector runs (DNS, firewall, proxy), and look at Harvest's status page."
)
NO_REDIRECT = (
    "Harvest answered {status} ({said}) to the request for {name}. "
    "The connector follows no redirect with your credentials. Check api_url and identity_url in the source's settings."
)
REPORT = (
    "Harvest answered {status} ({said}) to the request for {name}. "
    "Harvest rejected the request as invalid, which is a bug of the connector. Please report this message."
)
CREDENTIALS = (
    "Harvest answered {status} ({said}) to the request for {name}. "
    "Check the credentials and the account ID in the source's settings."
)
NOT_ALLOWED = (
    "Harvest answered {status} ({said}) to the request for {name}. "
    "The Harvest user behind these credentials may not read {name}, which is open to {readable_by}. "
    "Give that user the role in Harvest, use another user's credentials, or deselect the stream."
)
NOT_FOUND = (
    "Harvest answered {status} ({said}) to the request for {name}. "
    "Either the account ID in the source's settings is not one that these credentials reach, "
    "or the module that holds {name} is switched off in Harvest."
)
NOT_PAID = (
    "Harvest answered {status} ({said}) to the request for {name}. "
    "Harvest's plan for the account may not include {name}, or a payment is due. Ask the account's owner."
)
PASSING_FAULT = "Harvest's {name} could not be read: {reason}. " + PASSING
NO_WHOLE_ANSWER = "Harvest's {name} could not be read: {reason}. " + UNREACHED
REJECTED_TOKEN = (
    "Harvest rejected the personal access token (401): it is revoked or mistyped. "
    "Create a new one at id.getharvest.com/developers and put it into the source's settings."
)
REJECTED_ACCESS_TOKEN = (
    "Harvest rejected the access token (401), and renewing it did not help. "
    "Authenticate again in the source's settings."
)
REFUSED_RENEWAL = (
    "Harvest answered {status} ({said}), and refused to renew the access token. Check the client ID, the client "
    "secret and the refresh token in the source's settings, or authenticate again."
)
DELETED_MEANWHILE = (
    "Harvest answered {status} ({said}) in the middle of a record's {name}: the record may have been deleted "
    "meanwhile. The next sync tries again."
)
COMMANDS = (*ACCOUNTS, *CHECK)
LISTS = (*READ, *READ_WITH_OAUTH)

OUTCOMES = (
    Outcome((*DISTURBED, *UNANSWERED, *UNDOCUMENTED), EVERYWHERE, (ONCE,), COMPLETE, ASKS_AGAIN),
    Outcome(LIMITED, EVERYWHERE, (ONCE,), COMPLETE, "Waits as long as Retry-After says, else 15 seconds."),
    Outcome(
        LIMITED_LONG,
        (*LISTS, *COMMANDS),
        (ONCE,),
        COMPLETE,
        "Waits, as often as Harvest says so: this is never a failure.",
    ),
    Outcome(
        LIMITED_LONG,
        TOKEN,
        (ONCE,),
        TRANSIENT,
        f"{ASKS_AGAIN} Then all streams end incomplete.",
        PASSING_FAULT,
        NEXT_SYNC,
    ),
    Outcome(
        DISTURBED,
        LISTS,
        (ALWAYS,),
        TRANSIENT,
        f"{ASKS_AGAIN} {GOES_ON}",
        PASSING_FAULT,
        NEXT_SYNC,
    ),
    Outcome(
        DISTURBED,
        (*TOKEN, *COMMANDS),
        (ALWAYS,),
        TRANSIENT,
        f"{ASKS_AGAIN} {FAILS}",
        PASSING_FAULT,
        NEXT_SYNC,
    ),
    Outcome(UNDOCUMENTED, LISTS, (ALWAYS,), SYSTEM, f"{ASKS_AGAIN} {GOES_ON}", SHAPE, "Report the message."),
    Outcome(
        UNDOCUMENTED, (*TOKEN, *COMMANDS), (ALWAYS,), SYSTEM, f"{ASKS_AGAIN} {FAILS}", SHAPE, "Report the message."
    ),
    Outcome(
        UNANSWERED,
        LISTS,
        (ALWAYS,),
        TRANSIENT,
        f"{ASKS_AGAIN} {GOES_ON}",
        NO_WHOLE_ANSWER,
        NETWORK,
    ),
    Outcome(
        UNANSWERED,
        (*TOKEN, *COMMANDS),
        (ALWAYS,),
        TRANSIENT,
        f"{ASKS_AGAIN} {FAILS}",
        NO_WHOLE_ANSWER,
        NETWORK,
    ),
    Outcome(REFUSED, LISTS, EITHER, SYSTEM, GOES_ON, REPORT, "Report the message."),
    Outcome(REFUSED, COMMANDS, EITHER, SYSTEM, FAILS, REPORT, "Report the message."),
    Outcome(("401",), READ, EITHER, CONFIG, STOPS, CREDENTIALS, "Renew the token in the source's settings."),
    Outcome(("401",), READ_WITH_OAUTH, (ONCE,), COMPLETE, "Renews the access token and asks again."),
    Outcome(
        ("401",),
        READ_WITH_OAUTH,
        (ALWAYS,),
        CONFIG,
        "Renews the access token, asks once more, and ends the sync at once.",
        REJECTED_ACCESS_TOKEN,
        "Authenticate again.",
    ),
    Outcome(
        ("401",),
        ACCOUNTS,
        EITHER,
        CONFIG,
        FAILS,
        REJECTED_TOKEN,
        "Renew the token in the source's settings.",
    ),
    Outcome(("401",), CHECK, EITHER, CONFIG, FAILS, CREDENTIALS, "Renew the token in the source's settings."),
    Outcome(
        ("400", "401", "402", "403", "404", "422"),
        TOKEN,
        EITHER,
        CONFIG,
        FAILS,
        REFUSED_RENEWAL,
        "Authenticate again, or correct the application's ID and secret.",
    ),
    Outcome(("402",), LISTS, EITHER, CONFIG, GOES_ON, NOT_PAID, "Ask the account's owner, or deselect the stream."),
    Outcome(("402",), COMMANDS, EITHER, CONFIG, FAILS, NOT_PAID, "Ask the account's owner."),
    Outcome(
        ("403",),
        LISTS,
        EITHER,
        CONFIG,
        GOES_ON,
        NOT_ALLOWED,
        "Give the user the role that the message names, use another user's credentials, or deselect the stream.",
    ),
    Outcome(("403",), COMMANDS, EITHER, CONFIG, FAILS, NOT_ALLOWED, "Use another user's credentials."),
    Outcome(
        ("404",),
        (*LIST, *READ_WITH_OAUTH),
        EITHER,
        CONFIG,
        f"Asks which accounts the credentials reach. {GOES_ON}",
        NOT_FOUND,
        "Correct the account ID, switch the module on, or deselect the stream.",
    ),
    Outcome(
        ("404",),
        CHILD,
        (ONCE,),
        COMPLETE,
        "Asks for the record itself. If it is there, asks for its list again. If it answers 404 too, and the list of "
        "records can still be read, it was deleted meanwhile: goes on with the next one.",
    ),
    Outcome(
        ("404",),
        CHILD,
        (ALWAYS,),
        COMPLETE,
        "As above. If the record is there and its list answers 404 again, a warning names it. Nothing below it counts "
        "as deleted, and the next sync asks again. If there are more than 100 such records, the stream fails.",
        mend="If the warning comes back, look at the record in Harvest.",
    ),
    Outcome(("404",), LATER_CHILD, (ONCE,), COMPLETE, "Reads the record's list again from its first page."),
    Outcome(
        ("404",),
        LATER_CHILD,
        (ALWAYS,),
        TRANSIENT,
        f"Reads the record's list again from its first page. {GOES_ON}",
        DELETED_MEANWHILE,
        "Wait for the next sync.",
    ),
    Outcome(("404",), COMMANDS, EITHER, CONFIG, FAILS, NOT_FOUND, "Correct the account ID."),
    Outcome(REDIRECT, LISTS, EITHER, CONFIG, GOES_ON, NO_REDIRECT, "Correct api_url or identity_url."),
    Outcome(REDIRECT, (*TOKEN, *COMMANDS), EITHER, CONFIG, FAILS, NO_REDIRECT, "Correct api_url or identity_url."),
)

# The titles of the messages, in the order of the page.
MESSAGES = {
    PASSING_FAULT: "A temporary fault",
    NO_WHOLE_ANSWER: "No whole answer",
    SHAPE: "Not as documented",
    CREDENTIALS: "Credentials or account",
    REJECTED_TOKEN: "Rejected token",
    REJECTED_ACCESS_TOKEN: "Rejected access token",
    REFUSED_RENEWAL: "Refused renewal",
    NOT_ALLOWED: "Not allowed",
    NOT_FOUND: "Not found",
    DELETED_MEANWHILE: "Deleted meanwhile",
    NOT_PAID: "Not in the plan",
    NO_REDIRECT: "A redirect",
    REPORT: "Refused as invalid",
}

INTRODUCTION = """\
# What happens when Harvest fails

What the connector does when Harvest refuses, fails or answers nonsense, what you read then, and what to do.
This page is generated from `docs/errors.py`, and a test provokes every row of its table; do not edit it by hand.
If you look for a symptom instead, see [troubleshooting.md](troubleshooting.md).

## What holds for all errors

- **No row is lost.** A list that was not read to its end moves no cursor, so the next sync reads what is missing.
- **One stream fails, the others go on.** The stream ends incomplete, and its error says why. At its end the sync exits
  with code 1. Only rejected credentials, or a wrong account, end the sync at once.
- **The same error is reported once** for each stream.
- **Outages are short.** A request is sent again after about 1, 2, 4, 8 and 16 seconds. A stream of many requests, such
  as messages or reports, is given up after three such failures in a row. `check` gives up when nothing was answered for
  12 seconds.
- **One record does not hide others.** If Harvest cannot show the messages of one invoice, those of all others are read.
- **Modules.** A 403 or 404 may also mean that expenses, estimates, invoices or paid time off are switched off. If the
  user is an administrator, the message says so: "…, because the module for invoices is switched off in this account.
  Switch it on in Harvest under Settings, Modules, or deselect the stream."
- **`check` passes for every role,** and names each stream that cannot be read, with the reason.
- **`discover` asks Harvest nothing,** so none of this can happen to it.
- **A row that no message can hold,** such as one nested 1,000 deep, is named and left out. Its stream fails, and all
  other rows are read.

## What happens in each case

- A *server fault* is a 500, 502 or 503, broken JSON, or an HTML page with status 200.
- *No whole answer* means a reset connection, a body that was cut off, or no answer at all.
- If a list fails, its stream fails. If the token request, the list of accounts or the check fails, the command does.
- A transient error may pass: Airbyte tries the sync again. A config error needs you. A system error is probably a bug.

| Harvest's answer | to the request for | what the connector does | how it ends | what you read |
|---|---|---|---|---|
"""

MESSAGES_INTRODUCTION = """
## Messages

What you read, whole, and what to do. *Italics* stand for what differs.
"""

GROUPS = ((DISTURBED, "a server fault"), (UNANSWERED, "no whole answer"), (UNDOCUMENTED, "JSON not as documented"))


def page() -> str:
    """docs/errors.md."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for outcome in OUTCOMES:
        rows.setdefault(_row(outcome), []).extend(outcome.places)
    table = "".join(f"| {row[0]} | {_places(places)} | {' | '.join(row[1:])} |\n" for row, places in rows.items())
    return f"{INTRODUCTION}{table}{MESSAGES_INTRODUCTION}{''.join(map(_message, MESSAGES))}"


def _row(outcome: Outcome) -> tuple[str, ...]:
    """The cells of a row, without its places: outcomes that differ in nothing else share a row."""
    does = outcome.does.replace(GOES_ON, "").replace(FAILS, "").strip() or "Does not ask again."
    reads = _link(MESSAGES[outcome.reads]) if outcome.reads else "nothing, or a line in the log"
    return _faults(outcome), does, outcome.ends.replace("_", " "), reads


def _link(title: str) -> str:
    return f"[{title}](#{title.lower().replace(' ', '-')})"


def _message(reads: str) -> str:
    mend = next(outcome.mend for outcome in OUTCOMES if outcome.reads == reads)
    return f"\n### {MESSAGES[reads]}\n\n> {reads.format(**_BLANKS)}\n\n{mend}\n"


def _faults(outcome: Outcome) -> str:
    faults, named = outcome.faults, []
    for group, name in GROUPS:
        if set(group) <= set(faults):
            named.append(name)
            faults = tuple(fault for fault in faults if fault not in group)
    times = "" if outcome.faults in {LIMITED, LIMITED_LONG} else _TIMES[outcome.times]
    return ", ".join([*named, *faults]) + times


def _places(places: Iterable[str]) -> str:
    left = dict.fromkeys(places)
    if left.keys() == set(EVERYWHERE):
        return "anything"
    named = []
    for group, name in _PLACES.items():
        if left.keys() >= set(group):
            named.append(name)
            left = {place: None for place in left if place not in group}
    return ", ".join([*named, *left])


_PLACES = {
    (*READ, *READ_WITH_OAUTH): "any list",
    READ: "any list, with a personal access token",
    (*LIST, *READ_WITH_OAUTH): "a list of the account",
}
_TIMES = {(ONCE,): ", once", (ALWAYS,): ", each time", EITHER: ""}
_BLANKS = {
    "status": "*status*",
    "said": "*Harvest's words*",
    "reason": "*reason*",
    "name": "*stream*",
    "readable_by": "*role*",
}
