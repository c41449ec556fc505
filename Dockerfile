# syntax=docker/dockerfile:1

# The program alone, linked statically: nothing else in the image can have a hole or be called by an intruder.

# On Alpine the compiler's own target is musl, and links statically, on amd64 and arm64 alike.
FROM rust:1.95.0-alpine AS build
# cmake and make: aws-lc, the cryptography under TLS, is C.
RUN apk add --no-cache ca-certificates cmake make musl-dev perl
WORKDIR /source
# The toolchain of the image, without the components for development that rust-toolchain.toml names.
ENV RUSTUP_TOOLCHAIN=1.95.0
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target,sharing=locked \
    cargo build --release --locked --package breakglass --bin breakglass \
    && cp target/release/breakglass /breakglass

FROM scratch
LABEL org.opencontainers.image.title="breakglass" \
      org.opencontainers.image.description="Time-boxed AWS access from Git: always taken away again" \
      org.opencontainers.image.licenses="Apache-2.0"
# The authorities that vouch for AWS. Those of the API server come with the service account.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /breakglass /breakglass
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/breakglass"]
