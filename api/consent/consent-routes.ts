import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CLIENT_METADATA_PATH } from '#core/oauth/outcome.js';
import { AuthorizationFinisher } from './authorization-finisher.js';
import { AuthorizationSender } from './authorization-sender.js';
import { BrowserMemory } from './browser-memory.js';
import { CallbackRoutes } from './callback-routes.js';
import { ConnectRoutes } from './connect-routes.js';
import { Cookies } from './cookies.js';
import { sendPage } from './page.js';
import { enrollPage, troublePage } from './pages.js';
import type { ConsentParts } from './parts.js';
import { Visit } from './visit.js';

const FORM_BYTES = 4_096;
const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Adds the pages of the consent flow, and what providers ask for. Everything that people see here is a page, errors included. */
export function addConsentRoutes(scope: FastifyInstance, parts: ConsentParts): void {
  const memory = new BrowserMemory(parts.vault, parts.now);
  const connect = new ConnectRoutes(parts, new AuthorizationSender(parts), memory);
  const callback = new CallbackRoutes(parts, new AuthorizationFinisher(parts), memory);
  const cookies = new Cookies(parts.publicUrl);
  const visit = (request: FastifyRequest, reply: FastifyReply) => new Visit(request, reply, cookies);
  const config = { judgesOrigin: true };

  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string', bodyLimit: FORM_BYTES }, (_request, text, done) => done(null, new URLSearchParams(text as string)));
  scope.setErrorHandler<FastifyError>((error, request, reply) => {
    if (error.statusCode !== undefined && error.statusCode < 500) return sendPage(reply, troublePage(error.statusCode, 'That request can\'t be read', 'Go back, and use the button on the page.', null));
    parts.logger.error({ err: error, requestId: request.id }, 'request failed');
    return sendPage(reply, troublePage(500, 'Something went wrong on our side', `Try again; if it fails again, quote request id ${request.id} when you report it.`, null));
  });

  scope.get<{ Params: { link: string } }>('/connect/:link', { config }, (request, reply) => connect.show(visit(request, reply), request.params.link, reply));
  scope.post<{ Params: { link: string } }>('/connect/:link', { config }, (request, reply) => {
    const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
    return connect.go(visit(request, reply), request.params.link, form, reply);
  });
  // HEAD must not use an answer up.
  scope.get('/oauth/callback', { config, exposeHeadRoute: false }, (request, reply) => callback.consented(visit(request, reply), reply));
  scope.get('/signin/callback', { config, exposeHeadRoute: false }, (request, reply) => callback.signedIn(visit(request, reply), reply));
  scope.get<{ Params: { team: string; name: string } }>('/enroll/:team/:name', { config }, async (request, reply) => {
    const { team, name } = request.params;
    if (!DNS_LABEL.test(team) || !DNS_LABEL.test(name)) return sendPage(reply, troublePage(404, 'There is nothing here', 'The address is not complete, or was changed on its way.', null));
    return sendPage(reply, enrollPage(team, name, parts.explorer ? `${parts.publicUrl()}/explorer` : null));
  });
  // Authorization servers read it from anywhere, and may keep it for a while.
  scope.get(CLIENT_METADATA_PATH, async (_request, reply) => reply.headers({ 'cache-control': 'public, max-age=300', 'cross-origin-resource-policy': 'cross-origin' }).send(parts.clientMetadata()));
}
