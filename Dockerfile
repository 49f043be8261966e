# docker build -t label-studio-mfp .                                 for CPUs
# docker build -t label-studio-mfp --build-arg VARIANT=nvidia .      for NVIDIA GPUs
#
# What changes least comes first, so that a new version of the backend is a new layer of some
# megabytes on top of torch.
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

# The newest torch of the index, as pyproject.toml asks for.
# hadolint ignore=DL3013
RUN python3 -m venv /opt/mfp && \
    index="${TORCH_INDEX}" && \
    case "${VARIANT}" in \
      cpu) index="${index:-https://download.pytorch.org/whl/cpu}" ;; \
      nvidia) ;; \
      *) echo "VARIANT=${VARIANT}: expected cpu or nvidia" >&2; exit 1 ;; \
    esac && \
    pip install ${index:+--index-url "${index}"} "torch>=2.10" "torchvision>=0.25"

WORKDIR /opt/build
COPY pyproject.toml ./
RUN python3 -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
      > requirements.txt && \
    pip install -r requirements.txt

COPY README.md LICENSE ./
COPY label_config label_config
COPY mfp_model mfp_model
COPY backend backend
RUN pip install --no-deps . && \
    rm -rf /opt/build/* && \
    useradd --system --uid 10001 --user-group --home-dir /data --no-create-home mfp && \
    install -d -o mfp -g mfp /data

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
