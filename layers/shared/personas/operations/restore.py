"""restore: an older version of a persona, brought back as a new one."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, Literal

from personas.contract.restore import RestorePersonaRequest, RestorePersonaResponse
from personas.domain.authorship import changed_fields, writer_of
from personas.domain.catalogue import Catalogue
from personas.domain.permissions import is_for, may_assign, may_edit, may_write
from personas.domain.persona import Form, Persona
from personas.domain.profile import Caller
from personas.errors import Fault, Forbidden, Invalid, NotFound, Unreadable, VersionConflict
from personas.operations.version_reads import Current, Past, current_version, version_seen
from personas.services import Services
from personas.store.personas import Found, Restoration
from personas.store.write_rule import Intent

_NAMED_MAX: Final = 5
"""The entries that a refusal names."""


def restore_version(
    services: Services, caller: Caller, request: RestorePersonaRequest, intent: Intent
) -> RestorePersonaResponse:
    """Bring a version back in three rounds: read it, put its texts into the directory, write.

    A deleted persona takes two more: its deletion and its last image are read, too.

    Raises:
        Forbidden: the caller may not write or edit the persona, or not assign what the version is linked to.
        NotFound: the persona or the version cannot be seen.
        Unreadable: what stands there cannot be read, and the caller is a superadmin.
        VersionConflict: the expected version is not the stored one.
        Invalid: the version is a deletion, or would leave the persona without a department.
    """
    verdict = may_write(caller)
    if verdict.reason is not None:
        raise Forbidden(verdict.reason, code=verdict.code)
    catalogue, found, past, _ = services.parallel.gather(
        lambda: services.catalogues.current(caller.group_id),
        lambda: services.personas.find(caller.group_id, request.persona_id),
        lambda: services.history.versions(caller.group_id, request.persona_id, [request.version]),
        lambda: services.groups.mark(caller.group_id),
    )
    decision = _Decision(services, caller, request, catalogue, past)
    written = services.personas.read_decide_write(
        caller.group_id, request.persona_id, intent.write_id(), found, decision.on, writer_of(caller)
    )
    return RestorePersonaResponse(
        success=True,
        persona_id=request.persona_id,
        version=written.version,
        message=f"The persona is as it was in version {request.version}.",
    )


@dataclass(frozen=True)
class _Decision:
    """The decision of one call, taken again on what is stored after each write of somebody else."""

    services: Services
    caller: Caller
    request: RestorePersonaRequest
    catalogue: Catalogue
    past: Past

    def on(self, found: Found) -> Restoration:
        """Return the persona that is to stand in the place of what was found, once its texts are in the directory."""
        request, caller = self.request, self.caller
        current = current_version(self.services, caller, request.persona_id, found)
        version = version_seen(caller, request.persona_id, request.version, current, self.past)
        stands = current.stored.persona
        if stands is not None:
            verdict = may_edit(caller, stands)
            if verdict.reason is not None:
                raise Forbidden(verdict.reason, code=verdict.code)
        self._check_expected(current)
        if version.persona is None:
            raise Invalid(
                f"Version {request.version} is a deletion: restore a version before it.",
                code="version_is_deletion",
                errors=[Fault("/version", "is a deletion")],
            )
        form = version.persona.form
        if stands is not None and not changed_fields(stands.form, form):
            # The store makes no version of it.
            return Restoration(stands, request.version)
        if stands is None or form.department_ids != stands.form.department_ids:
            self._check_departments(form)
        self._check_parameter_fields(form, stands.form if stands else Form())
        last = stands or self._last_image(current)
        self.services.parallel.run(self.services.texts.puts(caller.group_id, form.texts))
        return Restoration(replace(last, form=form, updated_at=self.services.now().isoformat()), request.version)

    def _check_expected(self, current: Current) -> None:
        expected = self.request.expected_version
        if expected is not None and expected != current.version:
            raise VersionConflict(
                f"Version {expected} was expected, and version {current.version} is stored.",
                errors=[Fault("/expected_version", f"is not the stored version, {current.version}")],
                members={"current_version": current.version, "expected_version": expected},
            )

    def _check_departments(self, form: Form) -> None:
        verdict = may_assign(self.caller, form.department_ids)
        if verdict.reason is None:
            return
        fault = Fault("/version", verdict.reason)
        if form.department_ids:
            foreign = (each for each in form.department_ids if each not in self.caller.department_ids)
            raise Forbidden(self._refusal("departments", foreign), code=verdict.code, errors=[fault])
        raise Invalid(
            f"Version {self.request.version} is in no department: only a superadmin can restore it.",
            code=verdict.code,
            errors=[fault],
        )

    def _check_parameter_fields(self, form: Form, stands: Form) -> None:
        """Let pass those that the persona has, and those that are for the caller, be they withdrawn."""
        foreign = [
            each
            for each in form.parameter_field_ids
            if each not in stands.parameter_field_ids and not self._is_for_caller(each)
        ]
        if foreign:
            raise Forbidden(
                self._refusal("parameter_fields", foreign),
                code="foreign_parameter_field",
                errors=[Fault("/version", "has parameter fields that you may not assign")],
            )

    def _is_for_caller(self, link_id: str) -> bool:
        link = self.catalogue.parameter_fields.get(link_id)
        if link is None:
            # It has left the catalogue, and is for nobody or for everybody.
            return True
        rows = self.catalogue.rows("parameters")[link.parameter_id], self.catalogue.rows("fields")[link.field_id]
        return all(is_for(row, self.caller) for row in rows)

    def _refusal(self, kind: Literal["departments", "parameter_fields"], ids: Iterable[str]) -> str:
        names = [self.catalogue.label(kind, each) or each for each in islice(ids, _NAMED_MAX)]
        noun = kind.replace("_", " ")
        return f"Version {self.request.version} has {noun} that you cannot assign: {', '.join(names)}."

    def _last_image(self, current: Current) -> Persona:
        """Return a deleted persona as it was when it was deleted, with its scenarios."""
        number = current.version - 1
        last = self.services.history.versions(self.caller.group_id, self.request.persona_id, [number]).get(number)
        if last is None or isinstance(last, Unreadable) or last.persona is None:
            # Its deletion is not recorded yet, or not as a whole.
            raise NotFound(f"There is no persona {self.request.persona_id}.")
        return last.persona
