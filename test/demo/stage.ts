import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { quotePeer } from '#core/errors.js';
import { startChild, type Child } from '#test/support/child.js';
import { startEverything, type EverythingServer } from '#test/support/mcp-servers/everything.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { listen } from '#test/support/mcp-servers/listener.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';
import { openBrowser, type Browser } from './browser.js';
import type { Printout } from './printout.js';

/** The credential that the second server wants: made up, and recognisable wherever it might turn up. */
export const RIGHT_KEY = 'demo-key-4711-right';

/** What the story plays on: real processes, on 127.0.0.1 and on ports that are free. */
export interface Stage {
  /** The reference server, in a process of its own; wants no credential. */
  everything: EverythingServer;
  /** A server that wants {@link RIGHT_KEY} as a bearer token. */
  guarded: MinimalServer;
  /** oidc-provider, and the server that wants a login from it: `sum` wants one with a scope more. */
  logins: OidcProviderServer;
  /** The same with an authorization server that registers nobody by itself. */
  unregistering: FaultyServer;
  /** A teammate's browser. */
  browser: Browser;
  /** A page of the team's, where consents come back to. */
  returnUrl: string;
  fairleadUrl: string;
  adminToken: string;
  /** Everything that Fairlead has written to its log. */
  log(): string;
}

/** Starts the parts one by one, and takes down whatever was started. */
export class StageHand {
  readonly #undo: (() => Promise<unknown>)[] = [];

  constructor(private readonly searchPath: string | undefined) {}

  /** @throws when a part doesn't start; what was started is left for {@link clear} */
  async build(printout: Printout): Promise<Stage> {
    const everything = await printout.wait('starting an MCP server: @modelcontextprotocol/server-everything', this.#kept(startEverything(), (server) => server.close()),
      ({ url }) => `server-everything answers at ${url}`);
    const guarded = await this.#kept(startMinimal({ credential: { header: 'authorization', value: `Bearer ${RIGHT_KEY}` } }), (server) => server.close());
    printout.check(true, `a second MCP server, which wants an access token, answers at ${guarded.url}`);
    const logins = await this.#kept(startOidcProvider({ guard: { toolScopes: { sum: ['files:write'] } } }), (server) => server.close());
    printout.check(true, `a third one, which wants a login with OAuth, answers at ${logins.mcp.url}; its provider, oidc-provider, at ${logins.issuer}`);
    const unregistering = await this.#kept(startFaultyAuthorizationServer({ faults: { registration: 'absent' } }), (server) => server.close());
    const console = await this.#kept(listen((_request, response) => void response.end('Back in the console'), '/logins'), (server) => server.close());
    // It takes as long as Fairlead does, so they start together.
    const opening = this.#kept(openBrowser(), (opened) => opened.browser.close());
    const state = await this.#kept(mkdtemp(join(tmpdir(), 'fairlead-demo-')), (folder) => rm(folder, { recursive: true, force: true }));
    const fairlead = this.#fairlead(state);
    const ready = fairlead.line(/^Fairlead is ready at /).then((line) => /http:\S+/.exec(line)![0]);
    const fairleadUrl = await printout.wait('starting Fairlead on a new, embedded PostgreSQL', ready, (url) => `Fairlead is ready at ${url}`);
    const { browser, trouble } = await printout.wait('starting a browser without a window', opening,
      (opened) => `what Tom has for a browser: ${opened.browser.name}`);
    if (trouble !== null) printout.say(`Chromium doesn't start here, so its part is played by ${browser.name} for the same pages and forms: ${quotePeer(trouble, 300)}`);
    const adminToken = (await readFile(join(state, 'admin-token'), 'utf8')).trim();
    return { everything, guarded, logins, unregistering, browser, returnUrl: console.url, fairleadUrl, adminToken, log: () => [...fairlead.output, ...fairlead.errors].join('\n') };
  }

  /** Ends what runs and removes what was written, the last first. Never throws. */
  async clear(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) await undo().catch(() => undefined);
  }

  /** The command line as a user starts it, with none of the user's settings. */
  #fairlead(state: string): Child {
    const program = fileURLToPath(new URL('../../../bin/fairlead.js', import.meta.url));
    const child = startChild([process.execPath, program, 'dev', '--port', '0', '--state-dir', state], { env: { PATH: this.searchPath } });
    this.#undo.push(async () => {
      child.process.kill('SIGTERM');
      await child.ended;
    });
    return child;
  }

  /** Noted before it has started, so that what is on its way when the demo is interrupted is ended as well. */
  #kept<T>(starting: Promise<T>, end: (started: T) => Promise<unknown>): Promise<T> {
    this.#undo.push(async () => end(await starting));
    return starting;
  }
}
