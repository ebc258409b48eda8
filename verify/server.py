"""The gRPC server: assembled by `create_server`, run by `serve`, stopped without dropping an answer.

    SIGTERM  →  health says NOT_SERVING  →  drain delay  →  no new calls  →  calls under way finish, or the grace ends

`create_server` binds and wires but starts nothing, so that a test can take port 0 and drive the server in its own loop.
"""

import asyncio
import signal
from collections.abc import Mapping
from contextlib import suppress

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from encode.errors import AddressInUse, StoreUnavailable
from encode.sample import Modality
from enroll.enroller import Enroller
from enroll.stores.memory import MemoryStore
from enroll.stores.opening import StorePlace, database_name, open_sql_store
from enroll.stores.store import TemplateStore
from verify.adaptation import Adaptation
from verify.audit_trail import AuditTrail
from verify.curator import Curator
from verify.logging import get_logger
from verify.messages import MAX_MESSAGE_BYTES
from verify.model import Model, load_models
from verify.server_access import server_access
from verify.server_checks import tell_whether_adaptable, tell_whether_fused
from verify.server_limits import channel_options
from verify.server_tls import server_credentials
from verify.server_transport import answering, create_transport
from verify.service_enrollment import EnrollmentService
from verify.service_interceptor import CallBoundary
from verify.service_model import ModelService
from verify.service_verification import VerificationService
from verify.service_workers import Workers
from verify.settings import MEMORY, ServiceSettings, how_to_set
from verify.v1 import (
    enrollment_pb2,
    enrollment_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    verification_pb2,
    verification_pb2_grpc,
)
from verify.verifier import Verifier

SERVICE_NAMES = tuple(
    descriptor.services_by_name[name].full_name
    for descriptor, name in (
        (enrollment_pb2.DESCRIPTOR, "EnrollmentService"),
        (verification_pb2.DESCRIPTOR, "VerificationService"),
        (model_pb2.DESCRIPTOR, "ModelService"),
    )
)

_LOOK_SECONDS = 0.05
"""Between looks at whether calls are still under way."""


class Server:
    """A wired gRPC server with its health and its workers; see :func:`create_server`.

    `closed` says whether callers need a token.
    """

    def __init__(
        self,
        transport: grpc.aio.Server,
        checkup: health.aio.HealthServicer,
        boundary: CallBoundary,
        workers: Workers,
        trail: AuditTrail,
        adaptation: Adaptation,
        *,
        closed: bool,
    ) -> None:
        self.closed = closed
        self._adaptation = adaptation
        self._transport = transport
        self._health = checkup
        self._boundary = boundary
        self._workers = workers
        self._trail = trail

    async def start(self) -> None:
        """Begin to answer; from here on health says SERVING for every service. Raises StoreError."""
        await self._trail.start()
        for name in ("", *SERVICE_NAMES):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._transport.start()

    async def answer_until(self, stopping: asyncio.Event) -> None:
        """Wait for `stopping`. Raises ServiceFailed if the transport ends before it, of itself."""
        await answering(self._transport, stopping)

    async def stop(self, grace: float, *, delay: float = 0.0) -> None:
        """Drain: health down for good, `delay` seconds as before, then no new calls and up to `grace` seconds."""
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(delay)
        draining = asyncio.ensure_future(self._transport.stop(grace))
        # Watchers of health never hang up by themselves: once the last real call is answered, they are hung up on. Two
        # looks, because a call taken just before the stop may not have reached us at the first.
        idle = 0
        while not draining.done() and idle < 2:
            await asyncio.wait([draining], timeout=_LOOK_SECONDS)
            idle = 0 if self._boundary.under_way else idle + 1
        await self._transport.stop(None)
        await draining
        await asyncio.to_thread(self._workers.close)
        await asyncio.to_thread(self._adaptation.close)
        await self._trail.close()


