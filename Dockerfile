# One image for all programs: the command says which. Runs as an unprivileged user, writes below /data alone.
#   docker run -v kitemirror:/data -p 8080:8080 --env-file .env kitemirror          all of them on one machine
#   docker run … kitemirror bin/kitemirror worker                                   one of them; see compose.yaml

FROM node:24-trixie-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The copy tells the launcher what is installed, whatever the dates of files say.
RUN npm ci --omit=dev --no-audit --no-fund && cp package-lock.json node_modules/.installed-from

FROM debian:trixie-slim
# Lighttpd alone comes from the next release: from 1.4.83 on it has the hardening that lets us offer HTTP/2. Without
# these two files the image has the one of this release, and HTTP/2 stays off by itself.
RUN sed -n '1,/^$/p' /etc/apt/sources.list.d/debian.sources | sed 's/^Suites:.*/Suites: forky/' \
      >/etc/apt/sources.list.d/forky.sources \
 && printf 'Package: *\nPin: release n=forky\nPin-Priority: 100\n\nPackage: lighttpd*\nPin: release n=forky\nPin-Priority: 990\n' \
      >/etc/apt/preferences.d/forky \
 && apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates lighttpd lighttpd-modules-lua lighttpd-mod-openssl redis-server systemd-standalone-tmpfiles \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin kitemirror \
 && install -d -o kitemirror -g kitemirror -m 0750 /data

WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json package-lock.json lighttpd.conf ./
COPY bin bin
COPY lighttpd lighttpd
COPY src src
COPY workers workers

ENV NODE_ENV=production \
    KITEMIRROR_DATA=/data \
    KITEMIRROR_LISTEN=0.0.0.0:8080
USER kitemirror
VOLUME /data
EXPOSE 8080
# The programs end in order on SIGTERM; a worker finishes or hands back its tasks within 20 s.
STOPSIGNAL SIGTERM
CMD ["bin/kitemirror", "start"]
