import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { Html, html } from './html.js';

/** A page of ours: plain, complete without script, readable by a screen reader and at any width. */
export interface Page {
  status: number;
  title: string;
  body: Html;
}

const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --ground: #fff; --line: #8c959f; --strong: #0a53be; --on-strong: #fff; --warn: #fff4d6; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --soft: #adb6c0; --ground: #16191d; --line: #6e7681; --strong: #79b0ff; --on-strong: #0b1521; --warn: #3b3013; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); }
main, footer { max-width: 40rem; margin: 0 auto; }
footer { margin-top: 2rem; font-size: .875rem; color: var(--soft); }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.125rem; margin: 1.5rem 0 .5rem; }
dl { border: 1px solid var(--line); border-radius: .5rem; padding: .25rem 1rem; margin: 1rem 0; }
dt { margin-top: .75rem; font-size: .875rem; color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
dl > :last-child { margin-bottom: .75rem; }
pre { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; overflow-x: auto; }
code { overflow-wrap: anywhere; }
.note { background: var(--warn); border-left: .25rem solid var(--line); padding: .75rem 1rem; margin: 1rem 0; }
form { margin: 1.5rem 0; }
button { font: inherit; font-weight: 600; padding: .75rem 1.25rem; border: 2px solid var(--strong); border-radius: .5rem; background: var(--strong); color: var(--on-strong); cursor: pointer; max-width: 100%; overflow-wrap: anywhere; }
a { color: var(--strong); }
:focus-visible { outline: 3px solid var(--strong); outline-offset: 3px; }
`;

/** Answers with a page. `footer` says whose page it is and how to quote this request. */
export function sendPage(reply: FastifyReply, page: Page): FastifyReply {
  return reply.code(page.status)
    .headers({ 'content-security-policy': contentPolicy(), 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' })
    .type('text/html; charset=utf-8')
    .send(documentOf(page, reply.request.id).text);
}

/**
 * No script, no frame, nothing from elsewhere; the style by its hash.
 * `form-action` is left open on purpose: Chromium applies it to every redirect that follows a form, and ours leads to the provider, on to wherever that signs people in,
 * and back to the return URL. What it would guard against, a form put into the page, escaping prevents. https://www.w3.org/TR/CSP3/#directive-form-action
 */
function contentPolicy(): string {
  return `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; frame-ancestors 'none'`;
}

function documentOf({ title, body }: Page, requestId: string): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} – Fairlead</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
<footer>This page is part of Fairlead. If something looks wrong here, quote request <code>${requestId}</code>.</footer>
</body>
</html>
`;
}
