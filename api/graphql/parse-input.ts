import type { z } from 'zod';
import { UserFault } from '#core/errors.js';

/** Parses part of an input; the first fault becomes `UserFault` INVALID with its path under `at`. Never echoes the value. */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown, at: string[] = ['input']): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.map(String) ?? [];
  const message = issue === undefined || issue.message.startsWith('Invalid input') ? 'This value can\'t be used here: see the description of the field.' : issue.message;
  throw new UserFault('INVALID', message, { field: [...at, ...path] });
}
