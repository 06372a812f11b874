import { QueryFailedError } from 'typeorm';

/** Whether `error` is PostgreSQL's unique_violation (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof QueryFailedError && (error.driverError as { code?: string }).code === '23505';
}

/** Whether `error` is PostgreSQL's deadlock_detected: of two transactions that waited for each other this one was rolled back, and may be run again. */
export function isDeadlock(error: unknown): boolean {
  return error instanceof QueryFailedError && (error.driverError as { code?: string }).code === '40P01';
}
