"""The command line of a trial: which deployment, and the steps with the time that each took."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from personas_tools.http_api import Api, ApiError
from personas_tools.smoke import steps
from personas_tools.smoke.steps import Caller, SmokeError
from personas_tools.smoke.temporary_group import TemporaryGroup, temporary_group
from personas_tools.store_options import on_store
from personas_tools.target import Target


@click.command("smoke")
@click.option("--port", type=int, default=3000, show_default=True, envvar="PORT", help="Port of the local service.")
@on_store
def smoke(target: Target, port: int) -> None:
    """Try a deployment: a session, 1,000 personas at once, a refresh, an export above 8 MB, a revocation.

    All of it happens in a new group, which is removed at the end. The AWS credentials have to read the stack, and to
    write its tables and its bucket.
    """
    address = target.outputs["ApiUrl"] if target.outputs else f"http://127.0.0.1:{port}"
    target.resource("HistoryTable")  # Without its stack's name, a table is not enough.
    with temporary_group(target) as group:
        _run(address, group)
    click.echo("All is well. The group is gone; records of its Idempotency-Keys go within a day.")


def _run(address: str, group: TemporaryGroup) -> None:
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="personas-")))

        def caller(key: str) -> Caller:
            return Caller(opened.enter_context(Api(address, key)))

        author = caller(group.key_for("Grace Adeyemi", "instructional", "Education", "Health and Care"))
        admin = caller(group.key_for("Vera Lindholm", "superadmin"))
        key = group.key_for("Noah Berger", "viewer")
        leaver = caller(key)
        # First of all, so that the other steps pass the time until the key has to be refused.
        with _timed("a key is accepted, and revoked"):
            leaver.call("get", {})
            group.revoke(key)
            revoked_at = time.monotonic()
        with _timed("the README's session"):
            steps.session(author)
        with _timed("1,000 personas by one call"):
            ids = steps.bulk(admin)
        with _timed("a refresh and a search"):
            steps.refresh(admin, ids)
        with _timed("an export above 8 MB and its download"):
            steps.export(admin, ids, folder, group.uploads.append)
        with _timed("the revoked key is refused"):
            steps.refused(leaver, revoked_at)


@contextlib.contextmanager
def _timed(step: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    except (SmokeError, ApiError) as error:
        raise click.ClickException(f"{step}: {error}") from error
    except LookupError as error:
        raise click.ClickException(f"{step}: an answer lacks {error}") from error
    click.echo(f"{step}: {time.monotonic() - began:.1f} s")
