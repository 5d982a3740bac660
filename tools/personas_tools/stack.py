"""template.yaml as it runs on this machine: physical names, the environment of each function, tables and bucket."""

import contextlib
import hashlib
import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
import jwt
from botocore.config import Config
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from personas_tools import template
from personas_tools.emulator import Emulator, running
from personas_tools.invocation import Function, Json
from personas_tools.template_sources import QueueSource, StreamSource, queue_sources, stream_sources

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from personas_tools.streams import StreamsClient

ROOT: Final = Path(__file__).resolve().parents[2]
"""The folder of template.yaml."""
NAME: Final = "personas-local"
ISSUER: Final = "personas-local"
"""The `iss` of local tokens. It says nothing of a port, so that a token outlives a change of it."""
AUDIENCE: Final = "personas-api"
JWKS_PATH: Final = "/.well-known/jwks.json"
REGION: Final = "us-east-1"

# An empty mapping: none at all would mean those of the environment.
_NO_PROXY: Final = Config(proxies={})


class StackError(Exception):
    """The local stack cannot run; the message says why and what to do."""


class LocalStack:
    """The stack of the template below ``root``, on the emulator at ``endpoint`` and the gateway on ``port``.

    ``folder`` holds what it keeps: data, logs, and the key that signs local tokens.
    """

    def __init__(self, endpoint: str, *, root: Path = ROOT, folder: Path | None = None, port: int = 3000) -> None:
        self.endpoint = endpoint
        self.folder = folder or root / ".local"
        self._layer = root / "layers" / "shared"
        self._file = root / "template.yaml"
        self._port = port

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The physical names of tables and buckets and the addresses of queues, by logical id."""
        tables = {logical_id: self._named(logical_id) for logical_id in self._tables}
        buckets = {logical_id: self._named(logical_id).lower() for logical_id in self._buckets}
        queues = {each: f"{self.endpoint}/000000000000/{self._named(each)}" for each in template.queues(self._file)}
        return tables | buckets | queues

    @property
    def personas_table(self) -> str:
        """The physical name of the table of personas, drafts, catalogues, profiles and keys."""
        return self.names["PersonasTable"]

    @property
    def address(self) -> str:
        """The address of the local gateway."""
        return f"http://127.0.0.1:{self._port}"

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """The functions, ready to run. Each has the environment that the template and Lambda give it, nothing else."""
        return tuple(self._function(function) for function in template.functions(self._file).values())

    @cached_property
    def routes(self) -> Mapping[template.Route, str]:
        """The routes of the HTTP API, each with the physical name of its function."""
        return {
            route: self._named(function.logical_id)
            for function in template.functions(self._file).values()
            for route in function.routes
        }

    @cached_property
    def schedules(self) -> tuple[template.Schedule, ...]:
        """The schedules, each with the physical name of its function."""
        return tuple(
            template.Schedule(self._named(each.function), each.event) for each in template.schedules(self._file)
        )

    @cached_property
    def queue_sources(self) -> tuple[QueueSource, ...]:
        """The queues that feed functions: their addresses, and the physical names of the functions."""
        return tuple(
            replace(each, function=self._named(each.function), queue=self.names[each.queue])
            for each in queue_sources(self._file)
        )

    @cached_property
    def stream_sources(self) -> tuple[StreamSource, ...]:
        """The tables that feed functions with what is written, by the physical names of both.

        Parameters are at their defaults here, so a function that is there on a condition is fed by none.
        """
        return tuple(
            replace(each, function=self._named(each.function), table=self.names[each.table])
            for each in stream_sources(self._file)
            if each.condition is None
        )

    @cached_property
    def cors(self) -> template.Cors:
        """The settings of CORS."""
        return template.cors(self._file)

    @cached_property
    def access(self) -> Mapping[str, str]:
        """The environment by which an AWS SDK reaches the emulator. The credentials are of no use elsewhere."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            # The emulator's root key: it takes any key, but judges signed addresses by those it knows.
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Neither the developer's own AWS configuration nor a proxy has a say here.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def dynamodb(self) -> "DynamoDBClient":
        """Return a client of the emulator's DynamoDB."""
        return self._session.client("dynamodb", endpoint_url=self.endpoint, config=_NO_PROXY)

    def s3(self) -> "S3Client":
        """Return a client of the emulator's S3."""
        return self._session.client("s3", endpoint_url=self.endpoint, config=_NO_PROXY)

    def sqs(self) -> "SQSClient":
        """Return a client of the emulator's SQS."""
        return self._session.client("sqs", endpoint_url=self.endpoint, config=_NO_PROXY)

    def streams(self) -> "StreamsClient":
        """Return a client of the emulator's DynamoDB Streams."""
        client: StreamsClient = self._session.client("dynamodbstreams", endpoint_url=self.endpoint, config=_NO_PROXY)
        return client

    def create_missing(self) -> None:
        """Make the tables, buckets and queues that are not there yet.

        Raises:
            StackError: a table is there, but with other keys or indexes than the template says.
        """
        dynamodb, s3 = self.dynamodb(), self.s3()
        present = set(dynamodb.list_tables()["TableNames"])
        for logical_id, request in self._tables.items():
            name = self.names[logical_id]
            wanted = request.named(name)
            if name not in present:
                dynamodb.create_table(**wanted)
            ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
            if request.ttl_attribute and ttl.get("AttributeName") != request.ttl_attribute:
                dynamodb.update_time_to_live(
                    TableName=name,
                    TimeToLiveSpecification={"Enabled": True, "AttributeName": request.ttl_attribute},
                )
            table = dynamodb.describe_table(TableName=name)["Table"]
            if "StreamSpecification" in wanted and "StreamSpecification" not in table:
                dynamodb.update_table(TableName=name, StreamSpecification=wanted["StreamSpecification"])
            if any(
                _shape(table.get(part)) != _shape(wanted.get(part))
                for part in ("KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes")
            ):
                raise StackError(
                    f"The local table {name} was made from another template.yaml. Remove {self.folder / 'state'} "
                    "to start over, without the data."
                )
        made = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
        for logical_id in self._buckets:
            if self.names[logical_id] not in made:
                s3.create_bucket(Bucket=self.names[logical_id])
        sqs = self.sqs()
        for logical_id in template.queues(self._file):
            sqs.create_queue(QueueName=self._named(logical_id))

    def token(self, profile_id: str, lifetime: timedelta) -> str:
        """Return a bearer token for the profile, signed by this machine's key, whose public half the gateway serves."""
        now = datetime.now(UTC)
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": profile_id, "iat": now, "exp": now + lifetime}
        return jwt.encode(claims, self._signing_key, algorithm="ES256", headers={"kid": self._key_id})

    def jwks(self) -> Json:
        """Return the public half of the signing key, as the JWKS document that the gateway serves."""
        key: dict[str, Json] = json.loads(ECAlgorithm.to_jwk(self._signing_key.public_key()))
        return {"keys": [key | {"kid": self._key_id, "alg": "ES256", "use": "sig"}]}

    @staticmethod
    def _named(logical_id: str) -> str:
        return f"{NAME}-{logical_id}"

    @cached_property
    def _tables(self) -> Mapping[str, template.TableRequest]:
        return template.table_requests(self._file)

    @cached_property
    def _buckets(self) -> tuple[str, ...]:
        resources = template.load(self._file)["Resources"]
        entries = resources.items() if isinstance(resources, dict) else ()
        return tuple(name for name, node in entries if isinstance(node, dict) and node["Type"] == "AWS::S3::Bucket")

    def _function(self, function: template.Function) -> Function:
        name = self._named(function.logical_id)
        return Function(
            name=name,
            code=str(function.folder.resolve()),
            layers=(str(self._layer),),
            handler=function.handler,
            timeout=function.timeout,
            memory=function.memory,
            environment={
                **function.environment_with(self.names),
                "JWT_ISSUER": ISSUER,
                "JWT_AUDIENCE": AUDIENCE,
                "JWT_JWKS_URL": f"{self.address}{JWKS_PATH}",
                **self.access,
                "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
                "AWS_LAMBDA_FUNCTION_NAME": name,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
                "_HANDLER": function.handler,
                "LAMBDA_TASK_ROOT": str(function.folder.resolve()),
                "TZ": "UTC",
            },
        )

    @cached_property
    def _session(self) -> boto3.Session:
        os.environ.pop("AWS_PROFILE", None)  # of the developer's own; botocore insists on it wherever it is set
        return boto3.Session(
            aws_access_key_id=self.access["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.access["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )

    @cached_property
    def _signing_key(self) -> ec.EllipticCurvePrivateKey:
        path = self.folder / "jwt-key.pem"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            # Written aside and linked into place: of two commands that find no key, the first to link decides.
            draft = self.folder / f"jwt-key.{os.getpid()}"
            draft.touch(mode=0o600)
            draft.write_bytes(pem)
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)
            draft.unlink()
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise StackError(f"{path} holds another kind of key than ES256 needs. Remove it to get a new one.")
        return key

    @cached_property
    def _key_id(self) -> str:
        public = self._signing_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return urlsafe_b64encode(hashlib.sha256(public).digest()[:12]).decode()


