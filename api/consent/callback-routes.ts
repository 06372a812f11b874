import type { FastifyReply } from 'fastify';
import { isId } from '#core/store/ids.js';
import { IdentityFault } from '../identity/identity-fault.js';
import type { AuthorizationFinisher } from './authorization-finisher.js';
import type { BrowserMemory } from './browser-memory.js';
import { sendPage } from './page.js';
import { outcomePage, troublePage, unexpectedAnswerPage } from './pages.js';
import type { ConsentParts } from './parts.js';
import { withOutcome } from './return-urls.js';
import { VISIT_SECONDS, type Visit } from './visit.js';

/** Where providers send people back to. */
export class CallbackRoutes {
  constructor(private readonly parts: ConsentParts, private readonly finisher: AuthorizationFinisher, private readonly memory: BrowserMemory) {}

  /** `GET /oauth/callback`: the provider's answer to a consent. */
  async consented(visit: Visit, reply: FastifyReply): Promise<FastifyReply> {
    const { parameters, requestId } = visit;
    const state = theOnly(parameters, 'state');
    if (state === null) return sendPage(reply, unexpectedAnswerPage('UNKNOWN'));
    const finished = await this.finisher.finish({ parameters, state, cookie: visit.cookie('consent', state), requestId });
    if (finished.kind === 'REFUSED') return sendPage(reply, unexpectedAnswerPage(finished.reason));
    visit.forget('consent', state);
    const { authorization, outcome, message, kept, serverName } = finished;
    if (authorization.returnUrl !== null) return reply.redirect(withOutcome(authorization.returnUrl, authorization.enrollmentId, outcome), 303);
    return sendPage(reply, outcomePage(outcome, serverName, message, kept));
  }

  /** `GET /signin/callback`: the OIDC issuer's answer; back to the page of the link that it was for. */
  async signedIn(visit: Visit, reply: FastifyReply): Promise<FastifyReply> {
    const { signIn, publicUrl, store, logger } = this.parts;
    const state = theOnly(visit.parameters, 'state');
    const [consentId, sealed] = state === null ? [] : (visit.cookie('signin', state) ?? '').split('.');
    const authorization = consentId !== undefined && isId(consentId) ? await store.oauthAuthorizations.byId(consentId) : null;
    const begun = authorization === null ? null : await this.memory.open('signin', authorization, sealed);
    if (signIn === null || authorization === null || begun === null || begun.state !== state) return sendPage(reply, unexpectedAnswerPage('OTHER_BROWSER'));
    visit.forget('signin', state);
    const page = `${publicUrl()}/connect/${begun.link}`;
    try {
      const { email, ...person } = await signIn.finish(visit.parameters, begun);
      if (email !== null) await store.members.learnEmail(person.subject, email);
      visit.remember(await this.memory.seal('person', authorization, person, VISIT_SECONDS * 1000), 'person', begun.link);
      return reply.redirect(page, 303);
    } catch (error) {
      if (!(error instanceof IdentityFault)) throw error;
      logger.info({ err: error, requestId: visit.requestId }, 'a sign-in did not work');
      return sendPage(reply, troublePage(error.code === 'UNAUTHENTICATED' ? 403 : 502, 'You are not signed in', error.publicMessage, page));
    }
  }
}

/** A parameter that came exactly once; RFC 6749 allows no more. */
function theOnly(parameters: URLSearchParams, name: string): string | null {
  const [value, ...others] = parameters.getAll(name);
  return value === undefined || value === '' || others.length > 0 ? null : value;
}
