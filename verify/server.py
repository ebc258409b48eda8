"""The gRPC server: assembled by `create_server`, run by `serve`, stopped without dropping an answer.

    SIGTERM  →  health says NOT_SERVING  →  drain delay  →  no new calls  →  calls under way finish, or the grace ends

`create_server` binds and wires but starts nothing, so that a test can take port 0 and drive the server in its own loop.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from encode.errors import StoreUnavailable
from encode.sample import Modality
from enroll.enroller import Enroller
from enroll.stores.memory import MemoryStore
from enroll.stores.opening import StorePlace, database_name, open_sql_store
from enroll.stores.store import TemplateStore
from verify.access.searches import Searches
from verify.adaptation import Adaptation
from verify.audit_trail import AuditTrail
from verify.bind_errors import cannot_listen
from verify.curator import Curator
from verify.gallery.gallery import Gallery
from verify.gallery.opening import open_gallery
from verify.identifier import Identifier
from verify.logging import get_logger
from verify.messages import MAX_MESSAGE_BYTES
from verify.metrics import Metrics
from verify.model import Model
from verify.server_access import server_access
from verify.server_batching import batching
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
        gallery: Gallery | None = None,
        *,
        closed: bool,
    ) -> None:
        self.closed = closed
        self._gallery = gallery
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
        if self._gallery is not None:
            self._gallery.start()

    async def answer_until(self, stopping: asyncio.Event) -> None:
        """Wait for `stopping`. Raises ServiceFailed if the transport ends before it, of itself."""
        await answering(self._transport, stopping)

    async def stop(self, grace: float, *, delay: float = 0.0) -> None:
        """Drain: health down for good, `delay` seconds as before, then no new calls and up to `grace` seconds."""
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(delay)
        self._boundary.drain()
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
        if self._gallery is not None:
            await asyncio.to_thread(self._gallery.close)
        await self._trail.close()


def create_server(
    models: Mapping[Modality, Model],
    store: TemplateStore,
    settings: ServiceSettings,
    metrics: Metrics | None = None,
    around: Sequence[grpc.aio.ServerInterceptor] = (),
    *,
    shared: bool = False,
) -> tuple[Server, int]:
    """A server bound to ``settings.address`` and not yet started, and its port. Call it inside the event loop.

    Parameters
    ----------
    metrics : what counts; by default nothing does.
    around : interceptors outside of our own.
    shared : whether others of this user answer at the same port.

    Raises
    ------
    AddressInUse : the address is taken, not this machine's, or not permitted.
    ConfigError : the address can be reached from elsewhere and is not protected, or the certificate cannot be used.
    StoreError : the tokens cannot be read.
    """
    metrics = metrics or Metrics()
    models = batching(models, settings, metrics)
    boundary = CallBoundary(metrics)
    verifier = Verifier(models, store, cache_bytes=settings.cache_mib * 1024 * 1024)
    workers = Workers(settings.concurrency, settings.max_waiting, metrics, patience=settings.max_wait_seconds)
    access = server_access(settings, store, models, verifier, workers.require_room)
    transport = create_transport(
        [*around, boundary, access.interceptor],
        [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            # By default Linux lets two servers share one port, and each gets half of the calls.
            ("grpc.so_reuseport", int(shared)),
            *channel_options(),
        ],
    )
    trail = AuditTrail(store, settings.audit, head_seconds=settings.audit_head_seconds)
    adaptation = Adaptation(verifier.models, store)
    gallery = None
    if settings.gallery is not None:
        gallery = open_gallery(
            verifier.models,
            store,
            settings.gallery,
            told=lambda state: metrics.gallery(state.people, ready=state.ready),
        )
    searches = Searches(
        None if gallery is None else Identifier(verifier, store, gallery), rejections=settings.lockout_rejections
    )
    enrollment_pb2_grpc.add_EnrollmentServiceServicer_to_server(
        EnrollmentService(Enroller(models, store), Curator(verifier.models, store), store, workers), transport
    )
    verification_pb2_grpc.add_VerificationServiceServicer_to_server(
        VerificationService(access.claims, workers, trail, adaptation, metrics, searches), transport
    )
    model_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(models, verifier.policies), transport)
    checkup = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checkup, transport)
    reflection.enable_server_reflection((*SERVICE_NAMES, health.SERVICE_NAME, reflection.SERVICE_NAME), transport)
    server = Server(transport, checkup, boundary, workers, trail, adaptation, gallery, closed=access.closed)
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
        raise cannot_listen(f"on {settings.address}", "port")
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
