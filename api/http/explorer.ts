import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyInstance } from 'fastify';

const PAGE = '/explorer';
const SCRIPT = '/explorer/script.js';
/** As a plain string, so that the compiler leaves its types alone: they are graphql-yoga's, which declares the extensions of GraphQL errors its own way. */
const PACKAGE: string = '@graphql-yoga/render-graphiql';

/**
 * GraphiQL keeps tabs, variables and, in its history, headers in localStorage: credentials that somebody tried, and their token.
 * Here nothing that is typed outlives the page.
 */
const FORGETFUL_STORAGE = `
  const kept = new Map();
  Object.defineProperty(window, 'localStorage', { value: {
    get length() { return kept.size; },
    key: (index) => [...kept.keys()][index] ?? null,
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, String(value)),
    removeItem: (name) => void kept.delete(name),
    clear: () => kept.clear(),
  } });
`;

/** What an empty editor holds. */
const FIRST_QUERY = `# Paste your token into the "Headers" pane below:
#   { "authorization": "Bearer <token>" }
# then reload the schema (the arrows at the lower left).
query Viewer {
  viewer { id displayName memberships { role team { slug displayName } } }
}
`;

/** The page without its script, and the script by itself, so that the policy need not allow inline scripts. */
interface Explorer {
  html: string;
  script: Buffer;
}

/**
 * GraphiQL (as packaged by graphql-yoga) at `GET /explorer`, complete without the internet: everything comes from the package, and the policy
 * lets the page reach nothing but this server. It knows no token: the person pastes one into the headers pane, and the page forgets it.
 * The script (about 8 MB, 2 MB on the wire) is made when the page is first asked for.
 */
export function addExplorer(app: FastifyInstance, endpoint: string): void {
  let made: Promise<Explorer> | null = null;
  const explorer = () => (made ??= makeExplorer(endpoint));
  app.get(PAGE, async (_request, reply) => {
    const { html } = await explorer();
    return reply.header('content-security-policy', POLICY).type('text/html; charset=utf-8').send(html);
  });
  app.get(SCRIPT, async (_request, reply) => {
    const { script } = await explorer();
    return reply.header('content-encoding', 'gzip').header('cache-control', 'no-cache').type('text/javascript; charset=utf-8').send(script);
  });
  app.get('/', async (_request, reply) => reply.redirect(PAGE, 302));
}

async function makeExplorer(endpoint: string): Promise<Explorer> {
  const { renderGraphiQL } = (await import(PACKAGE)) as { renderGraphiQL(options: { endpoint: string; title: string; defaultQuery: string }): string };
  const page = renderGraphiQL({ endpoint, title: 'Fairlead explorer', defaultQuery: FIRST_QUERY });
  const scripts: string[] = [];
  const html = page.replace(/<script[^>]*>([\s\S]*?)<\/script>/g, (_tag, script: string) => {
    scripts.push(script);
    return scripts.length === 1 ? `<script defer src="${SCRIPT}"></script>` : '';
  });
  return { html, script: await promisify(gzip)(FORGETFUL_STORAGE + scripts.join('\n;\n')) };
}

/** Only this server; no inline script. The editor sets its styles inline, and starts its workers from its own script. */
const POLICY = [
  "default-src 'none'", "script-src 'self'", "worker-src blob:", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:",
  "font-src 'self' data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
].join('; ');
