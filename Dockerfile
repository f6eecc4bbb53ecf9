# The bastion as a container, from the same lock file as every other installation.
#
# Configuration: mount a directory with bastion.toml and the policies at /etc/bastion, with
#   listen = ["0.0.0.0:2222"], data = "/var/lib/bastion", keys = "/etc/bastion/keys".
# Keys and data are volumes of their own, so that a backup of the evidence never holds the CAs.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/bastion
WORKDIR /src
COPY requirements.lock ./
RUN /opt/bastion/bin/python -m pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY bastion/ bastion/
COPY policies/ policies/
COPY recorder/ recorder/
RUN /opt/bastion/bin/python -m pip install --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN groupadd --gid 2222 bastion \
    && useradd --uid 2222 --gid 2222 --no-create-home --home-dir /var/lib/bastion --shell /usr/sbin/nologin bastion \
    && install -d -m 0755 /etc/bastion \
    && install -d -o bastion -g bastion -m 0700 /etc/bastion/keys /var/lib/bastion
COPY --from=build /opt/bastion /opt/bastion
ENV PATH=/opt/bastion/bin:$PATH PYTHONDONTWRITEBYTECODE=1 BASTION_CONFIG=/etc/bastion/bastion.toml
VOLUME /var/lib/bastion
VOLUME /etc/bastion/keys
WORKDIR /var/lib/bastion
USER 2222:2222
EXPOSE 2222
STOPSIGNAL SIGTERM
ENTRYPOINT ["bastion"]
CMD ["serve"]
