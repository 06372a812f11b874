import { createHash } from 'node:crypto';
import { UserFault } from '#core/errors.js';
import { parseLossless } from '#core/json/lossless.js';
import { callTraits } from '#core/mcp/param-headers.js';
import type { CallTraits, RawTool } from '#core/mcp/session.js';
import type { Tools } from '#core/store/tools.js';
import { toolAllowed } from '#core/tool/policy.js';
import { hintsOf, type ToolHints } from './approval-rule.js';
import type { Route } from './route.js';
import type { TeamCache } from './team-cache.js';

/** A definition, parsed once however many logins have it. */
export interface ToolDefinition {
  /** Of what policy and schema checks look at; `execution` isn't part of it. */
  hash: string;
  inputSchema: Record<string, unknown>;
  outputSchema: Record<string, unknown> | null;
  traits: CallTraits;
  /** The server's word. */
  hints: ToolHints;
}

interface KnownTool {
  definition: ToolDefinition;
  acceptedHash: string;
}

const MAX_DEFINITIONS = 2000;

/** The tools that a call may name, as the catalog has them. */
export class ToolCatalog {
  readonly #definitions = new Map<string, ToolDefinition>();

  constructor(private readonly tools: Tools, private readonly cache: TeamCache) {}

  /**
   * The definition of the tool that a call names, if policy lets the call pass.
   * @throws {UserFault} `TOOL_UNKNOWN`, `TOOL_DENIED`, `TOOL_CHANGED`
   */
  async callable(route: Route, name: string): Promise<ToolDefinition> {
    const field = ['input', 'tool'];
    const { toolPolicy, displayName } = route.spec;
    const tool = await this.cache.through(route.teamId, `tool|${route.toolScopeId}|${name}`, () => this.#read(route, name));
    if (!toolAllowed(toolPolicy, name)) {
      throw new UserFault('TOOL_DENIED', `The tool ${JSON.stringify(name)} may not be called: the tool policy of ${displayName} excludes it. Ask a manager.`, { field });
    }
    const allowed = route.assignment?.slot.allowedTools ?? null;
    if (allowed !== null && !toolAllowed({ allow: allowed }, name)) {
      throw new UserFault('TOOL_DENIED', `The tool ${JSON.stringify(name)} may not be called: the assignment's slot for ${displayName} excludes it. Ask a manager.`, { field });
    }
    if (toolPolicy.onChange === 'BLOCK' && tool.definition.hash !== tool.acceptedHash) {
      throw new UserFault('TOOL_CHANGED', `The server has changed the tool ${JSON.stringify(name)}, and no manager has accepted the change yet.`, { field });
    }
    return tool.definition;
  }

  /** Throws for tools that aren't there, so that names that somebody made up aren't kept. */
  async #read(route: Route, name: string): Promise<KnownTool> {
    const tool = await this.tools.byName(route.toolScopeId, name);
    if (tool === null || tool.removedAt !== null) {
      const { displayName } = route.spec;
      const message = !route.toolsRead
        ? `The tools of ${displayName} have not been read yet: check the connection type, then call again.`
        : tool === null
          ? `${displayName} has no tool ${JSON.stringify(name)}: list its tools for the names that there are.`
          : `${displayName} no longer has the tool ${JSON.stringify(name)}.`;
      throw new UserFault('TOOL_UNKNOWN', message, { field: ['input', 'tool'] });
    }
    return { definition: this.#definition(tool.definitionHash, tool.definition), acceptedHash: tool.acceptedHash };
  }

  #definition(hash: string, text: string): ToolDefinition {
    const key = createHash('sha256').update(text).digest('base64');
    let definition = this.#definitions.get(key);
    if (definition === undefined) {
      const raw = parseLossless(text) as RawTool;
      const outputSchema = raw['outputSchema'];
      definition = { hash, inputSchema: raw.inputSchema, outputSchema: isObject(outputSchema) ? outputSchema : null, traits: callTraits(raw), hints: hintsOf(raw['annotations']) };
      this.#definitions.set(key, definition);
      if (this.#definitions.size > MAX_DEFINITIONS) this.#definitions.delete(this.#definitions.keys().next().value!);
    }
    return definition;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
