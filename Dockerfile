# Fairlead: `api`, `operator`, `migrate` and the other commands of one program. For a build that comes out the same again, pin the base by digest and the time by the commit:
#   docker buildx build --build-arg NODE_IMAGE=docker.io/library/node:24-bookworm-slim@sha256:… \
#     --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) --output type=image,name=…,push=true,rewrite-timestamp=true .
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# As the lock file has them. No package's install script runs.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.image.json esbuild.config.js ./
COPY core core
COPY api api
COPY operator operator
COPY cli cli
RUN npx tsc --project tsconfig.image.json && node esbuild.config.js
# Without compilers and test tools, and without what only `fairlead dev` needs: the embedded PostgreSQL, and a Node of our own.
RUN npm prune --ignore-scripts --omit=dev --omit=optional && rm -rf node_modules/.cache node_modules/.package-lock.json
ARG SOURCE_DATE_EPOCH=0
RUN find node_modules dist -exec touch --no-dereference --date=@${SOURCE_DATE_EPOCH} {} +

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /app
# Root's, and for reading only: nothing is ever written here, nor anywhere else.
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist/bundle dist/bundle
COPY package.json LICENSE ./
COPY bin bin
USER 65532:65532
EXPOSE 4000 9464
ENTRYPOINT ["node", "/app/bin/fairlead.js"]
