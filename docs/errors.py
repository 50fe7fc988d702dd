"""What the connector does when Harvest refuses, fails or answers nonsense: the table of errors.md and of its test."""

from collections.abc import Iterator
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


ASKS_AGAIN = "Asks again after 1, 2, 4, 8 and 16 seconds."
GOES_ON = "The stream ends incomplete and its cursor stays; the others are read to their end."
FAILS = "The command ends with the error."
STOPS = "Asks which accounts the credentials reach, and where it is not the account, ends the sync at once."
NETWORK = "Wait for the next sync; should it fail too, look at the network, and at Harvest's status page."
NEXT_SYNC = "Wait for the next sync; should it fail too, see Harvest's status page."
SHAPE = "Harvest's answer for {name} is not as documented: {reason}. Please report this message."
PASSING = "This is a passing fault on Harvest's side or on the way there; the next sync takes it up again."
UNREACHED = (
    "This may pass by itself: the next sync asks again. Where it goes on, see that api.harvestapp.com and "
    "id.getharvest.com can be reached from where the connector runs (DNS, firewall, proxy), and Harvest's status page."
)
NO_REDIRECT = (
    "Harvest answered {status} ({said}) to the request for {name}. "
    "The connector follows no redirect with your credentials. Check api_url and identity_url in the source's settings."
)
REPORT = (
    "Harvest answered {status} ({said}) to the request for {name}. "
    "The connector asked something that Harvest does not take; please report this message."
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
        "Harvest's {name} could not be read: {reason}. " + PASSING,
        NEXT_SYNC,
    ),
    Outcome(
        DISTURBED,
        LISTS,
        (ALWAYS,),
        TRANSIENT,
        f"{ASKS_AGAIN} {GOES_ON}",
        "Harvest's {name} could not be read: {reason}. " + PASSING,
        NEXT_SYNC,
    ),
    Outcome(
        DISTURBED,
        (*TOKEN, *COMMANDS),
        (ALWAYS,),
        TRANSIENT,
        f"{ASKS_AGAIN} {FAILS}",
        "Harvest's {name} could not be read: {reason}. " + PASSING,
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
        "Harvest's {name} could not be read: {reason}. " + UNREACHED,
        NETWORK,
    ),
    Outcome(
        UNANSWERED,
        (*TOKEN, *COMMANDS),
        (ALWAYS,),
        TRANSIENT,
        f"{ASKS_AGAIN} {FAILS} `check` ends once nothing was answered for 12 seconds.",
        "Harvest's {name} could not be read: {reason}. " + UNREACHED,
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
        "Harvest rejected the access token (401), and renewing it did not help. "
        "Authenticate again in the source's settings.",
        "Authenticate again.",
    ),
    Outcome(
        ("401",),
        ACCOUNTS,
        EITHER,
        CONFIG,
        FAILS,
        "Harvest rejected the personal access token (401): it is revoked or mistyped. "
        "Create a new one at id.getharvest.com/developers and put it into the source's settings.",
        "Renew the token in the source's settings.",
    ),
    Outcome(("401",), CHECK, EITHER, CONFIG, FAILS, CREDENTIALS, "Renew the token in the source's settings."),
    Outcome(
        ("400", "401", "402", "403", "404", "422"),
        TOKEN,
        EITHER,
        CONFIG,
        FAILS,
        "Harvest answered {status} ({said}), and refused to renew the access token. Check the client ID, the client "
        "secret and the refresh token in the source's settings, or authenticate again.",
        "Authenticate again, or correct the application's ID and secret.",
    ),
    Outcome(("402",), LISTS, EITHER, CONFIG, GOES_ON, NOT_PAID, "Ask the account's owner, or deselect the stream."),
    Outcome(("402",), COMMANDS, EITHER, CONFIG, FAILS, NOT_PAID, "Ask the account's owner."),
    Outcome(("403",), LISTS, EITHER, CONFIG, GOES_ON, NOT_ALLOWED, "Give the user the role that the message names."),
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
        "Asks for the record itself. Where it is there, asks for its list again. Where it answers 404 too, and its own "
        "list can still be read, it was deleted meanwhile: goes on with the next one.",
    ),
    Outcome(
        ("404",),
        CHILD,
        (ALWAYS,),
        COMPLETE,
        "As above. Where the record is there and its list answers 404 again, names it in a warning, counts nothing of "
        "it as deleted, goes on with the next one, and asks again in the next sync. Below more than 100 such records "
        "the stream ends incomplete.",
        mend="Should the warning come back, look at the record in Harvest.",
    ),
    Outcome(("404",), LATER_CHILD, (ONCE,), COMPLETE, "Reads the record's list again from its first page."),
    Outcome(
        ("404",),
        LATER_CHILD,
        (ALWAYS,),
        TRANSIENT,
        f"Reads the record's list again from its first page. {GOES_ON}",
        "Harvest answered {status} ({said}) in the middle of a record's {name}: the record may have been deleted "
        "meanwhile. The next sync takes it up again.",
        "Wait for the next sync.",
    ),
    Outcome(("404",), COMMANDS, EITHER, CONFIG, FAILS, NOT_FOUND, "Correct the account ID."),
    Outcome(REDIRECT, LISTS, EITHER, CONFIG, GOES_ON, NO_REDIRECT, "Correct api_url or identity_url."),
    Outcome(REDIRECT, (*TOKEN, *COMMANDS), EITHER, CONFIG, FAILS, NO_REDIRECT, "Correct api_url or identity_url."),
)

