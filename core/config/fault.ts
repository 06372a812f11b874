/** One thing that is wrong with the configuration. */
export interface ConfigFault {
  key: string;
  /** What is wrong and what is expected; never the value of a secret. */
  problem: string;
  /** A line that would be right, e.g. `PORT=4000`; absent where nothing has to be set. */
  example?: string;
}

/** The configuration can't be used. Holds every fault at once, and its message lists them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly faults: readonly ConfigFault[]) {
    const lines = faults.map(({ key, problem, example }) => `  ${key}: ${problem}${example === undefined ? '' : `  Example: ${example}`}`);
    super(`The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${lines.join('\n')}\nAll keys are described in schema/config.md.`);
  }
}
