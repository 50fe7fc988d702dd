"""A page of a list of which it is not known in what envelope it comes: with links, with `next_page` alone, or bare.

See B150 to B152 of docs/harvest-behaviour.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests

from source_harvest.api.pages import Page, checked_rows
from source_harvest.api.session import object_of
from source_harvest.api.timestamps import Row

# The page size of the Harvest lists with the smallest pages. A shorter answer without any envelope is a whole list.
SMALLEST_PAGE = 100


def page_in_either(
    response: requests.Response, list_key: str, identified_by: tuple[str, ...], *, may_be_bare: bool = False
) -> Page:
    """The page in a successful response. If the answer has no list `list_key`, its only list is taken.

    The list has ended if no next page is named, and as many rows came as its total says.

    An identifying field such as `user_id` may also stand in an object of the row, as `user.id`. `may_be_bare`: the list
    may come without an envelope. Raises `ValueError` if the response is no such page, or the end cannot be told.
    """
    body = object_of(response)
    key = list_key if list_key in body else _only_list(body, list_key)
    rows = checked_rows(with_ids(body[key], identified_by), key, identified_by)
    links = body.get("links")
    if isinstance(links, dict) and (links.get("next") or ("next" in links and body.get("next_page") is None)):
        return replace(Page.of(response, key, identified_by), needs_total=True)
    if "next_page" in body:
        return _numbered(response, body, rows)
    if may_be_bare and "links" not in body and len(rows) < SMALLEST_PAGE and (rows or key == list_key):
        return Page.sent_in(response, rows, body.get("total_entries"), None, needs_total=True)
    raise ValueError('it has neither a link "next" nor "next_page", so the end of the list cannot be told')


def _only_list(body: dict[str, Any], list_key: str) -> str:
    lists = [key for key, value in body.items() if isinstance(value, list)]
    if len(lists) != 1:
        raise ValueError(f'it has no list "{list_key}", and {len(lists)} others')
    return lists[0]


def with_ids(rows: Any, identified_by: tuple[str, ...]) -> Any:
    """The rows with identifying fields such as `user_id` set from nested objects; anything odd is left as it is."""
    nested = [(field, field.removesuffix("_id")) for field in identified_by if field.endswith("_id")]
    for row in rows if isinstance(rows, list) else ():
        for field, name in nested:
            if isinstance(row, dict) and field not in row and isinstance(row.get(name), dict):
                row[field] = row[name].get("id")
    return rows


def _numbered(response: requests.Response, body: dict[str, Any], rows: list[Row]) -> Page:
    """A page that gives the number of the next one."""
    number, entries = body["next_page"], body.get("total_entries")
    if number is None and entries is None:
        raise ValueError('it names neither a next page nor "total_entries", so the end of the list cannot be told')
    if number is not None and type(number) is not int:
        raise ValueError('its "next_page" is no whole number')
    next_url = None if number is None else _with_page(str(response.request.url), number)
    return Page.sent_in(response, rows, entries, next_url, needs_total=True)


def _with_page(url: str, number: int) -> str:
    parts = urlsplit(url)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key != "page"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("page", number)])))
