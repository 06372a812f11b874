import { In, type EntityManager } from 'typeorm';
import { ToolCallApproval, type ApprovalState } from './entities/tool-call-approval.entity.js';

/** A new approval; how long it may be given is in `expiresInMs`. */
export type NewApproval = Pick<ToolCallApproval, 'toolCallId' | 'teamId' | 'binding' | 'enrollmentAsked' | 'timeoutMs'> & { expiresInMs: number };

/** Who decided, and what they said. */
export interface Decision {
  byId: string;
  byName: string;
  comment: string | null;
}

/** Rows that a call was checked against: it starts only if they still are at these versions. */
export interface ApprovedVersions {
  connectionTypeId: string;
  specVersion: number;
  enrollmentId: string;
  /** Whose own enrollments count besides shared ones; null: nobody's. */
  personId: string | null;
  /** Null for a login, whose tokens are renewed by themselves: then it is enough that there are some. */
  credentialVersion: number | null;
  toolScopeId: string;
  tool: string;
  definitionHash: string;
  /** Null for a person's own call. */
  assignment: { id: string; version: number } | null;
  callerId: string;
  /** Null where the caller had signed in. */
  tokenId: string | null;
}

/** That `$3` is still somebody who decides. */
const MAY_DECIDE = `exists (select from members where id = $3 and role in ('MANAGER', 'ADMIN'))`;

/**
 * Approvals of calls. All times are the database's. Each leaves `PENDING` by one conditional statement together with its call, so that however many decide,
 * in however many processes, one decision counts and the call runs once.
 */
export class Approvals {
  constructor(private readonly manager: EntityManager) {}

  byId(toolCallId: string): Promise<ToolCallApproval | null> {
    return this.manager.findOneBy(ToolCallApproval, { toolCallId });
  }

  byIds(toolCallIds: readonly string[]): Promise<ToolCallApproval[]> {
    return this.manager.findBy(ToolCallApproval, { toolCallId: In([...toolCallIds]) });
  }

  /** To be written before the call's record: one without a record comes to nothing when it expires, a record without one would wait for ever. */
  async insert(approval: NewApproval): Promise<void> {
    await this.manager.query(
      `insert into tool_call_approvals (tool_call_id, team_id, binding, enrollment_asked, timeout_ms, expires_at)
       values ($1, $2, $3, $4, $5, now() + $6 * interval '1 millisecond')`,
      [approval.toolCallId, approval.teamId, approval.binding, approval.enrollmentAsked, approval.timeoutMs, approval.expiresInMs],
    );
  }

  /** For a call that wasn't recorded after all. */
  async remove(toolCallId: string): Promise<void> {
    await this.manager.delete(ToolCallApproval, { toolCallId });
  }

  /**
   * Approves the call and makes it this process's to run. False when somebody decided before, it has expired, who decides may no longer, or one of the rows isn't as it
   * was looked at: then nothing was written. What is kept of the call is kept for a day from now.
   */
  async approve(toolCallId: string, processId: string, decision: Decision, at: ApprovedVersions): Promise<boolean> {
    const [row] = (await this.manager.query(
      `with approved as (
         update tool_call_approvals set state = 'APPROVED', decided_by_id = $3, decided_by_name = $4, comment = $5, decided_at = now()
         where tool_call_id = $1 and state = 'PENDING' and expires_at > now()
           and exists (select from tool_calls where id = $1 and status = 'PENDING_APPROVAL')
           and ${MAY_DECIDE}
           and exists (select from connection_types where id = $6 and version = $7 and deleted_at is null)
           and exists (select from enrollments where id = $8 and deleted_at is null and (shared or owner_id = $17))
           and exists (select from credentials where enrollment_id = $8 and case when $9::int is null then sealed is not null else version = $9 end)
           and exists (select from tools where scope_id = $10 and name = $11 and definition_hash = $12 and removed_at is null)
           and ($13::uuid is null or exists (select from assignments where id = $13 and version = $14))
           and exists (select from members where id = $15)
           and ($16::uuid is null or exists (select from tokens where id = $16 and (expires_at is null or expires_at > now())))
         returning 1
       ),
       kept as (update tool_call_payloads set expires_at = now() + interval '24 hours' where tool_call_id = $1 and exists (select from approved)),
       begun as (update tool_calls set status = 'RUNNING', process_id = $2 where id = $1 and exists (select from approved))
       select count(*)::int as approved from approved`,
      [
        toolCallId, processId, decision.byId, decision.byName, decision.comment, at.connectionTypeId, at.specVersion, at.enrollmentId, at.credentialVersion,
        at.toolScopeId, at.tool, at.definitionHash, at.assignment?.id ?? null, at.assignment?.version ?? null, at.callerId, at.tokenId, at.personId,
      ],
    )) as { approved: number }[];
    return row?.approved === 1;
  }

  /** Ends the wait without a run: the call is `DENIED`, or `CANCELLED` by who made it. False when it waited no longer, or who decides may no longer. */
  async end(toolCallId: string, state: Exclude<ApprovalState, 'PENDING' | 'APPROVED'>, status: 'DENIED' | 'CANCELLED', decision: Decision | null): Promise<boolean> {
    const [row] = (await this.manager.query(
      `with decided as (
         update tool_call_approvals set state = $2, decided_by_id = $3, decided_by_name = $5, comment = $6, decided_at = now()
         where tool_call_id = $1 and state = 'PENDING' and ($3::uuid is null or ${MAY_DECIDE}) returning 1
       ),
       ended as (
         update tool_calls set status = $4, finished_at = now(), duration_ms = 1000 * extract(epoch from now() - started_at)
         where id = $1 and status = 'PENDING_APPROVAL' and exists (select from decided)
       )
       select count(*)::int as decided from decided`,
      [toolCallId, state, decision?.byId ?? null, status, decision?.byName ?? null, decision?.comment ?? null],
    )) as { decided: number }[];
    return row?.decided === 1;
  }

  /** Ends waits that lasted too long, and calls that wait for an approval that there isn't. Returns how many calls. */
  async expire(): Promise<number> {
    const [row] = (await this.manager.query(
      `with expired as (
         update tool_call_approvals set state = 'EXPIRED', decided_at = now() where state = 'PENDING' and expires_at <= now() returning tool_call_id
       ),
       ended as (
         update tool_calls set status = 'DENIED', finished_at = now(), duration_ms = 1000 * extract(epoch from now() - started_at)
         where status = 'PENDING_APPROVAL' and id in (select tool_call_id from expired) returning 1
       )
       select count(*)::int as ended from ended`,
    )) as { ended: number }[];
    return row?.ended ?? 0;
  }

  /** Deletes up to `limit` decisions whose call has gone by its age. Returns how many. */
  async deleteLeft(limit: number): Promise<number> {
    const [, count] = (await this.manager.query(
      `delete from tool_call_approvals where tool_call_id in (
         select a.tool_call_id from tool_call_approvals a
         where a.state <> 'PENDING' and a.expires_at < now() - interval '1 day' and not exists (select from tool_calls c where c.id = a.tool_call_id) limit $1)`,
      [limit],
    )) as [unknown, number];
    return count;
  }
}
