import type { AuthMethod } from '#core/connection/spec.js';
import type { Member } from '#core/store/entities/member.entity.js';
import type { Repositories } from '#core/store/store.js';
import { refused, type Verdict } from './conditions.js';

/**
 * Whose a manifest's enrollment is (design section 8): a login belongs to a person, who is a member already and consents themselves; a credential from Secrets to a machine user, made on first
 * use. A plain local member: nobody puts a credential under the name of somebody with more rights.
 */
export async function ownerOf(repositories: Repositories, teamId: string, subject: string, method: AuthMethod): Promise<{ owner: Member } | { verdict: Verdict }> {
  const [person, local] = await Promise.all([repositories.members.bySubject(teamId, subject, false), repositories.members.bySubject(teamId, subject, true)]);
  if (method === 'OAUTH') {
    const owner = person ?? local;
    if (owner !== null) return { owner };
    return { verdict: refused('OwnerNotFound', `The team has no member ${JSON.stringify(subject)}: an administrator adds them with setMember, or they sign in first.`) };
  }
  if (person !== null) return { verdict: refused('OwnerIsPerson', `${JSON.stringify(subject)} is a person, who enters their credential themselves: name a machine user as the owner.`) };
  if (local !== null && local.role !== 'MEMBER') return { verdict: refused('OwnerNotAllowed', `${JSON.stringify(subject)} is ${local.role} of the team: credentials of manifests belong to machine users, which are plain members.`) };
  return { owner: local ?? (await repositories.members.upsert({ teamId, subject, local: true, displayName: null, role: 'MEMBER', source: 'API' })) };
}
