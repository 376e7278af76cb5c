# lakectl in an image: docker build --build-arg COMMIT="$(git rev-parse HEAD)" -t lakectl .
#
#     docker run --rm -v /srv/lake:/var/lib/lakectl -v ./lakectl.toml:/etc/lakectl/lakectl.toml:ro lakectl lake
#
# The lake's folder must be writable for user 10001. Secrets come as files or by `--env-file`, never as arguments.

FROM rust:1-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl-dev pkg-config zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG COMMIT=
RUN LAKECTL_COMMIT="$COMMIT" cargo build --release --locked --bin lakectl

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/lakectl --shell /usr/sbin/nologin lakectl \
    && install -d -o lakectl -g lakectl -m 0750 /var/lib/lakectl
COPY --from=build /src/target/release/lakectl /usr/bin/lakectl
USER 10001:10001
WORKDIR /var/lib/lakectl
ENV LAKECTL_LAKE_ROOT=/var/lib/lakectl/data_lake
VOLUME /var/lib/lakectl
ENTRYPOINT ["/usr/bin/lakectl"]
CMD ["--help"]
