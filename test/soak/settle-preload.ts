import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// Loaded into an API before its own code (`node --import`): when told to (SIGUSR2), it collects garbage and writes how many bytes live on.
const file = process.env['SOAK_MEMORY_FILE'];
if (file !== undefined) {
  process.on('SIGUSR2', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    collect();
    // What the first collection freed by finalizers.
    setImmediate(() => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      writeFileSync(file, `${heapUsed + external}\n`);
    });
  });
}
