ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements-build.lock requirements.lock ./
RUN pip install -q --no-compile --require-hashes -r requirements-build.lock \
    && python -m venv --without-pip /opt/source-harvest
# What the CDK brings for files, vectors and Google's secrets is never loaded here, and is most of what is installed.
RUN pip --python /opt/source-harvest install -q --no-compile --no-deps --require-hashes -r requirements.lock \
    && pip --python /opt/source-harvest uninstall -q -y pandas numpy nltk rapidfuzz setuptools \
        google-cloud-secret-manager google-api-core google-auth googleapis-common-protos grpc-google-iam-v1 grpcio \
        grpcio-status proto-plus protobuf
COPY LICENSE README.md pyproject.toml ./
COPY source_harvest source_harvest
RUN pip wheel -q --no-build-isolation --no-deps . \
    && pip --python /opt/source-harvest install -q --no-compile --no-deps ./*.whl \
    && python -m compileall -q -j 0 /opt/source-harvest/lib

FROM ${BASE_IMAGE}
# The base image holds no bytecode of the standard library, and who cannot write it there would compile at each start.
RUN python -m compileall -q -j 0 -x "site-packages|ensurepip|idlelib|pydoc_data|tkinter|turtledemo" \
        "$(python -c 'import os; print(os.path.dirname(os.__file__))')" \
    && pip uninstall -q -y --root-user-action=ignore pip \
    && useradd --uid 1000 --create-home airbyte
COPY --from=build /opt/source-harvest /opt/source-harvest
# Writable also where the root file system is not.
ENV TMPDIR=/dev/shm
ENV AIRBYTE_ENTRYPOINT=/opt/source-harvest/bin/source-harvest
USER 1000
WORKDIR /home/airbyte
ENTRYPOINT ["/opt/source-harvest/bin/source-harvest"]
ARG IMAGE=source-harvest
LABEL io.airbyte.name=${IMAGE}
LABEL io.airbyte.version=0.1.0
