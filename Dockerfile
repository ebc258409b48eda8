# The serving image: no torch, no compiler, no package installer, no root.
# Build it with `make image`; docs/operations.md says how to run it.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS builder
WORKDIR /build
# The environment itself gets no pip: the base image's pip fills it from outside.
RUN python3 -m venv --without-pip /opt/countersign
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY countersign countersign
COPY train train
COPY eval eval
COPY verify verify
COPY enroll enroll
COPY encode encode
RUN python3 -m pip --python /opt/countersign/bin/python install \
        --no-cache-dir --disable-pip-version-check --constraint constraints.txt '.[cpu]'
# What no running service reads: tests, type stubs, C headers, sources and whole parts of the packages. Bytecode stays: a read-only
# root could never keep it, and every health check would compile anew.
RUN cd /opt/countersign/lib/python3.*/site-packages \
    && find . -type d \( -name tests -o -name include \) -prune -exec rm -rf {} + \
    # Of scipy a service needs linear algebra and special functions; of ONNX Runtime, what runs a network.
    && find scipy -mindepth 1 -maxdepth 1 -type d ! -name _lib ! -name linalg ! -name special -exec rm -rf {} + \
    && rm -rf onnxruntime/transformers onnxruntime/quantization onnxruntime/tools onnxruntime/datasets \
    && find . -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.h' -o -name '*.c' -o -name '*.a' \) -delete

FROM ${BASE}
LABEL org.opencontainers.image.title="Countersign" \
      org.opencontainers.image.description="Verification of people by face and handwritten signature" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=builder /opt/countersign /opt/countersign
COPY models /models
# /keys is for a volume of its own: a copy of /data then opens nothing (docs/store.md, "Keys").
RUN install -d -o 10001 -g 10001 -m 0700 /data /keys
USER 10001:10001
WORKDIR /data
# Inside a container loopback reaches nobody, so here, and only here, the service listens on every address, which it does
# with TLS and tokens alone: `countersign init /data` makes a key pair and a first token.
ENV PATH=/opt/countersign/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    COUNTERSIGN_HOST=0.0.0.0 \
    COUNTERSIGN_PORT=50051 \
    COUNTERSIGN_TLS_CERT=/data/tls/cert.pem \
    COUNTERSIGN_TLS_KEY=/data/tls/key.pem \
    COUNTERSIGN_MODELS=/models/face \
    COUNTERSIGN_DATABASE=/data/countersign.sqlite
VOLUME /data
EXPOSE 50051
# The service is process 1 and answers SIGTERM itself, with a drain; no init is needed.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["countersign", "health"]
ENTRYPOINT ["countersign"]
CMD ["serve"]
