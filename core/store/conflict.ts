import { QueryFailedError } from 'typeorm';

/** Whether `error` is PostgreSQL's unique_violation (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof QueryFailedError && (error.driverError as { code?: string }).code === '23505';
}
