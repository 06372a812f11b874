/** A request that was refused as a whole: without a valid token, say. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }
}

/** Asks the GraphQL API as one person. */
export class ApiClient {
  /** @param token null asks without one */
  constructor(private readonly url: string, private readonly token: string | null) {}

  /** The `data` of the answer. @throws {RequestRefused} when there are `errors` */
  async ask<T>(query: string, variables: Record<string, unknown> = {}): Promise<T> {
    const response = await fetch(`${this.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(this.token === null ? {} : { authorization: `Bearer ${this.token}` }) },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json() as { data?: T; errors?: { message: string; extensions: { code: string } }[] };
    const [error] = errors ?? [];
    if (error !== undefined) throw new RequestRefused(response.status, error.extensions.code, error.message);
    if (data === undefined) throw new Error(`HTTP ${response.status} without data.`);
    return data;
  }
}
