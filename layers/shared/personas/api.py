"""From API Gateway's event to an operation and back: one application a function, one table of errors for all."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final, TypeVar, cast

import pydantic_core
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import (
    OpenAPIRequestValidationMiddleware,
    OpenAPIResponseValidationMiddleware,
)
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError, ResponseValidationError
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ValidationError

from personas.bodies import JSON_TYPE, read_body
from personas.contract.problems import field_errors
from personas.domain.profile import Caller
from personas.errors import (
    Fault,
    Invalid,
    NotFound,
    NotRemembered,
    PersonasError,
    Unauthenticated,
    internal,
)
from personas.identity import CHALLENGE
from personas.negotiation import VARY, compressed, names
from personas.observability import add_log_fields, logger, peak_memory, record_error
from personas.runtime import clock, deadline, time_of_request, utc_now
from personas.services import services
from personas.store.write_rule import Intent, OneTime

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
    from aws_lambda_powertools.event_handler.openapi.compat import ModelField
    from aws_lambda_powertools.event_handler.types import EventHandlerInstance

    from personas.contract.operation import Operation

# Handlers take these from here: whatever they imported before `personas` would be with the collector at work.
__all__ = ["LambdaContext", "Query", "Response"]

M = TypeVar("M", bound=BaseModel)
Json = Annotated[M, Body()]
"""A route's body: validated JSON. Powertools does not look into aliases made by a ``type`` statement."""

type Handler = Callable[[dict[str, object], LambdaContext], dict[str, object]]

_PROBLEM_JSON: Final = ("application/problem+json", "application/*+json")
"""The media type of a problem, then the range of media types that names it, too."""


class Admission(OpenAPIRequestValidationMiddleware):
    """The check that every request passes before its operation: of its caller, then of its body.

    Powertools validates first and runs middlewares after; here nobody learns what is wrong with a body before saying
    who they are, and a body is read under this API's rules (size, media type, UTF-8, no body is ``{}``).
    """

    def handler(self, app: EventHandlerInstance, next_middleware: NextMiddleware) -> Response[object]:
        """Find the caller, then validate the request."""
        caller = cast("Api", app).authenticate(lower_case(app.current_event.headers))
        app.context["caller"] = caller
        add_log_fields(group=caller.group_id, profile=caller.profile_id)
        return super().handler(app, next_middleware)

    def _get_body(self, app: EventHandlerInstance) -> dict[str, object]:
        api = cast("Api", app)
        return read_body(api.current_event, api.operation.body_max)


class Answers(OpenAPIResponseValidationMiddleware):
    """The check of an answer against its model, of which JSON is made then: not of dictionaries made of it first."""

    def _serialize_response_with_validation(
        self, *, field: ModelField, response_content: object, **_: object
    ) -> object:
        answer, faults = field.validate(response_content, loc=("response",))
        if faults:
            raise ResponseValidationError(errors=faults, body=response_content, source="app")
        return answer


