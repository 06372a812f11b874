import { setTimeout as sleep } from 'node:timers/promises';
import { answerQuestions } from '#test/bench/child-program.js';
import { ChangeableServer } from '#test/support/mcp-servers/changeable.js';
import { Chance } from './chance.js';
import { Sightings, type Sighting } from './sightings.js';

/** What this program answers. */
export type FlappingServersAnswers = {
  /** Starts a server for each list of credentials, which are all that it takes. */
  start: (credentials: string[][]) => Promise<string[]>;
  /** From now on they go down and come back. */
  flap: (seed: number) => void;
  /** All are up, and stay so. Answers how often one went down. */
  steady: () => Promise<number>;
  sightings: () => Sighting[];
};

const ECHO = { name: 'echo', description: 'Gives its message back.', inputSchema: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] } };
const servers: ChangeableServer[] = [];
const sightings = new Sightings();
const calm = new AbortController();
let flapping: Promise<number[]> = Promise.resolve([]);

/** Up for some seconds, then down for some. */
async function flap(server: ChangeableServer, chance: Chance): Promise<number> {
  const wait = (least: number, most: number) => sleep(chance.between(least, most), undefined, { signal: calm.signal }).catch(() => undefined);
  let times = 0;
  for (await wait(0, 4000); !calm.signal.aborted; await wait(2000, 8000)) {
    times += 1;
    await server.stop();
    await wait(200, 6000);
    await server.start();
  }
  return times;
}

answerQuestions({
  start: async (credentials) => {
    for (const values of credentials) {
      const server = await ChangeableServer.start({ tools: [ECHO], credential: { header: 'Authorization', values: values.map((value) => `Bearer ${value}`) } });
      server.answer = (login, args) => {
        sightings.note(String(login).replace(/^Bearer /, ''), args);
        return String(args['message']);
      };
      servers.push(server);
    }
    return servers.map(({ url }) => url);
  },
  flap: (seed) => {
    flapping = Promise.all(servers.map((server, index) => flap(server, new Chance(seed + index))));
  },
  steady: async () => {
    calm.abort();
    return (await flapping).reduce((sum, times) => sum + times, 0);
  },
  sightings: () => sightings.all,
} satisfies FlappingServersAnswers);
