import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { ruruHTML, type RuruClientConfig } from 'ruru/server';
import { sendFault } from './error-answer.js';

const PAGE = '/explorer';
const ASSETS = '/explorer/assets/';

/**
 * GraphiQL keeps tabs, variables and, in its history, headers in localStorage: credentials that somebody tried, and their token.
 * Here nothing that is typed outlives the page.
 */
const FORGETFUL_STORAGE = `<script>
  const kept = new Map();
  Object.defineProperty(window, 'localStorage', { value: {
    get length() { return kept.size; },
    key: (index) => [...kept.keys()][index] ?? null,
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, String(value)),
    removeItem: (name) => void kept.delete(name),
    clear: () => kept.clear(),
  } });
</script>
`;

/** What an empty editor holds. */
const FIRST_QUERY = `# Paste your token into the "Headers" pane below:
#   { "authorization": "Bearer <token>" }
# then reload the schema (the arrows at the lower left).
query Viewer {
  viewer { id displayName memberships { role team { slug displayName } } }
}
`;

/**
 * GraphiQL (as packaged by ruru) at `GET /explorer`, complete without the internet: scripts, styles and workers come from the package,
 * and the policy lets the page reach nothing but this server. It knows no token: the person pastes one into
 * the headers pane, and the page forgets it.
 * The assets (about 4 MB in memory) are loaded when the first one is asked for.
 */
export function addExplorer(app: FastifyInstance, endpoint: string): void {
  const clientConfig = { defaultQuery: FIRST_QUERY, showPersistHeadersSettings: false } as RuruClientConfig;
  const htmlParts = { titleTag: '<title>Fairlead explorer</title>', configScript: (script: string) => FORGETFUL_STORAGE + script };
  const html = ruruHTML({ staticPath: ASSETS, endpoint, clientConfig, htmlParts });
  const policy = contentPolicy(html);
  app.get(PAGE, async (_request, reply) => reply.header('content-security-policy', policy).type('text/html; charset=utf-8').send(html));
  app.get(`${ASSETS}*`, async (request, reply) => {
    const { getStaticFile } = await import('ruru/static');
    const accepted = request.headers['accept-encoding'];
    const file = await getStaticFile({
      staticPath: ASSETS, urlPath: request.url, disallowDevAssets: true, acceptEncoding: typeof accepted === 'string' ? accepted : undefined,
    });
    if (!file) return sendFault(reply, { status: 404, code: 'NOT_FOUND', message: 'The explorer has no such file.' });
    return reply.headers(file.headers).header('cache-control', 'no-cache').header('content-security-policy', policy).send(file.content);
  });
  app.get('/', async (_request, reply) => reply.redirect(PAGE, 302));
}

/** Only this server, and of inline scripts only those of the page itself, by hash. The editor sets its styles inline. */
function contentPolicy(html: string): string {
  const hashes = [...html.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(([, script]) => `'sha256-${createHash('sha256').update(script!).digest('base64')}'`);
  return [
    "default-src 'none'", `script-src 'self' ${hashes.join(' ')}`, "worker-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:",
    "font-src 'self' data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
  ].join('; ');
}
