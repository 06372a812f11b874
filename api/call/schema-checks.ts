import { UserFault } from '#core/errors.js';
import type { ToolSchemas } from '#core/tool/arguments.js';
import type { Violation } from '#core/tool/violation.js';
import type { ToolDefinition } from './tool-catalog.js';

const SHOWN = 3;

/** Holds arguments and results against what the tool declares. */
export class SchemaChecks {
  constructor(private readonly schemas: ToolSchemas) {}

  /**
   * A bad argument never leaves; nor does one that couldn't be checked.
   * @throws {UserFault} `ARGUMENTS_INVALID`; its field leads to the first fault
   */
  async arguments(tool: ToolDefinition, value: Record<string, unknown>): Promise<void> {
    const outcome = await this.schemas.check(`${tool.hash}/input`, tool.inputSchema, value);
    if (outcome.ok) return;
    switch (outcome.reason) {
      case 'INVALID':
        throw new UserFault('ARGUMENTS_INVALID', `The arguments don't match the tool's input schema: ${told(outcome.errors)}`, { field: ['input', 'arguments', ...steps(outcome.errors[0]?.pointer ?? '')] });
      case 'SCHEMA_UNUSABLE':
        throw new UserFault('ARGUMENTS_INVALID', `The tool's input schema can't be used, so no arguments can be checked: ${outcome.message} Tell the server's maintainers.`, { field: ['input', 'arguments'] });
      case 'NOT_IN_TIME':
        throw new UserFault('ARGUMENTS_INVALID', `The arguments could not be checked against the tool's input schema: ${outcome.message}`, { field: ['input', 'arguments'], retryable: true });
    }
  }

  /**
   * What is wrong with a result, or null. A tool that declares an output schema owes structured content. A schema that can't be used at all is taken as none: the
   * tool has run, and its result would be lost for a fault in a description.
   */
  async result(tool: ToolDefinition, structuredContent: unknown): Promise<string | null> {
    if (tool.outputSchema === null) return null;
    if (structuredContent === undefined) return 'there is no structured content.';
    const outcome = await this.schemas.check(`${tool.hash}/output`, tool.outputSchema, structuredContent);
    if (outcome.ok || outcome.reason === 'SCHEMA_UNUSABLE') return null;
    return outcome.reason === 'INVALID' ? told(outcome.errors) : outcome.message;
  }
}

/** The first faults in words. */
function told(errors: readonly Violation[]): string {
  const shown = errors.slice(0, SHOWN).map(({ pointer, message }) => `${pointer === '' ? 'the whole' : pointer} ${message}`);
  return `${shown.join('; ')}${errors.length > SHOWN ? `; and ${errors.length - SHOWN} more` : ''}.`;
}

/** The steps of a JSON pointer (https://www.rfc-editor.org/rfc/rfc6901#section-4). */
function steps(pointer: string): string[] {
  return pointer.split('/').slice(1).map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}
