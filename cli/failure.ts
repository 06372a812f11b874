import { ConfigError } from '#core/config/fault.js';
import { StartFault } from '#core/postgres/start-fault.js';
import type { SchemaTooNew, SchemaTooOld } from '#core/store/migrate.js';
import { VaultError } from '#core/vault/vault-error.js';

/** The caller of a command gave it something that it can't use. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** How a command's error is told. */
export interface Failure {
  message: string;
  exitCode: number;
  /** Whether it is one of those that a person can do something about; else it is our fault, and the message holds the stack. */
  expected: boolean;
}

/** Tells expected faults by their message alone, and anything else with its stack and causes. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ConfigError || error instanceof UsageError) return { message: error.message, exitCode: 2, expected: true };
  if (error instanceof StartFault || error instanceof VaultError || isOfSchema(error)) return { message: error.message, exitCode: 1, expected: true };
  const address = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (address.code === 'EADDRINUSE') {
    return { message: `Something else listens on ${address.address ?? ''}:${address.port ?? ''} already. Stop it, or set PORT to another one (0 picks a free one).`, exitCode: 1, expected: true };
  }
  if (address.code === 'EADDRNOTAVAIL' || (address.code === 'EACCES' && address.port !== undefined)) {
    return { message: `This machine can't listen on ${address.address ?? ''}:${address.port ?? ''} (${address.code}). Set HOST and PORT to what it can.`, exitCode: 1, expected: true };
  }
  const told = error instanceof Error ? [error.stack ?? error.message, ...causesOf(error)].join('\ncaused by ') : String(error);
  return { message: `This is a fault of Fairlead:\n${told}`, exitCode: 1, expected: false };
}

/** By name: the classes would load the database's libraries for every command. */
function isOfSchema(error: unknown): error is SchemaTooNew | SchemaTooOld {
  return error instanceof Error && (error.name === 'SchemaTooNew' || error.name === 'SchemaTooOld');
}

function causesOf(error: Error): string[] {
  return error.cause instanceof Error ? [error.cause.stack ?? error.cause.message, ...causesOf(error.cause)] : [];
}
