import type { ApiClient } from './api-client.js';
import { CALL_TOOL, CREATE_TYPE, ENROLL, PROBE, type Call, type CallAnswer, type EnrollmentMade, type Made, type Probe, type Refusal, type TypeMade } from './documents.js';

/** What the server at a URL is, before anything is saved. */
export async function probe(person: ApiClient, serverUrl: string): Promise<Probe> {
  return (await person.ask<{ probeServer: Probe }>(PROBE, { input: { team: 'default', serverUrl } })).probeServer;
}

/** `createConnectionType` in the team `default`. */
export async function createType(manager: ApiClient, input: object): Promise<Made<'connectionType', TypeMade>> {
  const { createConnectionType } = await manager.ask<{ createConnectionType: Made<'connectionType', TypeMade> }>(CREATE_TYPE, { input: { team: 'default', ...input } });
  return createConnectionType;
}

/** `enroll`. */
export async function enroll(person: ApiClient, input: object): Promise<EnrollmentMade> {
  return (await person.ask<{ enroll: EnrollmentMade }>(ENROLL, { input })).enroll;
}

/** `callTool`. */
export async function callTool(person: ApiClient, input: object): Promise<CallAnswer> {
  return (await person.ask<{ callTool: CallAnswer }>(CALL_TOOL, { input })).callTool;
}

/** What was asked for. @throws with the refusals where it isn't there */
export function present<T>(value: T | null, refusals: Refusal[]): T {
  if (value === null) throw new Error(said(refusals));
  return value;
}

/** Refusals as text. */
export function said(refusals: Refusal[]): string {
  return refusals.map(({ code, message }) => `${code} – ${message}`).join('; ') || 'no refusal';
}

/** The text blocks of a call's answer. */
export function texts({ toolCall }: CallAnswer): string {
  return toolCall?.content?.flatMap((block) => (block.__typename === 'TextContent' ? [block.text ?? ''] : [])).join(' ') ?? '';
}

/** How long a call took. */
export function took({ toolCall }: { toolCall: Call | null }): string {
  return toolCall === null ? '' : `(${toolCall.durationMs.toFixed(1)} ms)`;
}
