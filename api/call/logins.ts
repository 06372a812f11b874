import { PeerFault, UserFault } from '#core/errors.js';
import type { SessionPool } from '#core/mcp/session-pool.js';
import type { Login, OAuthTokens } from '#core/upkeep/oauth-tokens.js';
import { ProviderUnavailable, type Wait } from '#core/upkeep/oauth-tokens-wait.js';
import { presented, sessionKeyOf, type Route, type RouteLogin } from './route.js';

/** What {@link Logins} is built of. */
export interface LoginsOptions {
  tokens: Pick<OAuthTokens, 'current' | 'refreshAfterRefusal'>;
  sessions: Pick<SessionPool, 'drop'>;
  /** Monotonic milliseconds, as the tokens have them. */
  clock: () => number;
}

const MAX_KEYS = 10_000;

/** OAuth logins on the way of a call: renewed before it is sent when they have expired, and once after the server has refused them. */
export class Logins {
  /** By enrollment: the session key of the login that was used last. */
  readonly #keys = new Map<string, string>();

  constructor(private readonly options: LoginsOptions) {}

  /** Whether {@link ready} would have to ask its provider first. */
  mustWait({ login }: Route): boolean {
    return login !== null && login.usableUntil !== null && this.options.clock() >= login.usableUntil;
  }

  /**
   * The route with a login that can be sent: at once, but where {@link mustWait}. Where its provider can't renew it now, the route says so, and nothing goes through it.
   * @throws {UserFault} where only a person can go on, with what the enrollment's owner should do
   */
  ready(route: Route, wait: Wait): Route | Promise<Route> {
    const { login } = route;
    if (login === null) return route;
    return this.mustWait(route) ? this.#renewedInTime(route, login, wait) : this.#used(route);
  }

  async #renewedInTime(route: Route, login: RouteLogin, wait: Wait): Promise<Route> {
    try {
      return this.#used(this.#with(route, await this.options.tokens.current(route.enrollmentId, wait)));
    } catch (error) {
      if (error instanceof ProviderUnavailable) return { ...route, login: { ...login, unavailable: error } };
      if (error instanceof UserFault && error.code !== 'NOT_FOUND' && login.repair !== null) throw new UserFault(error.code, error.publicMessage, { action: login.repair });
      throw error;
    }
  }

  /**
   * The route with another login than the one that the server has just refused.
   * @throws {ProviderUnavailable} where it can't be had now
   * @throws {PeerFault} `UNAUTHORIZED` where it can't be had without its owner
   */
  async renewed(route: Route, wait: Wait): Promise<Route> {
    try {
      return this.#used(this.#with(route, await this.options.tokens.refreshAfterRefusal(route.enrollmentId, route.credentialVersion, wait)));
    } catch (error) {
      if (error instanceof UserFault) throw new PeerFault('UNAUTHORIZED', `The server refused the login (HTTP 401). ${error.publicMessage}`, { sent: 'REFUSED', cause: error });
      throw error;
    }
  }

  #with(route: Route, { value, version, usableUntil }: Login): Route {
    const { spec, login } = route;
    return {
      ...route, credentialVersion: version, ...presented(spec, value),
      sessionKey: sessionKeyOf(route.enrollment, version, route.type),
      login: { repair: login?.repair ?? null, unavailable: null, usableUntil },
    };
  }

  /** A session belongs to one version of a login: those of the version before are ended. */
  #used(route: Route): Route {
    const before = this.#keys.get(route.enrollmentId);
    if (before === route.sessionKey) return route;
    if (before !== undefined) this.options.sessions.drop(before);
    this.#keys.set(route.enrollmentId, route.sessionKey);
    if (this.#keys.size > MAX_KEYS) this.#keys.delete(this.#keys.keys().next().value!);
    return route;
  }
}
