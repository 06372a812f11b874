import { mkdir, writeFile } from 'node:fs/promises';
import { configDocument } from '#core/config/document.js';

// Writes schema/config.md; run in the root of the repository, by `npm run generate:config`.
await mkdir('schema', { recursive: true });
await writeFile('schema/config.md', configDocument());
