import { foreign, html, type Html } from './html.js';
import type { Page } from './page.js';
import type { ConsentOutcome } from './return-urls.js';

/** A link that leads nowhere, whether it is unknown, used or too old. `back` is where its owner wanted to return to. */
export function deadLinkPage(back: string | null): Page {
  return {
    status: 410,
    title: 'This link no longer works',
    body: html`<p>A link to connect a server is good for one use and for ten minutes, and only the newest one counts. Nothing was changed.</p>
<p>Start again in the place where you got the link: it will give you a new one.</p>
${back === null ? null : html`<p><a href="${back}" rel="noreferrer">Go back</a></p>`}`,
  };
}

/** A form that didn't come from our page, or from a browser that keeps no cookies. */
export function foreignFormPage(): Page {
  return {
    status: 403,
    title: 'That didn\'t come from this page',
    body: html`<p>Your browser's request doesn't belong to the page that Fairlead showed you, so nothing was done.</p>
<p>Open the link again, exactly as you got it, in a current browser that accepts cookies, and use the button there.</p>`,
  };
}

/** An answer of a provider that nobody here waits for. */
export function unexpectedAnswerPage(reason: 'UNKNOWN' | 'OTHER_BROWSER' | 'FINISHED'): Page {
  const why: Record<typeof reason, Html> = {
    UNKNOWN: html`<p>This answer belongs to no login that was started here, or to one that is over. Nothing was stored.</p>`,
    OTHER_BROWSER: html`<p>This login was started in another browser, or by another person, so it can't be finished here. Nothing was stored.</p>
<p>If somebody sent you the link that brought you here, they may have wanted to use your login: tell them no. Otherwise finish in the browser in which you started, with cookies allowed.</p>`,
    FINISHED: html`<p>This login is over: it was finished already, or came too late. Nothing was done again.</p>`,
  };
  return { status: reason === 'FINISHED' ? 409 : 403, title: 'This login can\'t be finished here', body: html`${why[reason]}<p>You can close this page.</p>` };
}

/** How a consent ended, for people who wanted to return to nowhere. `kept`: the login of an earlier consent is still there. */
export function outcomePage(outcome: ConsentOutcome, serverName: string, message: string, kept: boolean): Page {
  const close = html`<p>You can close this page.</p>`;
  if (outcome === 'READY') return { status: 200, title: `${serverName} is connected`, body: html`<p>The login is stored, and you can use ${foreign(serverName)} through Fairlead now.</p>${close}` };
  const again = outcome === 'DENIED' ? null : html`<p>You can start again in the place where you got the link.</p>`;
  const before = kept ? html`<p>The login that was stored before is still there, unchanged.</p>` : null;
  const title = kept ? `The login at ${serverName} was not renewed` : `${serverName} ${outcome === 'DENIED' ? 'is not' : 'could not be'} connected`;
  return { status: 200, title, body: html`<p>${message}</p>${before}${again}${close}` };
}

/** Something in the way of a step; `again` is a page of ours to try again on. */
export function troublePage(status: number, title: string, message: string, again: string | null): Page {
  return { status, title, body: html`<p role="alert">${message}</p>${again === null ? null : html`<p><a href="${again}">Try again</a></p>`}` };
}

/** How a person enrolls, for those whom a program sent here. Nothing is looked up: the names come from the address. */
export function enrollPage(team: string, name: string, explorer: string | null): Page {
  const query = `query {
  team(slug: "${team}") {
    connectionTypes(first: 100) { nodes { id name displayName authMethod } }
  }
}`;
  const mutation = `mutation {
  enroll(input: { connectionTypeId: "<the id from above>" }) {
    enrollment { id state }
    authorization { url expiresAt }
    userErrors { code message }
  }
}`;
  return {
    status: 200,
    title: `Connect ${name}`,
    body: html`<p>A program wanted to use the server <strong>${name}</strong> for you, and you have no login there yet. You are asked to enroll as a member of the team <strong>${team}</strong>.</p>
<p>If your organisation has a console for Fairlead, do it there. Otherwise through the API, in two steps:</p>
<h2>1. Find the server's id</h2>
<pre tabindex="0"><code>${query}</code></pre>
<h2>2. Enroll</h2>
<p>A server with access tokens or headers also wants <code>accessToken</code> or <code>headers</code> in the input. A server with OAuth answers with a link: open it in your browser within ten minutes.</p>
<pre tabindex="0"><code>${mutation}</code></pre>
${explorer === null ? null : html`<p>You can run both in the <a href="${explorer}">explorer</a>.</p>`}`,
  };
}
