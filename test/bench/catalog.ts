import { contractDocument } from './contract-document.js';
import type { Login } from './load.js';
import { credentialOf } from './nonces.js';

/** The connection type that is called. */
export const TYPE_NAME = 'bench';
const TEAM = 'default';
/** Trying credentials is limited for each person, so that many enrollments need several. */
const ENROLLMENTS_PER_MEMBER = 100;
const ENROLL_AT_ONCE = 8;

/** Makes, through the API alone, what is called: a connection type, members with tokens, and their enrollments. */
export class Catalog {
  #typeId = '';
  #members = 0;

  constructor(private readonly url: string, private readonly adminToken: string) {}

  /** The connection type, for a server that wants a bearer token. */
  async createType(serverUrl: string): Promise<void> {
    const created = await this.#mutate('CreateConnectionType', { team: TEAM, displayName: 'Bench', name: TYPE_NAME, serverUrl, authMethod: 'ACCESS_TOKEN' });
    this.#typeId = (created['connectionType'] as { id: string }).id;
  }

  /** So many logins, each with an enrollment and a credential of its own. */
  async enroll(count: number): Promise<Login[]> {
    const logins: Login[] = [];
    while (logins.length < count) {
      const name = `member-${this.#members++}`;
      const token = await this.#member(name);
      const labels = Array.from({ length: Math.min(ENROLLMENTS_PER_MEMBER, count - logins.length) }, (_, index) => `${name}-${index}`);
      while (labels.length > 0) {
        logins.push(...await Promise.all(labels.splice(0, ENROLL_AT_ONCE).map(async (login): Promise<Login> => {
          const { enrollment } = await this.#mutate('Enroll', { connectionTypeId: this.#typeId, label: login, accessToken: credentialOf(login) }, token);
          return { login, token, enrollmentId: (enrollment as { id: string }).id };
        })));
      }
    }
    return logins;
  }

  /** How many calls of the team are on record; with a status, of those. */
  async storedCalls(status?: string): Promise<number> {
    const { team } = await this.#post('ToolCalls', { team: TEAM, first: 1, ...(status === undefined ? {} : { filter: { status } }) }, this.adminToken);
    return (team as { toolCalls: { totalCount: number } }).toolCalls.totalCount;
  }

  async #member(subject: string): Promise<string> {
    const { member } = await this.#mutate('SetMember', { team: TEAM, subject, role: 'MEMBER' });
    const { secret } = await this.#mutate('CreateToken', { team: TEAM, name: subject, memberId: (member as { id: string }).id });
    return secret as string;
  }

  async #mutate(operation: string, input: Record<string, unknown>, token = this.adminToken): Promise<Record<string, unknown>> {
    const data = await this.#post(operation, { input }, token);
    const payload = Object.values(data)[0] as { userErrors: { message: string }[] };
    if (payload.userErrors.length > 0) throw new Error(`${operation}: ${payload.userErrors[0]!.message}`);
    return payload as unknown as Record<string, unknown>;
  }

  async #post(operation: string, variables: Record<string, unknown>, token: string): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.url}/graphql`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: contractDocument(operation), operationName: operation, variables }),
    });
    const { data, errors } = await response.json() as { data?: Record<string, unknown>; errors?: { message: string }[] };
    if (errors !== undefined || data === undefined) throw new Error(`${operation}: ${errors?.[0]?.message ?? response.status}`);
    return data;
  }
}
