import type { AuthMethod } from '#core/connection/spec.js';
import type { Member } from '#core/store/entities/member.entity.js';
import type { Repositories } from '#core/store/store.js';
import { refused, type Verdict } from './conditions.js';

/**
 * Whose a manifest's enrollment is (design section 8): a login belongs to a person, who is a member already and consents themselves; a credential from Secrets to a machine user, made on first
 * use. A plain local member: nobody puts a credential under the name of somebody with more rights. People are known by their subject, or by the address that their issuer verified.
 */
export async function ownerOf(repositories: Repositories, teamId: string, named: string, method: AuthMethod): Promise<{ owner: Member } | { verdict: Verdict }> {
  const { members } = repositories;
  // One after the other: they share a transaction's connection.
  const bySubject = await members.bySubject(teamId, named, false);
  const local = await members.bySubject(teamId, named, true);
  const byEmail = named.includes('@') ? await members.byEmail(teamId, named) : [];
  const people = bySubject === null ? byEmail : [bySubject];
  if (method === 'OAUTH') {
    const owner = bySubject ?? local ?? (people.length === 1 ? people[0]! : null);
    return owner === null ? { verdict: people.length > 1 ? ambiguous(named) : notFound(named) } : { owner };
  }
  if (people.length > 0) return { verdict: refused('OwnerIsPerson', `${JSON.stringify(named)} is a person, who enters their credential themselves: name a machine user as the owner.`) };
  if (local !== null && local.role !== 'MEMBER') return { verdict: refused('OwnerNotAllowed', `${JSON.stringify(named)} is ${local.role} of the team: credentials of manifests belong to machine users, which are plain members.`) };
  return { owner: local ?? (await members.upsert({ teamId, subject: named, local: true, displayName: null, role: 'MEMBER', source: 'API' })) };
}

/** Whether a manifest's `owner` names this member. Pure. */
export function isNamed({ subject, email }: Pick<Member, 'subject' | 'email'>, named: string): boolean {
  return subject === named || email?.toLowerCase() === named.toLowerCase();
}

function notFound(named: string): Verdict {
  const known = named.includes('@') ? 'with that subject, and none whose issuer verified that mail address when they signed in' : 'with that subject';
  return refused('OwnerNotFound', `The team has no member ${JSON.stringify(named)}: none ${known}. An administrator adds them with setMember, or they sign in first.`);
}

/** An address that went from one person to another says of nobody who is meant. */
function ambiguous(named: string): Verdict {
  return refused('OwnerAmbiguous', `Several members of the team signed in with the mail address ${JSON.stringify(named)}: create the object anew with the subject of the one who is meant.`);
}
