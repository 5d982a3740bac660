"""The options that say which personas `list` and `export` are about."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Concatenate

import click

from personas_tools.http_api import Api
from personas_tools.naming import option_named

type Conditions = Mapping[str, object]
"""The conditions of a search or an export: those that were asked for, and no others."""


def on_conditions[**P](command: Callable[Concatenate[Api, Conditions, P], None]) -> Callable[..., None]:
    """Give a command that calls the service the options that narrow personas down, and hand it the conditions."""

    @click.option("--search", help="Only personas with this in their name or description.")
    @click.option("--department", "departments", multiple=True, help="Only of this one, by name or id; repeatable.")
    @click.option("--scenario", "scenarios", multiple=True, help="Only of this one, by name or id; repeatable.")
    @click.option("--field", "fields", multiple=True, help="Only with this one, by name or id; repeatable.")
    @wraps(command)
    def wrapped(
        api: Api,
        search: str | None,
        departments: tuple[str, ...],
        scenarios: tuple[str, ...],
        fields: tuple[str, ...],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        wanted = {
            "search": search,
            "filter_department_ids": [option_named(api, "department", each) for each in departments],
            "scenario_ids": [option_named(api, "scenario", each) for each in scenarios],
            "field_ids": [option_named(api, "field", each) for each in fields],
        }
        command(api, {name: value for name, value in wanted.items() if value}, *args, **kwargs)

    return wrapped
