/** A slice of a keyset-paged list: `after` is the key of the last row seen, in the list's own order. */
export interface PageRequest {
  /** 1 to 100. */
  first: number;
  after: string | null;
}

/** Rows of one page, and whether more follow. */
export interface Page<T> {
  rows: T[];
  hasNextPage: boolean;
}

/** Cuts the one row too many that a query asked for, to know whether more follow. */
export function pageOf<T>(rows: T[], first: number): Page<T> {
  return { rows: rows.slice(0, first), hasNextPage: rows.length > first };
}
