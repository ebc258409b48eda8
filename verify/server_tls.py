"""gRPC credentials that follow the certificate files: every new connection gets the newest pair."""

import grpc

from verify.tls.files import KeyPair, TlsFiles, WatchedKeyPair


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """TLS, and mutual TLS where the files name who signs callers' certificates. Raises ConfigError."""
    watched = WatchedKeyPair(files)

    def newest() -> grpc.ServerCertificateConfiguration | None:
        # Called on a thread of gRPC's own, before each handshake; None keeps what there is.
        changed = watched.changed()
        return None if changed is None else _configuration(changed)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(watched.current),
        newest,  # type: ignore[arg-type]  # the stub forgets that None is an answer
        require_client_authentication=files.client_ca is not None,
    )


def _configuration(pair: KeyPair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.certificate)], root_certificates=pair.client_ca)
