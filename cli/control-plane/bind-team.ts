import type { AdminTokenFile } from '../admin-token-file.js';

/** The namespace of a trial, which belongs to the team `default`. */
export const TRIAL_NAMESPACE = 'default';

/**
 * Binds the team `default` to a namespace as an administrator would, through the API, so that it stands in the audit. A team that has a namespace keeps it.
 * @param url the API's
 */
export async function bindTeam(url: string, adminToken: AdminTokenFile, namespace: string): Promise<void> {
  const answer = await fetch(new URL('/graphql', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await adminToken.read() ?? ''}` },
    body: JSON.stringify({
      query: 'mutation Bind($input: BindNamespaceInput!) { bindNamespace(input: $input) { userErrors { code message } } }', variables: { input: { team: 'default', namespace } },
    }),
  });
  const { data, errors } = await answer.json() as { data?: { bindNamespace: { userErrors: { code: string; message: string }[] } }; errors?: { message: string }[] };
  const fault = errors?.[0] ?? data?.bindNamespace.userErrors.find(({ code }) => code !== 'ALREADY_EXISTS');
  if (fault !== undefined) throw new Error(`The team "default" could not be bound to the namespace ${namespace}: ${fault.message}`);
}
