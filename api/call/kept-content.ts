import { parseLossless, stringifyLossless } from '#core/json/lossless.js';
import type { SealContext } from '#core/vault/context.js';
import type { Vault } from '#core/vault/vault.js';
import type { CallContent } from './call-request.js';

/** Seals and opens what is kept of a call; integers beyond 2^53 come out with the digits that they went in with. */
export class KeptContent {
  constructor(private readonly vault: Vault) {}

  sealArguments(teamId: string, callId: string, value: Record<string, unknown>): Promise<Buffer> {
    return this.vault.seal(teamId, place(callId, 'sealed_arguments'), stringifyLossless(value));
  }

  sealResult(teamId: string, callId: string, value: CallContent): Promise<Buffer> {
    return this.vault.seal(teamId, place(callId, 'sealed_result'), stringifyLossless(value));
  }

  async openArguments(teamId: string, callId: string, sealed: Buffer): Promise<Record<string, unknown>> {
    return parseLossless((await this.vault.open(teamId, place(callId, 'sealed_arguments'), sealed)).toString('utf8')) as Record<string, unknown>;
  }

  async openResult(teamId: string, callId: string, sealed: Buffer): Promise<CallContent> {
    return parseLossless((await this.vault.open(teamId, place(callId, 'sealed_result'), sealed)).toString('utf8')) as CallContent;
  }
}

function place(callId: string, column: 'sealed_arguments' | 'sealed_result'): SealContext {
  return { table: 'tool_call_payloads', column, rowId: callId, version: 1 };
}
