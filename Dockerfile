# docker build -t label-studio-mfp .                                 for CPUs
# docker build -t label-studio-mfp --build-arg VARIANT=nvidia .      for NVIDIA GPUs
# docker build -t label-studio-mfp --build-arg EXTRA=ray .           for several machines
#
# What changes least comes first, so that a new version of the backend is a new layer of some
# megabytes on top of torch.
#
# A base that never changes is named by its digest: --build-arg BASE=…@sha256:…
ARG BASE=docker.io/library/python:3.12-slim-bookworm
FROM ${BASE}

# Where torch comes from: its own index has wheels for CPUs only, the default one those for CUDA,
# which bring the CUDA libraries along.
ARG VARIANT=cpu
ARG TORCH_INDEX=""

ENV PATH=/opt/mfp/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_PROGRESS_BAR=off \
    PYTHONUNBUFFERED=1

# Packages as `.ci/packages/` locks them: another file than the one that was locked is refused.
WORKDIR /opt/build
COPY .ci/packages/torch-*.txt packages/
RUN python3 -m venv /opt/mfp && \
    index="${TORCH_INDEX}" && \
    case "${VARIANT}" in \
      cpu) index="${index:-https://download.pytorch.org/whl/cpu}" ;; \
      nvidia) ;; \
      *) echo "VARIANT=${VARIANT}: expected cpu or nvidia" >&2; exit 1 ;; \
    esac && \
    pip install ${index:+--index-url "${index}"} --no-deps -r "packages/torch-${VARIANT}.txt"

COPY .ci/packages/packages.txt packages/
RUN pip install --no-deps --require-hashes -r packages/packages.txt

# What replicas on several machines need, see docs/cluster.md: --build-arg EXTRA=ray
ARG EXTRA=""
COPY .ci/packages/ray.txt packages/
RUN case "${EXTRA}" in \
      "") ;; \
      ray) pip install --no-deps --require-hashes -r packages/ray.txt ;; \
      *) echo "EXTRA=${EXTRA}: expected ray or nothing" >&2; exit 1 ;; \
    esac

COPY README.md LICENSE ./
COPY label_config label_config
COPY mfp_model mfp_model
COPY backend backend
COPY pyproject.toml .ci/packages/sbom.txt ./
# With a list of all packages, in CycloneDX' form, at /opt/mfp/sbom.cdx.json.
RUN pip install --no-deps --no-build-isolation . && \
    pip check && \
    python3 -m venv /opt/sbom && \
    /opt/sbom/bin/pip install --no-deps --require-hashes -r sbom.txt && \
    /opt/sbom/bin/cyclonedx-py environment /opt/mfp --output-format JSON \
      --pyproject pyproject.toml --output-file /opt/mfp/sbom.cdx.json && \
    rm -rf /opt/build/* /opt/sbom && \
    groupadd --gid 10001 mfp && \
    useradd --uid 10001 --gid mfp --home-dir /data --no-create-home --no-log-init \
      --shell /usr/sbin/nologin mfp && \
    install -d -o mfp -g mfp -m 0700 /data

# Downloaded weights, trained versions and recordings.
ENV MFP_DATA_DIR=/data \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
VOLUME ["/data"]
WORKDIR /data
USER 10001
EXPOSE 9090
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python3", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:9090/health', timeout=3)"]
CMD ["mfp", "serve", "--host", "0.0.0.0", "--port", "9090"]
