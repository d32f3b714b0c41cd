# One executable with the runtime inside, on a base that has nothing but the C library.
FROM oven/bun:1.4.5-slim AS build
WORKDIR /build
COPY package.json bun.lock bunfig.toml tsconfig.json ./
RUN bun install --frozen-lockfile --production
COPY scripts scripts
COPY packages packages
COPY src src
COPY plugins plugins
RUN bun scripts/build.ts dist/torii
RUN mkdir -m 0700 state

FROM debian:bookworm-slim
COPY --from=build /build/dist/torii /usr/local/bin/torii
COPY torii.yaml /etc/torii/torii.yaml
COPY routes /etc/torii/routes
COPY my-plugins /etc/torii/my-plugins
WORKDIR /etc/torii
ENV NODE_ENV=production
# Last good copies of registries, which a gateway starts from while Redis is away: mount a volume that stays.
COPY --from=build --chown=65532:65532 /build/state /var/lib/torii
ENV STATE_DIRECTORY=/var/lib/torii
VOLUME /var/lib/torii
# A number, so that a cluster can see that it is not root.
USER 65532:65532
EXPOSE 8080 9902
# The gateway is process 1 and drains on this signal; the workers that it may start it reaps itself.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/local/bin/torii", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/torii"]
CMD ["run", "--config", "/etc/torii/torii.yaml"]
