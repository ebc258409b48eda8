#!/bin/sh
# Builds the serving image with the first of docker, podman and buildah that works here.
#
#   deploy/build-image.sh [NAME:TAG]
#
# BASE         the base image, any that has python3 >= 3.11 with venv and pip (default: the Dockerfile's)
# BUILD_FLAGS  further flags for the builder, split at spaces, e.g. "--network host --pull=never"
set -eu
cd "$(dirname "$0")/.."
image=${1:-countersign:latest}

if docker info >/dev/null 2>&1; then
    builder="docker build"
elif podman info >/dev/null 2>&1; then
    # Only the docker image format carries a HEALTHCHECK.
    builder="podman build --format docker"
elif buildah info >/dev/null 2>&1; then
    builder="buildah build --format docker"
else
    echo "no working docker, podman or buildah here; Debian: apt-get install buildah" >&2
    exit 1
fi

echo "building $image with ${builder%% *}"
# shellcheck disable=SC2086  # the builder and the flags are meant to be split
exec $builder ${BASE:+--build-arg "BASE=$BASE"} ${BUILD_FLAGS:-} --tag "$image" .
