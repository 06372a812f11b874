import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Tool } from '#core/store/entities/tool.entity.js';
import type { Store } from '#core/store/store.js';
import { UserFault } from '#core/errors.js';
import { requireRole } from '../../access.js';
import { uuidOf } from '../../graphql/node-id.js';
import { membershipIn, type Principal } from '../../identity/principal.js';
import type { Act } from '../../mutation.js';
import type { AcceptToolChangeInput } from './tool.type.js';

/** Rules of tools. */
export class ToolManager {
  constructor(private readonly store: Store) {}

  /** A tool that the viewer may see: of the type's own list, or of one of their own logins. Throws NOT_FOUND. */
  async visible(principal: Principal, id: string, field: string[]): Promise<{ tool: Tool; type: ConnectionType }> {
    const uuid = uuidOf('Tool', id);
    const tool = uuid === null ? null : await this.store.tools.byId(uuid);
    const membership = tool === null ? null : membershipIn(principal, tool.teamId);
    const type = tool === null || membership === null ? null : await this.store.connectionTypes.byId(tool.connectionTypeId);
    const login = tool?.enrollmentId == null ? null : await this.store.enrollments.byId(tool.enrollmentId);
    const [status] = type === null ? [] : await this.store.connectionTypes.statuses([type.id]);
    // A list that was read through a login which is no longer shared is nobody's to see.
    const seen = tool?.enrollmentId === null ? status?.toolsSource != null : login !== null && login.ownerId === membership?.memberId;
    if (tool === null || type === null || !seen) throw new UserFault('NOT_FOUND', 'There is no such tool: list the connection type\'s tools for the ids that there are.', { field });
    return { tool, type };
  }

  /** Managers only. Accepts exactly the definition that was looked at, in every list of the type that has it. */
  async accept(act: Act, input: AcceptToolChangeInput): Promise<{ tool: Tool; type: ConnectionType }> {
    const { tool, type } = await this.visible(act.context.principal, input.toolId, ['input', 'toolId']);
    act.about(type.teamId, { type: 'Tool', id: tool.id, name: `${type.name}/${tool.name}` });
    requireRole(membershipIn(act.context.principal, type.teamId)!, 'MANAGER', 'Accepting changed tools');
    return act.commit(async (repositories) => {
      const current = await repositories.tools.byId(tool.id);
      if (current === null || current.definitionHash !== input.definitionHash) {
        throw new UserFault('STALE_VERSION', 'The tool\'s definition changed again since you looked at it: read it once more.', { field: ['input', 'definitionHash'] });
      }
      await repositories.tools.accept(type.id, tool.name, input.definitionHash);
      return { tool: (await repositories.tools.byId(tool.id))!, type };
    });
  }
}
