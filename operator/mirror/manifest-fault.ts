import type { z } from 'zod';

/** What is wrong with a manifest, in one line for people; no value is quoted. */
export function manifestFault(error: z.ZodError): string {
  return error.issues.slice(0, 5).map(({ path, message }) => `spec${path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')}: ${message}`).join(' ').slice(0, 2000);
}
