import { join } from 'node:path';
import { ApiProcess } from './api-process.js';
import { seedCatalog, type CatalogSize } from './catalog-seed.js';
import { contractDocument } from './contract-document.js';
import { IDLE, readProfile } from './cpu-profile.js';
import { startOwnPostgres, type OwnPostgres } from './own-postgres.js';
import { quantile } from './statistics.js';

/** How many pages are read, of a catalog of which size. */
export interface PagePlan extends CatalogSize {
  /** Types on a page. */
  first: number;
  warmUp: number;
  pages: number;
}

/** What reading a page of the catalog took. */
export interface PageResult {
  plan: PagePlan;
  medianMs: number;
  p99Ms: number;
  kilobytes: number;
  /** Of the API process's time under the profiler, from 0 to 1: reading rows and waiting for them, resolving fields, writing JSON and sending it, the rest. */
  shares: { sql: number; resolvers: number; serialisation: number; rest: number };
  /** What a page lacked; empty when all was there. */
  faults: string[];
}

const SEED = 'default';

/** The contract's `Catalog` document, asked for by one viewer over a kept connection, at various places of a large catalog (issue 6, point 7). */
export async function measurePage(plan: PagePlan, progress: (text: string) => void): Promise<PageResult> {
  const postgres = await startOwnPostgres('bench-page');
  const { directory } = postgres;
  try {
    progress(`filling a catalog with ${plan.types} types`);
    const settings = { DATABASE_URL: postgres.url };
    await (await ApiProcess.start(directory, [], settings)).stop();
    await seedCatalog(postgres.url, plan);
    progress('reading pages of the catalog');
    const { latencies, kilobytes, faults } = await withApi(directory, [], postgres, (api) => readPages(api, plan));
    const profile = ['--cpu-prof', '--cpu-prof-interval=400', `--cpu-prof-dir=${directory}`, '--cpu-prof-name=page.cpuprofile'];
    const { window } = await withApi(directory, profile, postgres, (api) => readPages(api, plan));
    return { plan, medianMs: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99), kilobytes, faults, shares: sharesOf(readProfile(join(directory, 'page.cpuprofile'), window).parts) };
  } finally {
    await postgres.stop();
  }
}

async function withApi<T>(directory: string, nodeOptions: string[], postgres: OwnPostgres, act: (api: ApiProcess) => Promise<T>): Promise<T> {
  const api = await ApiProcess.start(directory, nodeOptions, { DATABASE_URL: postgres.url });
  try {
    return await act(api);
  } finally {
    await api.stop();
  }
}

async function readPages(api: ApiProcess, { first, warmUp, pages, types, toolsOfType, enrollmentsOfType }: PagePlan) {
  const token = await api.adminToken();
  const query = contractDocument('Catalog');
  const latencies: number[] = [];
  const faults: string[] = [];
  // Of whole pages alone, and not from the first to the last of a large catalog.
  const places = Math.min(10, Math.floor(types / first));
  let [after, kilobytes, from, place]: [string | null, number, bigint, number] = [null, 0, 0n, 0];
  for (let page = -warmUp; page < pages; page += 1) {
    if (page === 0) from = process.hrtime.bigint();
    const began = performance.now();
    const response = await fetch(`${api.url}/graphql`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body: JSON.stringify({ query, operationName: 'Catalog', variables: { team: SEED, first, after } }),
    });
    const text = await response.text();
    if (page >= 0) latencies.push(performance.now() - began);
    const { data, errors } = JSON.parse(text) as { data?: CatalogData; errors?: { message: string }[] };
    const found = data?.team.connectionTypes;
    if (found === undefined) throw new Error(`Catalog: ${errors?.[0]?.message ?? response.status}`);
    const whole = found.totalCount === types && found.nodes.length === first
      && found.nodes.every((type) => type.tools.nodes.length === toolsOfType && type.viewerEnrollments.length === enrollmentsOfType && type.state === 'READY');
    if (!whole && faults.length < 3) faults.push(`page ${page} after ${after}: ${found.totalCount} types in all, ${found.nodes.length} on the page, ${found.nodes[0]?.tools.nodes.length} tools of the first`);
    kilobytes = text.length / 1000;
    place = (place + 1) % places;
    after = place === 0 ? null : found.pageInfo.endCursor;
  }
  const window = { from: Number(from / 1000n), to: Number(process.hrtime.bigint() / 1000n) };
  return { latencies: latencies.toSorted((one, other) => one - other), kilobytes, faults, window };
}

interface CatalogData {
  team: { connectionTypes: { totalCount: number; pageInfo: { hasNextPage: boolean; endCursor: string }; nodes: { state: string; tools: { nodes: object[] }; viewerEnrollments: object[] }[] } };
}

const SQL = /^(pg|pg-.*|postgres-.*|typeorm|Fairlead: core\/store)$/;
const SERIALISATION = /^(@apollo\/server|fastify|@as-integrations\/fastify|Node: (stream_base_commons|_http_outgoing|streams|buffer|net|_http_server|stream))$/;
const RESOLVERS = /^(graphql|type-graphql|dataloader|graphql-scalars|Fairlead: (api|core)\/.*)$/;

/** What the process waits for, as long as somebody always asks, is PostgreSQL (and, for a small part, whoever asks). */
function sharesOf(parts: [string, number][]): PageResult['shares'] {
  const shares = { sql: 0, resolvers: 0, serialisation: 0, rest: 0 };
  for (const [name, share] of parts) {
    const group = name === IDLE || SQL.test(name) ? 'sql' : SERIALISATION.test(name) ? 'serialisation' : RESOLVERS.test(name) ? 'resolvers' : 'rest';
    shares[group] += share;
  }
  return shares;
}
