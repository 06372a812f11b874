import type { EgressResponse } from '../egress/response.js';
import { transportFault } from './faults.js';

/** The body as text. A failure on the way leaves the outcome open, since the server was answering already. */
export async function bodyText(response: EgressResponse): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    throw transportFault(error, true);
  }
}

/** The content type without parameters, in lower case. https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1 */
export function mediaType(response: EgressResponse): string | null {
  return headerOf(response, 'content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? null;
}

/** A header's value by its lower-case name; several fields are joined. */
export function headerOf(response: EgressResponse, name: string): string | null {
  const value = response.headers[name];
  return (Array.isArray(value) ? value.join(', ') : value) ?? null;
}
