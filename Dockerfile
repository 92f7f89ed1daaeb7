# The light set-up: no PyTorch, exports and the controlled study only.
#   docker build -t idia-index .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" idia-index demo --out idia-demo
# --user makes the output yours; without it, /data must be writable for another user.
FROM python:3.11-slim
COPY . /src
RUN python -m pip install --no-cache-dir '/src[cpu,report]' && rm -rf /src
RUN useradd --create-home auditor
USER auditor
WORKDIR /data
ENTRYPOINT ["idia-index"]
