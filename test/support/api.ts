import { startApi } from '#api/start-api.js';
import type { Role } from '#core/connection/role.js';
import { loadConfig } from '#core/config/config.js';
import { createLogger } from '#core/log.js';
import { migrate } from '#core/store/migrate.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { LiveKeyRing } from '#core/vault/live-key-ring.js';
import { contractDocument } from './contract.js';
import { createDatabase, type TestDatabase, type Template } from './database.js';

/** A database at this program's schema; copied, so that a test has its own in milliseconds. */
export const MIGRATED: Template = { name: 'migrated', fill: async (url) => { await migrate(url); } };

/** How a test's API differs from that of `fairlead dev`. */
export interface TestApiOptions {
  /** Whether servers on this machine may be connected to, as in local mode; true unless said otherwise. */
  egressAllowLoopback?: boolean;
  /** Settings, as in the environment. */
  env?: Record<string, string>;
  /** People sign in at this issuer; further settings (`FAIRLEAD_OIDC_…`) go into `env`. */
  oidc?: { issuer: string; audience: string };
  /** A migrated database that outlives this API: `stop` leaves it. A fresh one otherwise, which `stop` drops. */
  database?: TestDatabase;
  /** The key ring's text, for a database that has sealed values already. */
  keys?: string;
  /** Called with each SQL statement. */
  onStatement?: (sql: string) => void;
}

/** What the API answered. */
export interface GraphqlAnswer {
  status: number;
  /** `data` as it came; null where there is none. */
  // eslint-disable-next-line typescript/no-explicit-any -- tests reach into answers of any shape
  data: any;
  errors: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> }[];
  requestId: string | null;
  /** The body as it was on the wire, for what a parsed number can't show. */
  text: string;
}

/** Somebody in a team, with a token of their own. */
export interface TestMember {
  /** Global id. */
  id: string;
  subject: string;
  token: string;
  gql(documentOrName: string, variables?: object): Promise<GraphqlAnswer>;
  must(documentOrName: string, variables?: object): ReturnType<TestApi['must']>;
}

/** A real API in this process, on a database of its own and a free port of 127.0.0.1. */
export interface TestApi {
  url: string;
  /** The token of the local administrator, who administers the installation and the team `default`. */
  adminToken: string;
  databaseUrl: string;
  /** The key ring's text. */
  keys: string;
  /** Sends a document, or the contract's operation of that name, verbatim. With the administrator's token unless another is given; null sends none. */
  gql(documentOrName: string, variables?: object, token?: string | null): Promise<GraphqlAnswer>;
  /** As `gql`, for what must work: returns the value of the only root field. Throws when there are errors, or `userErrors`. */
  // eslint-disable-next-line typescript/no-explicit-any -- tests reach into answers of any shape
  must(documentOrName: string, variables?: object, token?: string | null): Promise<any>;
  /** A new team of which the administrator is a member. */
  team(slug: string): Promise<{ id: string; slug: string }>;
  /** A new local member with a token, made through the API by the administrator. The team is `default` unless it is named. */
  member(role: Role, options?: { team?: string; subject?: string }): Promise<TestMember>;
  /** Every line that was logged, at all levels. */
  logs(): string[];
  /** Stops the API and drops its database; throws if it left connections open. */
  stop(): Promise<void>;
}

/** Starts the API by its own composition root, as `fairlead dev` does, on a copy of a migrated database. */
export async function startTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const database = options.database ?? (await createDatabase(MIGRATED));
  const keys = options.keys ?? KeyRing.generateEntry();
  const lines: string[] = [];
  const logger = createLogger('trace', { write: (line: string) => void lines.push(line) });
  let adminToken: string | null = null;
  const config = {
    ...loadConfig({ DATABASE_URL: database.url, FAIRLEAD_KEYS: keys, PORT: '0', FAIRLEAD_SHUTDOWN_TIMEOUT_MS: '2000', ...oidcSettings(options), ...options.env }, 'dev'),
    ...(options.egressAllowLoopback === false && { localMode: false }),
  };
  const api = await startApi(config, {
    databaseUrl: database.url, keyRing: new LiveKeyRing(KeyRing.parse(keys)), logger, version: '0.0.0-test', onStatement: options.onStatement,
    adminToken: { read: async () => adminToken, write: async (token) => { adminToken = token; } },
  });

  const gql = (documentOrName: string, variables: object = {}, token: string | null = adminToken) => post(api.url, documentOrName, variables, token);
  const must = async (documentOrName: string, variables: object = {}, token: string | null = adminToken) => {
    const answer = await gql(documentOrName, variables, token);
    // The client isn't told what was wrong inside: the log is.
    if (answer.errors.length > 0) throw new Error(`${documentOrName}: ${JSON.stringify(answer.errors)}\n${lines.filter((line) => answer.requestId !== null && line.includes(answer.requestId)).join('')}`);
    return onlyField(documentOrName, answer);
  };
  let members = 0;
  return {
    url: api.url, adminToken: adminToken!, databaseUrl: database.url, keys, gql, must,
    team: async (slug) => (await must('CreateTeam', { input: { slug, displayName: slug } })).team,
    async member(role, { team = 'default', subject = `member-${++members}` } = {}) {
      const { member } = await must('SetMember', { input: { team, subject, role } });
      const { secret } = await must('CreateToken', { input: { team, name: subject, memberId: member.id } });
      return {
        id: member.id, subject, token: secret,
        gql: (documentOrName, variables) => gql(documentOrName, variables, secret),
        must: (documentOrName, variables) => must(documentOrName, variables, secret),
      };
    },
    logs: () => lines,
    async stop() {
      await api.stop();
      if (options.database === undefined) await database.drop();
    },
  };
}

function oidcSettings({ oidc }: TestApiOptions): Record<string, string> {
  return oidc === undefined ? {} : { FAIRLEAD_OIDC_ISSUER: oidc.issuer, FAIRLEAD_OIDC_AUDIENCE: oidc.audience };
}

async function post(url: string, documentOrName: string, variables: object, token: string | null): Promise<GraphqlAnswer> {
  const query = /^\w+$/.test(documentOrName) ? contractDocument(documentOrName) : documentOrName;
  const response = await fetch(`${url}/graphql`, {
    method: 'POST', body: JSON.stringify({ query, variables }), headers: { 'content-type': 'application/json', ...(token !== null && { authorization: `Bearer ${token}` }) },
  });
  const text = await response.text();
  const answer = JSON.parse(text) as { data?: unknown; errors?: GraphqlAnswer['errors'] };
  return { status: response.status, data: answer.data ?? null, errors: answer.errors ?? [], requestId: response.headers.get('x-request-id'), text };
}

// eslint-disable-next-line typescript/no-explicit-any -- tests reach into answers of any shape
function onlyField(documentOrName: string, { data }: GraphqlAnswer): any {
  const name = /^\w+$/.test(documentOrName) ? documentOrName : 'document';
  const [value, ...others] = Object.values(data as Record<string, { userErrors?: unknown[] } | null>);
  if (others.length > 0) throw new Error(`${name} has several root fields: use gql.`);
  if ((value?.userErrors?.length ?? 0) > 0) throw new Error(`${name} was refused: ${JSON.stringify(value!.userErrors)}`);
  return value;
}