INTRODUCTION = """\
# What happens when

What a sync does when Harvest refuses, fails or answers nonsense, and what you read then.
This page is generated from `docs/errors.py`, and a test provokes every row of it; do not edit it by hand.

An error never costs rows: a list that was not read to its end moves no cursor, so the next sync reads what is missing.
`discover` asks Harvest nothing, and so cannot fail for any of this.
What is asked for each record or period, such as the messages of an invoice, is given up where it fails three times in
a row and nothing is read meanwhile, so an outage costs a minute or two; an invoice that Harvest cannot show hides no
other. The same error is told once for each stream.
A sync in which a stream failed exits with 1, after all others were read.
A row that no message can hold, such as one nested 1,000 deep, is named and left out: its stream fails, and the sync
reads all else.
A SIGTERM, SIGINT or SIGHUP ends it at the end of a line, and it goes on from there the next time.
Where its output cannot be written, as on a full disk, it says so on standard error and exits with 1.

A 403 or 404 may also mean that the account has switched off the module for expenses, estimates or invoices.
Where the user may know (administrators may), the message says so instead: "…, because the module for invoices is
switched off in this account. Switch it on in Harvest under Settings, Modules, or deselect the stream."
`check` passes for every role, and says in one line for each stream that cannot be read why it cannot.

| what Harvest does | where | what the connector does | what you read | what to do |
|---|---|---|---|---|
"""


def page() -> str:
    """docs/errors.md."""
    return INTRODUCTION + "".join(_line(outcome) for outcome in OUTCOMES)


def _line(outcome: Outcome) -> str:
    is_about_limit = outcome.faults in {LIMITED, LIMITED_LONG}
    times = "" if is_about_limit else _TIMES[outcome.times]
    reads = outcome.reads.format(**_BLANKS) or "Nothing, or a line in the log."
    return f"| {', '.join(outcome.faults)}{times} | {_places(outcome)} | {outcome.does} | {reads} | {outcome.mend} |\n"


def _places(outcome: Outcome) -> str:
    if outcome.places == EVERYWHERE:
        return "anywhere"
    if outcome.places[: len(READ)] != READ:
        return ", ".join(outcome.places)
    rest = [place for place in outcome.places[len(READ) :] if place not in READ_WITH_OAUTH]
    tokens = "any list" if set(READ_WITH_OAUTH) <= set(outcome.places) else "any list, with a personal access token"
    return ", ".join([tokens, *rest])


_TIMES = {(ONCE,): ", once", (ALWAYS,): ", again and again", EITHER: ""}
_BLANKS = {
    "status": "*status*",
    "said": "*Harvest's words*",
    "reason": "*reason*",
    "name": "*stream*",
    "readable_by": "*role*",
}
