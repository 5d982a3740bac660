"""The service put together: settings, clients, stores and views, made once an execution environment."""

from dataclasses import dataclass
from functools import cache, cached_property
from os import environ

from personas.identity import Authenticator
from personas.runtime import Parallel, deadline, dynamodb, parallel, utc_now
from personas.settings import Settings
from personas.store.drafts import DraftStore
from personas.store.personas import PersonaStore
from personas.store.profiles import ProfileStore
from personas.store.table import Table
from personas.store.texts import TextDirectory
from personas.view.catalogue import CatalogueView


@dataclass
class Services:
    """What the operations act by."""

    settings: Settings
    table: Table
    parallel: Parallel

    @cached_property
    def authenticator(self) -> Authenticator:
        """Who is calling."""
        return Authenticator(ProfileStore(self.table), self.settings)

    @cached_property
    def personas(self) -> PersonaStore:
        """The personas."""
        return PersonaStore(self.table)

    @cached_property
    def drafts(self) -> DraftStore:
        """The drafts."""
        return DraftStore(self.table)

    @cached_property
    def texts(self) -> TextDirectory:
        """The text directory."""
        return TextDirectory(self.table)

    @cached_property
    def catalogues(self) -> CatalogueView:
        """The groups' catalogues."""
        return CatalogueView(self.table)


@cache
def services() -> Services:
    """The services of this execution environment.

    Raises:
        SettingsError: the environment is not complete.
    """
    settings = Settings.read(environ)
    return Services(settings, Table(dynamodb(), settings.personas_table, utc_now, deadline()), parallel())
