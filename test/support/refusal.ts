import type { GraphqlAnswer } from './api.js';

/** A refusal, as far as clients act on it. */
export interface SeenRefusal {
  code: string;
  message: string;
  field: string[] | null;
  retryable: boolean;
}

/** The only userError of an answer's only field. Throws where it was done, or where there are errors of another kind. */
export function refusalOf({ data, errors }: GraphqlAnswer): SeenRefusal {
  if (errors.length > 0) throw new Error(`Not refused as data: ${JSON.stringify(errors)}`);
  const [payload] = Object.values(data as Record<string, { userErrors: SeenRefusal[] }>);
  if (payload?.userErrors.length !== 1) throw new Error(`Not refused: ${JSON.stringify(data)}`);
  return payload.userErrors[0]!;
}
