import type { Config } from '#core/config/config.js';
import { configuredKeyRing } from './key-ring.js';
import { serve, type ServingTools } from './serving.js';

/** `fairlead api`: the API alone, on a database and a key ring that configuration names, until it's time to stop. */
export async function runApi(config: Config, tools: ServingTools): Promise<void> {
  // loadConfig doesn't return for this mode without database and ring.
  const resources = { databaseUrl: config.databaseUrl!, keyRing: configuredKeyRing(config.keys!, config.keysFile), logger: tools.logger, adminToken: null };
  await serve(config, resources.databaseUrl, tools, () => tools.startApi(config, resources), (api) => tools.print(`Fairlead is ready at ${api.url}`));
}
