import type { Member } from '#core/store/entities/member.entity.js';
import type { OAuthDiscovery } from '#core/store/entities/oauth-client.entity.js';
import { foreign, html, type Html } from './html.js';
import type { Page } from './page.js';
import type { Proof } from './proof.js';
import { movedFrom, signInPlace, type Situation } from './situation.js';

/** What the page of a link shows, and offers. */
export interface ConnectPage {
  situation: Situation;
  scopes: readonly string[];
  proof: Proof;
  /** Who has signed in here; null for nobody. */
  visitor: { subject: string; displayName: string | null } | null;
  /** Hidden fields of the forms. */
  csrf: string;
  seen: string;
  /** Set when a form came that can't be followed: why. */
  note: string | null;
}

/** The page of a link. It names the person, the team and the server, and offers what this visitor may do. */
export function connectPage(view: ConnectPage): Page {
  const { situation, note } = view;
  const title = `Connect ${situation.type.spec.displayName}`;
  const { status, next } = nextStep(view);
  const body = html`
${note === null ? null : html`<p class="note" role="alert">${note}</p>`}
<p>A login at this server will be stored for this person. Nothing happens until you go on.</p>
${facts(view)}
${moved(situation)}
${next}`;
  return { status: note === null ? status : 409, title, body };
}

/** Whether the visitor is the enrollment's owner. */
export function isOwner(visitor: { subject: string } | null, owner: Member): boolean {
  return visitor !== null && !owner.local && visitor.subject === owner.subject;
}

function facts({ situation, scopes }: ConnectPage): Html {
  const { owner, team, type, enrollment, discovery } = situation;
  const permissions = scopes.length === 0 ? html`<dd>What the provider grants by default</dd>` : html`${scopes.map((scope) => html`<dd><code>${scope}</code></dd>`)}`;
  return html`<dl>
<dt>Person</dt><dd>${foreign(owner.displayName)}${owner.subject === owner.displayName ? null : html` (${foreign(owner.subject)})`}</dd>
<dt>Team</dt><dd>${foreign(team.displayName)}</dd>
<dt>Server</dt><dd><strong>${foreign(type.spec.displayName)}</strong><br><code>${type.spec.serverUrl}</code></dd>
${enrollment.label === '' ? null : html`<dt>Label</dt><dd>${foreign(enrollment.label)}</dd>`}
<dt>You will sign in at</dt><dd>${discovery === null ? 'the provider that the server names' : place(discovery)}</dd>
<dt>Permissions asked for</dt>${permissions}
</dl>
${enrollment.shared ? html`<p class="note">This login is shared: everybody in the team ${foreign(team.displayName)} can use it.</p>` : null}`;
}

function moved(situation: Situation): Html | null {
  const before = movedFrom(situation);
  if (before === null) return null;
  return html`<p class="note">The server's address changed since ${foreign(situation.owner.displayName)} last agreed to it. It was <code>${before.serverUrl}</code>. Go on only if the new one above is right.</p>`;
}

function nextStep(view: ConnectPage): { status: number; next: Html } {
  const { proof, visitor, situation } = view;
  const { owner } = situation;
  const name = foreign(owner.displayName);
  switch (proof) {
    case 'CONFIRMATION':
      return { status: 200, next: html`
<p>Go on only if you are ${name} and asked for this yourself, just now. Whoever signs in at the provider next, ${name} will act with that login.</p>
${form(view, 'continue', html`I am ${name}: continue to ${provider(situation)}`)}` };
    case 'SIGN_IN':
      if (visitor === null) return { status: 200, next: html`<p>First sign in, so that it is certain that you are ${name}.</p>${form(view, 'sign-in', 'Sign in')}` };
      if (isOwner(visitor, owner)) {
        return { status: 200, next: html`<p>You are signed in as ${foreign(visitor.displayName ?? visitor.subject)}.</p>${form(view, 'continue', html`Continue to ${provider(situation)}`)}` };
      }
      return { status: 403, next: html`
<p class="note" role="alert">You are signed in as ${foreign(visitor.displayName ?? visitor.subject)}, and this link belongs to ${name}: only they can use it. If somebody sent it to you, don't go on.</p>
${form(view, 'sign-in-again', html`Sign in as ${name}`)}` };
    case 'NOT_CONFIGURED':
      return { status: 403, next: html`<p class="note" role="alert">Signing in on this page isn't configured, so it can't be certain who you are, and nothing can be connected.
Ask the operator of this installation to set <code>FAIRLEAD_OIDC_CLIENT_ID</code>.</p>` };
    case 'IMPOSSIBLE':
      return { status: 403, next: html`<p class="note" role="alert">${name} is a local member, as whom nobody can sign in here, so nobody can consent for them.
Enroll as a person who signs in, and share that enrollment with the team if machines should use it.</p>` };
  }
}

function form({ csrf, seen }: ConnectPage, step: string, label: Html | string): Html {
  return html`<form method="post">
<input type="hidden" name="csrf" value="${csrf}">
<input type="hidden" name="seen" value="${seen}">
<button type="submit" name="step" value="${step}">${label}</button>
</form>`;
}

function provider({ discovery }: Situation): string {
  return discovery === null ? 'the provider' : signInPlace(discovery).host;
}

function place(discovery: OAuthDiscovery): Html {
  const { host, forIssuer } = signInPlace(discovery);
  return html`<code>${host}</code>${forIssuer === null ? null : html`, which signs people in for <code>${forIssuer}</code>`}`;
}