def emulator(folder: Path, root: Path = ROOT) -> Emulator:
    """Return the emulator over the data in ``folder``, as the environment configures it. Not started yet."""
    binary = Path(os.environ.get("PERSONAS_MINISTACK") or root / ".local" / "ministack" / "bin" / "ministack")
    return Emulator(binary, folder, int(os.environ.get("EMULATOR_PORT") or 0) or None)


@contextlib.contextmanager
def connected(folder: Path | None = None, root: Path = ROOT) -> Iterator[LocalStack]:
    """Yield the local stack for the time of one command: on the running server's emulator, or on one of its own.

    Raises:
        EmulatorError: no emulator can be started.
        StackError: its tables do not fit the template.
    """
    folder = folder or root / ".local"
    address = running(folder)
    if address is not None:
        yield LocalStack(address, root=root, folder=folder)
        return
    own = emulator(folder, root)
    stack = LocalStack(own.launch(), root=root, folder=folder)
    try:
        own.wait()
        stack.create_missing()
        yield stack
    finally:
        own.stop()


def _shape(part: object) -> object:
    """Return the keys of a table or of its indexes, in a form in which two descriptions of the same compare equal."""
    entries = part if isinstance(part, list) else []
    return sorted(
        (entry["IndexName"], [key["AttributeName"] for key in entry["KeySchema"]])
        if "IndexName" in entry
        else (entry["AttributeName"], [entry["KeyType"]])
        for entry in entries
    )
