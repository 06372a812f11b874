import type { FastifyReply } from 'fastify';
import { UserFault } from '#core/errors.js';
import { OAuthFault } from '#core/oauth/fault.js';
import type { OAuthAuthorization } from '#core/store/entities/oauth-grant.entity.js';
import { IdentityFault } from '../identity/identity-fault.js';
import { askedScopes } from './asked-scopes.js';
import type { AuthorizationSender } from './authorization-sender.js';
import type { BrowserMemory } from './browser-memory.js';
import { connectPage, isOwner } from './connect-page.js';
import { csrfToken, isCsrfToken, isSameOrigin } from './form-guard.js';
import { hashOf, isSecret } from './one-time-secret.js';
import { sendPage } from './page.js';
import { deadLinkPage, foreignFormPage, troublePage } from './pages.js';
import type { ConsentParts } from './parts.js';
import { proofFor } from './proof.js';
import { withOutcome } from './return-urls.js';
import { seenMark, situationOf, type Situation } from './situation.js';
import { VISIT_SECONDS, type Visit } from './visit.js';

const LOOK_AGAIN = 'The server or its provider was changed since you opened this page. Look at it again before you go on.';

/** The page behind a link, and its form. `GET` writes nothing: link scanners and previews open links, too. */
export class ConnectRoutes {
  constructor(private readonly parts: ConsentParts, private readonly sender: AuthorizationSender, private readonly memory: BrowserMemory) {}

  /** `GET /connect/:link` */
  async show(visit: Visit, link: string, reply: FastifyReply): Promise<FastifyReply> {
    const found = await this.#find(link);
    return 'situation' in found ? this.#show(visit, link, found.situation, reply, null) : sendPage(reply, found.dead);
  }

  /** `POST /connect/:link`, from the form of that page only: to the sign-in, or on to the provider. */
  async go(visit: Visit, link: string, form: URLSearchParams, reply: FastifyReply): Promise<FastifyReply> {
    const { publicUrl } = this.parts;
    if (!isSameOrigin(visit.request.headers, publicUrl()) || !isCsrfToken(form.get('csrf'), visit.cookie('page'), link)) return sendPage(reply, foreignFormPage());
    const found = await this.#find(link);
    if (!('situation' in found)) return sendPage(reply, found.dead);
    const step = form.get('step');
    if (step === 'sign-in' || step === 'sign-in-again') return this.#signIn(visit, link, found.situation, step === 'sign-in-again', reply);
    return this.#continue(visit, link, found.situation, form.get('seen'), reply);
  }

  async #show(visit: Visit, link: string, situation: Situation, reply: FastifyReply, note: string | null): Promise<FastifyReply> {
    const scopes = askedScopes(situation.type.spec, situation.discovery, situation.grant);
    return sendPage(reply, connectPage({
      situation, scopes, note, proof: this.#proof(situation), visitor: await this.#visitor(visit, link, situation.authorization),
      csrf: csrfToken(visit.preCookie(), link), seen: seenMark(situation.type, situation.discovery, scopes),
    }));
  }

  async #signIn(visit: Visit, link: string, situation: Situation, again: boolean, reply: FastifyReply): Promise<FastifyReply> {
    const { signIn } = this.parts;
    if (signIn === null || this.#proof(situation) !== 'SIGN_IN') return this.#show(visit, link, situation, reply, null);
    try {
      const { url, memory } = await signIn.begin(again);
      const sealed = await this.memory.seal('signin', situation.authorization, { ...memory, link }, VISIT_SECONDS * 1000);
      visit.remember(`${situation.authorization.id}.${sealed}`, 'signin', memory.state);
      return reply.redirect(url, 303);
    } catch (error) {
      if (!(error instanceof IdentityFault)) throw error;
      return sendPage(reply, troublePage(502, 'Signing in doesn\'t work now', error.publicMessage, this.#urlOf(link)));
    }
  }

  async #continue(visit: Visit, link: string, situation: Situation, seen: string | null, reply: FastifyReply): Promise<FastifyReply> {
    const proof = this.#proof(situation);
    const proven = proof === 'CONFIRMATION' || (proof === 'SIGN_IN' && isOwner(await this.#visitor(visit, link, situation.authorization), situation.owner));
    if (!proven) return this.#show(visit, link, situation, reply, null);
    try {
      const setup = await this.parts.setupOf(situation.type);
      const now = (await situationOf(this.parts.store, situation.authorization)) ?? situation;
      const scopes = askedScopes(now.type.spec, now.discovery, now.grant);
      if (seen !== seenMark(now.type, setup.discovery, scopes)) return await this.#show(visit, link, now, reply, LOOK_AGAIN);
      const sent = await this.sender.send(now, setup, scopes);
      if (sent === null) return sendPage(reply, deadLinkPage(null));
      visit.remember(sent.cookie, 'consent', sent.state);
      return reply.redirect(sent.url, 303);
    } catch (error) {
      if (!(error instanceof UserFault) && !(error instanceof OAuthFault)) throw error;
      return sendPage(reply, troublePage(502, `${situation.type.spec.displayName} can't be connected now`, error.publicMessage, this.#urlOf(link)));
    }
  }

  #proof({ owner }: Situation) {
    return proofFor(owner, { ...this.parts.proof, signIn: this.parts.signIn !== null });
  }

  #visitor(visit: Visit, link: string, authorization: OAuthAuthorization) {
    return this.memory.open('person', authorization, visit.cookie('person', link));
  }

  #urlOf(link: string): string {
    return `${this.parts.publicUrl()}/connect/${link}`;
  }

  /** What an unused link that is good now is about. */
  async #find(link: string): Promise<{ situation: Situation } | { dead: ReturnType<typeof deadLinkPage> }> {
    const { store } = this.parts;
    const authorization = isSecret(link) ? await store.oauthAuthorizations.byLink(hashOf(link)) : null;
    if (authorization === null) return { dead: deadLinkPage(null) };
    const open = authorization.state === 'LINKED';
    const over = open && (await store.oauthAuthorizations.isOver(authorization.id));
    const situation = open && !over ? await situationOf(store, authorization) : null;
    if (situation !== null) return { situation };
    const back = authorization.returnUrl;
    return { dead: deadLinkPage(back !== null && (over || authorization.state === 'EXPIRED') ? withOutcome(back, authorization.enrollmentId, 'EXPIRED') : null) };
  }
}