def create_server(
    models: Mapping[Modality, Model], store: TemplateStore, settings: ServiceSettings
) -> tuple[Server, int]:
    """A server bound to ``settings.address`` and not yet started, and its port. Call it inside the event loop.

    Raises
    ------
    AddressInUse : the address is taken, not this machine's, or not permitted.
    ConfigError : the address can be reached from elsewhere and is not protected, or the certificate cannot be used.
    StoreError : the tokens cannot be read.
    """
    boundary = CallBoundary()
    verifier = Verifier(models, store)
    access = server_access(settings, store, models, verifier)
    transport = create_transport(
        [boundary, access.interceptor],
        [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            # Without this Linux lets two servers share one port, and each gets half of the calls.
            ("grpc.so_reuseport", 0),
            *channel_options(),
        ],
    )
    workers = Workers(settings.workers, settings.max_waiting)
    trail = AuditTrail(store, settings.audit, head_seconds=settings.audit_head_seconds)
    adaptation = Adaptation(verifier.models, store)
    enrollment_pb2_grpc.add_EnrollmentServiceServicer_to_server(
        EnrollmentService(Enroller(models, store), Curator(verifier.models, store), store, workers), transport
    )
    verification_pb2_grpc.add_VerificationServiceServicer_to_server(
        VerificationService(access.claims, workers, trail, adaptation), transport
    )
    model_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(models, verifier.policies), transport)
    checkup = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checkup, transport)
    reflection.enable_server_reflection((*SERVICE_NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME), transport)
    server = Server(transport, checkup, boundary, workers, trail, adaptation, closed=access.closed)
    return server, _bind(transport, settings)


def _bind(transport: grpc.aio.Server, settings: ServiceSettings) -> int:
    port = 0
    credentials = None if settings.tls is None else server_credentials(settings.tls)
    with suppress(RuntimeError):  # what grpc raises for every reason not to bind
        port = (
            transport.add_insecure_port(settings.address)
            if credentials is None
            else transport.add_secure_port(settings.address, credentials)
        )
    if not port:
        raise AddressInUse(
            f"cannot listen on {settings.address}: it is taken, not this machine's, or not permitted",
            field="port",
            fix=f"stop what listens there, or {how_to_set('port')}",
        )
    return port


def open_store(place: StorePlace, *, audited: bool = True) -> TemplateStore:
    """The store that the settings name; its mutations enter the audit log if `audited`.

    Raises
    ------
    StoreUnavailable, StoreKeyMissing, ConfigError, AuditBroken : see :func:`enroll.stores.opening.open_sql_store`; what
        cannot be used is named with its setting.
    """
    if place.database == MEMORY:
        return MemoryStore()
    try:
        store = open_sql_store(place, audited=audited)
    except StoreUnavailable as error:
        named = database_name(place.database)
        raise StoreUnavailable(
            f"{error.message}: {named}", field="database", fix=f"{error.fix}; {how_to_set('database')}"
        ) from error
    log = get_logger()
    if place.default_key_file is not None:
        log.warning(
            "key_beside_database",
            file=place.default_key_file.name,
            advice="whoever copies this folder can read every template: keep the key elsewhere, and name it with "
            "COUNTERSIGN_KEY_FILE",
        )
    if place.key_store == place.database:
        log.warning("keys_in_database", advice="backups of the database hold the keys: erasure does not reach them")
    return store


async def serve(settings: ServiceSettings) -> None:
    """Load, listen and answer until SIGTERM or SIGINT, then drain; a second signal ends the grace at once.

    Raises
    ------
    BundleError, PolicyMismatch, ConfigError, AddressInUse, StoreError : the service cannot start.
    ServiceFailed : it has stopped answering; whoever started it must start it again, rather than believe that it lives.
    """
    log = get_logger()
    stopping, hurry = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (hurry if stopping.is_set() else stopping).set()

    # First of all: as process 1 of a container an unhandled SIGTERM would be ignored, not fatal.
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

    store = await asyncio.to_thread(open_store, settings.store, audited=settings.audit != "off")
    try:
        models = await asyncio.to_thread(
            load_models, settings.models, settings.policies, retiring=settings.retiring, threads=settings.threads
        )
        server, port = create_server(models, store, settings)
        await asyncio.to_thread(tell_whether_fused, models)
        await asyncio.to_thread(tell_whether_adaptable, models, store)
        await server.start()
        if not settings.loopback and settings.tls is None:
            log.warning("plaintext", host=settings.host, advice="tokens and samples are not encrypted by this service")
        log.info(
            "serving",
            host=settings.host,
            port=port,
            models=[model.name for model in models.values()],
            retiring=[f"{model.name} {model.model_digest[:12]}" for model in models.retiring],
            tls=settings.tls is not None,
            access="tokens" if server.closed else "open",
        )
        await server.answer_until(stopping)
        log.info("draining", grace_seconds=settings.grace_seconds)
        drain = asyncio.ensure_future(server.stop(settings.grace_seconds, delay=settings.drain_delay_seconds))
        impatience = asyncio.ensure_future(hurry.wait())
        await asyncio.wait([drain, impatience], return_when=asyncio.FIRST_COMPLETED)
        impatience.cancel()
        if not drain.done():
            drain.cancel()
            await server.stop(0.0)
        log.info("stopped")
    finally:
        store.close()
