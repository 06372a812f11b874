import type { Config } from '#core/config/config.js';
import { configuredKeyRing } from './key-ring.js';
import { serve, type ServingTools } from './serving.js';

/** `fairlead operator`: the operator alone, beside any number of others and of APIs on the same database and key ring, until it's time to stop. */
export async function runOperator(config: Config, tools: ServingTools): Promise<void> {
  // loadConfig doesn't return for this mode without the three.
  const resources = { databaseUrl: config.databaseUrl!, keyRing: configuredKeyRing(config.keys!, config.keysFile), publicUrl: config.publicUrl!, logger: tools.logger, metrics: null, ownPorts: [], print: tools.print };
  await serve(config, resources.databaseUrl, tools, () => tools.startOperator(config, resources), () => tools.print('The operator works.'));
}
