import { setTimeout as sleep } from 'node:timers/promises';
import { mintToken } from '#api/identity/fairlead-token.js';
import { Store } from '#core/store/store.js';
import { NAMESPACE, OWNER } from './manifests.js';

/** What GraphQL shows of the team. */
export interface GraphqlView {
  /** By kind, the names of the manifests that objects belong to; of each as often as it is there. */
  types: string[];
  enrollments: string[];
  /** How many of both aren't `READY`. */
  unready: number;
}

interface Row {
  state: string;
  manifest: { namespace: string; name: string } | null;
}

interface Connection {
  nodes: Row[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

const PAGE = 100;
const LOOK_AGAIN_MS = 100;

/** Reads the catalog as the machine user does that owns the enrollments. */
export class GraphqlReader {
  private constructor(private readonly url: string, private readonly token: string) {}

  /** The machine user was made by the operator: it has a token from now on. */
  static async open(url: string, databaseUrl: string): Promise<GraphqlReader> {
    const store = await Store.open({ url: databaseUrl, poolSize: 1 });
    try {
      const team = (await store.teams.bySlug(NAMESPACE))!;
      const owner = (await store.members.bySubject(team.id, OWNER, true))!;
      const minted = mintToken();
      await store.tokens.insert({ kind: 'PERSONAL', teamId: team.id, memberId: owner.id, creatorId: owner.id, voucherIds: [], name: 'bench', prefix: minted.prefix, hash: minted.hash, expiresAt: null });
      return new GraphqlReader(url, minted.secret);
    } finally {
      await store.close();
    }
  }

  /** When everything is READY. */
  async ready(): Promise<GraphqlView> {
    for (;;) {
      const view = await this.view();
      if (view.unready === 0) return view;
      await sleep(LOOK_AGAIN_MS);
    }
  }

  async view(): Promise<GraphqlView> {
    const [types, enrollments] = [await this.#all('connectionTypes'), await this.#all('enrollments')];
    const names = (rows: Row[]): string[] => rows.map(({ manifest }) => manifest?.name ?? 'without a manifest');
    return { types: names(types), enrollments: names(enrollments), unready: [...types, ...enrollments].filter(({ state }) => state !== 'READY').length };
  }

  async #all(relation: 'connectionTypes' | 'enrollments'): Promise<Row[]> {
    const rows: Row[] = [];
    for (let after: string | null = null; ; ) {
      const query = `query Page($after: String) { team(slug: "${NAMESPACE}") { ${relation}(first: ${PAGE}, after: $after) { nodes { state manifest { namespace name } } pageInfo { hasNextPage endCursor } } } }`;
      const response = await fetch(`${this.url}/graphql`, {
        method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${this.token}` }, body: JSON.stringify({ query, variables: { after } }),
      });
      const { data, errors } = await response.json() as { data?: { team: Record<string, Connection> }; errors?: { message: string }[] };
      if (data === undefined) throw new Error(errors?.[0]?.message ?? `GraphQL answered ${response.status}`);
      const { nodes, pageInfo } = data.team[relation]!;
      rows.push(...nodes);
      if (!pageInfo.hasNextPage) return rows;
      after = pageInfo.endCursor;
    }
  }
}
