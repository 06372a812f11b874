import { MIRRORED_KINDS } from '#operator/manifest/resources.js';
import { formsOf } from '#test/support/canaries.js';
import type { Ground } from '../operator/ground.js';
import type { BenchCluster } from './cluster.js';
import type { GraphqlView } from './graphql-reader.js';
import type { Pair } from './manifests.js';
import type { SeenProbes } from './mcp-servers.js';
import type { Spent } from './requests.js';

/** Everything that was seen. */
export interface Evidence {
  ground: Ground;
  cluster: BenchCluster;
  pairs: readonly Pair[];
  view: GraphqlView;
  /** By server. */
  seen: readonly SeenProbes[];
  steady: Spent;
  /** What changed in peace: each object as it was and as it is. */
  stirred: readonly string[];
  restart: Spent;
  /** What an operator's restart changed: each object as it was and as it is. */
  moved: readonly string[];
  /** What operators and API said. */
  said: string;
}

/** What went wrong, in sentences: something lost or doubled, a server that wasn't asked by its own type, a credential where none belongs, an operator that writes without a reason. */
export async function wrongOf(evidence: Evidence): Promise<string[]> {
  const { pairs, view, steady, stirred, restart, moved } = evidence;
  const wrongs = [...probes(evidence), ...await rows(evidence), ...await credentials(evidence)];
  const names = pairs.map(({ name }) => name);
  for (const kind of MIRRORED_KINDS) wrongs.push(...differences(`kubectl get, ${kind}`, names, await evidence.cluster.readyByKubectl(kind)));
  wrongs.push(...differences('GraphQL, connection types', names, view.types), ...differences('GraphQL, enrollments', names, view.enrollments));
  if (view.unready > 0) wrongs.push(`${view.unready} objects aren't READY in GraphQL any more.`);
  if (steady.writes > 0) wrongs.push(`Nothing had changed, and the operator wrote: ${told(steady)}. ${stirred[0] ?? ''}`);
  if (restart.writes > 0 || moved.length > 0) wrongs.push(`An operator that was started anew wrote: ${told(restart)}; ${moved.length} objects changed. ${moved[0] ?? ''}`);
  // The cluster's uid is read at each start.
  const read = restart.total - restart.secretReads - (restart.byKind.find(([kind]) => kind === 'get namespaces')?.[1] ?? 0);
  if (restart.writes === 0 && read > 0) wrongs.push(`An operator that was started anew asked for more than lists: ${told(restart)}.`);
  return wrongs;
}

function probes({ pairs, seen }: Evidence): string[] {
  const unasked = seen.filter(({ requests }) => requests === 0).length;
  const unproven = seen.filter(({ withCredential }, index) => pairs[index]!.token !== null && withCredential === 0).length;
  const foreign = seen.reduce((sum, one) => sum + one.foreign, 0);
  return [
    ...(unasked > 0 ? [`${unasked} servers were never asked.`] : []),
    ...(unproven > 0 ? [`${unproven} servers never saw their own credential.`] : []),
    ...(foreign > 0 ? [`Servers saw ${foreign} requests with a credential that isn't theirs.`] : []),
  ];
}

/** Lost or doubled in the database; each manifest was taken into it once. */
async function rows({ ground, pairs }: Evidence): Promise<string[]> {
  const [found] = await ground.query<Record<string, number>>(
    `select (select count(*) from connection_types)::int as "connection types", (select count(*) from enrollments)::int as enrollments,
       (select count(*) from mirror_objects where kind = 'ConnectionType')::int as "bindings of types", (select count(*) from mirror_objects where kind = 'Enrollment')::int as "bindings of enrollments",
       (select count(*) from audit_events where action = 'createFromManifest' and subject_type = 'ConnectionType')::int as "types made, by the audit trail",
       (select count(*) from audit_events where action = 'createFromManifest' and subject_type = 'Enrollment')::int as "enrollments made, by the audit trail"`,
  );
  return Object.entries(found!).filter(([, count]) => count !== pairs.length).map(([what, count]) => `There are ${count} ${what}, not ${pairs.length}.`);
}

/** No credential in an object, an event, the API server's log or ours. */
async function credentials({ cluster, pairs, said }: Evidence): Promise<string[]> {
  const objects = await Promise.all(MIRRORED_KINDS.map((kind) => cluster.list(kind)));
  const places = { objects: JSON.stringify(objects), events: await cluster.events(), 'the audit log': cluster.plane.auditLog(), 'our logs': said };
  const secrets = pairs.flatMap(({ token }) => (token === null ? [] : [token]));
  return Object.entries(places).flatMap(([place, text]) => {
    const found = secrets.filter((secret) => FORMS.some((form) => text.includes(formsOf(secret).get(form)!))).length;
    return found > 0 ? [`${found} credentials are in ${place}.`] : [];
  });
}

const FORMS = ['exact', 'base64 +0', 'base64 +1', 'base64 +2', 'hex'];

/** Names that are missing, there without a reason, or there twice. */
function differences(where: string, wanted: readonly string[], found: readonly string[]): string[] {
  const [expected, there] = [new Set(wanted), new Set(found)];
  const lost = wanted.filter((name) => !there.has(name));
  const strange = found.filter((name) => !expected.has(name));
  return [
    ...(lost.length > 0 ? [`${where}: ${lost.length} are lost or not Ready, ${lost[0]} for one.`] : []),
    ...(strange.length > 0 ? [`${where}: ${strange.length} were never applied, ${strange[0]} for one.`] : []),
    ...(found.length > there.size ? [`${where}: ${found.length - there.size} are there twice.`] : []),
  ];
}

function told({ byKind }: Spent): string {
  return byKind.map(([kind, count]) => `${count} ${kind}`).join(', ') || 'nothing';
}
