import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { ruruHTML } from 'ruru/server';
import { sendFault } from './error-answer.js';

const PAGE = '/explorer';
const ASSETS = '/explorer/assets/';

/**
 * GraphiQL (as packaged by ruru) at `GET /explorer`, complete without the internet: scripts, styles and workers come from the package,
 * and the policy lets the page reach nothing but this server. It knows no token: the person pastes one into the headers pane.
 * The assets (about 4 MB in memory) are loaded when the first one is asked for.
 */
export function addExplorer(app: FastifyInstance, endpoint: string): void {
  const html = ruruHTML({ staticPath: ASSETS, endpoint });
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