class Api(APIGatewayHttpResolver):
    """Powertools' resolver with this API's admission and problems. Made by ``build_app``, one a function."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(
            enable_validation=True,
            serializer=lambda body: pydantic_core.to_json(body).decode(),
        )
        self.operation = operation
        self.replayed = False
        """True while the request under way is a repeat that got the first answer."""
        self._request_validation_middleware = Admission()  # type: ignore[no-untyped-call]  # its constructor is Powertools', without annotations
        self._response_validation_middleware = Answers()
        self.exception_handler(PersonasError)(self.problem)
        self.exception_handler(RequestValidationError)(self._invalid_request)
        self.exception_handler(ResponseValidationError)(self._invalid_response)
        self.exception_handler(NotFoundError)(lambda _: self.problem(NotFound("There is no such endpoint.")))
        self.exception_handler(Exception)(self._defect)

    @property
    def rule(self) -> str:
        """The path of its operation, with its parameters as Powertools writes them: ``<name>``."""
        return self.operation.path.replace("{", "<").replace("}", ">")

    @property
    def challenge(self) -> str:
        """The value of ``WWW-Authenticate`` in a 401."""
        return CHALLENGE

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Return the caller that the headers of a request name. ``headers`` has lower-case names."""
        return services().authenticator.authenticate(headers)

    @property
    def caller(self) -> Caller:
        """The caller of the request, in a route."""
        return cast("Caller", self.context["caller"])

    def header(self, name: str) -> str | None:
        """Return a header of the request, in a route."""
        value = self.current_event.headers.get(name)
        return value if isinstance(value, str) else None

    def tagged(self, answer: M, version: int | None) -> Response[M]:
        """Return an answer with its version as a strong ETag; without one where there is no version."""
        return Response(200, JSON_TYPE, answer, {} if version is None else {"ETag": f'"{version}"'})

    def write(self, response: type[M], work: Callable[[Intent], M]) -> M:
        """Return the answer of a writing operation; under an Idempotency-Key the first one that it gave.

        Raises:
            PersonasError: whatever ``work`` raises, and what ``store.idempotency.answer_once`` does.
        """
        try:
            answer = self._answer_once(response, work)
        except NotRemembered as told:
            answer = response.model_validate({"results": told.results})
        results: list[object] = getattr(answer, "results", [answer])
        saved = sum(getattr(result, "success", False) is True for result in results)
        add_log_fields(saved=saved, failed=len(results) - saved)
        return answer

    def _answer_once(self, response: type[M], work: Callable[[Intent], M]) -> M:
        key = self.header("idempotency-key")
        if key is None:
            return work(OneTime())
        from personas.store.idempotency import answer_once

        ran = False

        def run(intent: Intent) -> dict[str, object]:
            nonlocal ran
            ran = True
            return work(intent).model_dump(mode="json")

        caller = self.caller
        sent = {"body": read_body(self.current_event, self.operation.body_max), "if": self.header("if-match")}
        answer = answer_once(
            table=services().settings.idempotency_table,
            scope=f"{caller.group_id}/{caller.profile_id}/{self.operation.name}",
            key=key.strip(),
            body=json.dumps(sent, sort_keys=True),
            context=self.lambda_context,
            work=run,
        )
        self.replayed = not ran
        # A newer release may have remembered it, with a field that this one does not know.
        return response.model_validate(answer, extra="ignore")

    def problem(self, error: PersonasError) -> Response[str]:
        """Return the answer to an error, logged with its code."""
        record_error(error)
        headers: dict[str, str | list[str]] = {}
        if isinstance(error, Unauthenticated):
            headers["WWW-Authenticate"] = self.challenge
        if error.retry_after is not None:
            headers["Retry-After"] = str(error.retry_after)
        media_type, body = self.error_body(error)
        return Response(error.status, media_type, pydantic_core.to_json(body).decode(), headers)

    def error_body(self, error: PersonasError) -> tuple[str, dict[str, object]]:
        """Return the media type and the body that tell of an error: a problem.

        It is ``application/json`` to a caller that does not ask for problem+json: clients that know no problems read a
        body only where its media type contains that.
        """
        body: dict[str, object] = {
            "type": "about:blank",
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            "code": error.code,
            "request_id": self.current_event.request_context.request_id,
        }
        if error.errors:
            body["errors"] = [fault._asdict() for fault in error.errors]
        body |= error.members
        return _PROBLEM_JSON[0] if names(self.header("accept") or "", *_PROBLEM_JSON) else JSON_TYPE, body

    def _invalid_request(self, error: RequestValidationError) -> Response[str]:
        faults = [Fault(each.field, each.message) for each in field_errors(error.errors(), skip=1)]
        first = faults[0]
        detail = f"{first.field.removeprefix('/') or 'The body'}: {first.message}"
        return self.problem(Invalid(detail, errors=faults))

    def _invalid_response(self, error: ResponseValidationError) -> Response[str]:
        # The input of an error may hold a persona's texts: only its place and type are logged.
        places = [{"loc": each["loc"], "type": each["type"]} for each in error.errors()]
        logger.error("the answer breaks the contract", extra={"places": places})
        return self.problem(internal())

    def _defect(self, error: Exception) -> Response[str]:
        if isinstance(error, ValidationError):
            # The message of a validation error repeats what was validated; where and what kind does not.
            places = error.errors(include_input=False, include_context=False, include_url=False)
            logger.error("a value breaks its model", extra={"model": error.title, "places": places})
        else:
            logger.exception("an operation failed")
        return self.problem(internal())


def build_app(operation: Operation) -> Api:
    """Return the application of one function.

    Raises:
        SettingsError: the function's environment is not complete; it fails here, before the first request.
    """
    services()
    return Api(operation)


def lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def unstored[T](status: int, answer: T, **headers: str) -> Response[T]:
    """Return an answer that nobody may keep on the way: it holds a secret of its caller."""
    return Response(status, JSON_TYPE if answer else None, answer, {"Cache-Control": "no-store", **headers})


def lambda_function(app: Api) -> Callable[[Handler], Handler]:
    """Decorate a handler of API Gateway's events: the deadline, and one log line."""
    stage = services().settings.stage

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def timed(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
            began = time.perf_counter()
            request = cast("dict[str, object]", event.get("requestContext") or {})
            remaining = time_of_request(
                timedelta(milliseconds=context.get_remaining_time_in_millis()), request.get("timeEpoch"), utc_now()
            )
            app.replayed = False
            with _until_cut_off(remaining):
                answer = handler(event, context)
            clock().count_if_off()
            headers = cast("dict[str, object]", answer.setdefault("headers", {}))
            headers["Vary"] = VARY
            if app.replayed and answer["statusCode"] == HTTPStatus.OK:
                headers["Idempotent-Replayed"] = "true"
            sent = cast("dict[str, str]", event.get("headers") or {})
            answer = compressed(answer, lower_case(sent))
            duration_ms = (time.perf_counter() - began) * 1000
            outcome = {"status": answer["statusCode"], "duration_ms": round(duration_ms, 1), "peak_mb": peak_memory()}
            logger.info("answered", extra={"operation": app.operation.name, "stage": stage, **outcome})
            return answer

        return _observed(timed, correlation_id_path="requestContext.requestId")

    return decorate


def background_function(name: str) -> Callable[[Handler], Handler]:
    """Decorate a handler of a schedule or a queue: the deadline, and one log line; errors go to Lambda."""

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def timed(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
            began = time.perf_counter()
            with _until_cut_off(timedelta(milliseconds=context.get_remaining_time_in_millis())):
                answer = handler(event, context)
            clock().count_if_off()
            duration_ms = (time.perf_counter() - began) * 1000
            logger.info("done", extra={"operation": name, "duration_ms": round(duration_ms, 1), **answer})
            return answer

        return _observed(timed, correlation_id_path=None)

    return decorate


@contextmanager
def _until_cut_off(remaining: timedelta) -> Iterator[None]:
    """Hold calls to the time that an invocation has left. Between two invocations nothing has a limit."""
    deadline().start(remaining)
    try:
        yield
    finally:
        deadline().start(None)


def _observed(handler: Handler, correlation_id_path: str | None) -> Handler:
    return logger.inject_lambda_context(handler, clear_state=True, correlation_id_path=correlation_id_path)
