import { setTimeout as sleep } from 'node:timers/promises';
import { answerQuestions } from '#test/bench/child-program.js';
import { Chance } from '#test/chaos/chance.js';
import { Sightings, type Sighting } from '#test/chaos/sightings.js';
import { startScripted, type Exchange, type ScriptedServer } from '#test/support/mcp-servers/scripted.js';

/** How a server behaves: those that are in this program. */
export const KINDS = ['steady', 'slow', 'huge', 'dying'] as const;
export type Kind = (typeof KINDS)[number];

/** The most that a result may have, in bytes, of every type of the soak; the huge server goes beyond it now and then. */
export const MAX_RESULT_BYTES = 1_048_576;

/** What this program answers. */
export type ServersAnswers = {
  start: (seed: number) => Promise<Record<Kind, string>>;
  sightings: () => Sighting[];
};

const servers: ScriptedServer[] = [];
const sightings = new Sightings();

/** Notes who called, and gives back the nonce. */
function arrived({ request, message }: Exchange): string {
  const args = (message.params?.['arguments'] ?? {}) as Record<string, unknown>;
  sightings.note(String(request.headers.authorization).replace(/^Bearer /, ''), args);
  return String(args['message']);
}

function text(nonce: string): object {
  return { content: [{ type: 'text', text: nonce }] };
}

const BEHAVIOURS: Record<Kind, (exchange: Exchange, chance: Chance) => void> = {
  steady: (exchange) => exchange.result(text(arrived(exchange))),
  // Most are a little slow; one in twenty never answers, and its caller's time runs out.
  slow: (exchange, chance) => {
    const nonce = arrived(exchange);
    if (chance.next() < 0.05) return;
    void sleep(chance.between(20, 1500)).then(() => { if (!exchange.response.destroyed) exchange.result(text(nonce)); });
  },
  // The length stands in front, so that a cut result is found out.
  huge: (exchange, chance) => {
    const nonce = arrived(exchange);
    const length = Math.floor(chance.next() < 0.1 ? chance.between(2, 4) * MAX_RESULT_BYTES : chance.between(0.05, 0.9) * MAX_RESULT_BYTES);
    exchange.result(text(`${nonce} ${length} ${'x'.repeat(length)}`));
  },
  // Before an answer, in the middle of one, or after half of a stream.
  dying: (exchange, chance) => {
    const nonce = arrived(exchange);
    const { request, response, message } = exchange;
    const draw = chance.next();
    if (draw < 0.7) return exchange.result(text(nonce));
    if (draw < 0.8) return void request.socket.destroy();
    if (draw < 0.9) return void request.socket.resetAndDestroy();
    const whole = JSON.stringify({ jsonrpc: '2.0', id: message.id, result: text(nonce) });
    const streamed = draw < 0.95;
    response.writeHead(200, streamed ? { 'Content-Type': 'text/event-stream' } : { 'Content-Type': 'application/json', 'Content-Length': whole.length });
    response.write(streamed ? `event: message\ndata: ${whole.slice(0, 20)}` : whole.slice(0, 20), () => request.socket.destroy());
  },
};

const ECHO = { name: 'echo', description: 'Gives its message back.', inputSchema: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] } };

answerQuestions({
  start: async (seed) => {
    const urls: [Kind, string][] = [];
    for (const [index, kind] of KINDS.entries()) {
      const chance = new Chance(seed + index);
      const server = await startScripted({ list: [ECHO], tools: { echo: (exchange) => BEHAVIOURS[kind](exchange, chance) } });
      servers.push(server);
      urls.push([kind, server.url]);
    }
    // Nobody reads what they have seen but the sightings.
    setInterval(() => servers.forEach(({ seen }) => { seen.length = 0; }), 1000);
    return Object.fromEntries(urls) as Record<Kind, string>;
  },
  sightings: () => sightings.all,
} satisfies ServersAnswers);
