import { z } from 'zod';
import { headerName } from '#core/connection/spec.js';
import { REFUSED_HEADER_NAMES, REFUSED_HEADER_PREFIXES } from '#core/connection/header-rules.js';
import { ORIGINS } from '#core/connection/spec.js';
import { cel, celList, immutable } from './rule.js';

/** Parts that both kinds of manifests have. */

/** Who owns the spec. Mirrors of what was made through GraphQL say `API`; they are written by Fairlead alone. */
export const originField = z.enum(ORIGINS).default('MANIFEST').meta({
  description: 'Who owns this spec: MANIFEST (the default), or API for mirrors of what was created through GraphQL, which only Fairlead writes.', ...cel(immutable('spec.origin')),
});

/** A value in a Secret of the same namespace. */
export const secretKeyRef = z.object({
  name: z.string().min(1).max(253).meta({ description: 'The Secret\'s name, in this namespace. Only Secrets with the label fairlead.dev/credential: "true" are used.' }),
  key: z.string().min(1).max(253).meta({ description: 'The key in its data.' }),
});
export type SecretKeyRef = z.output<typeof secretKeyRef>;

/** A header's name, with the rules of header-rules.ts as the API server can check them. */
export const manifestHeaderName = headerName.min(1).max(128).meta({
  description: 'The header\'s name.',
  ...cel(
    { rule: 'self.matches("^[!#$%&\'*+.^_`|~0-9A-Za-z-]+$")', message: 'A header name is letters, digits or !#$%&\'*+-.^_`|~ (RFC 9110), for example X-Api-Key.' },
    {
      rule: `!(self.lowerAscii() in ${celList(REFUSED_HEADER_NAMES)}) && !${celList(REFUSED_HEADER_PREFIXES)}.exists(prefix, self.lowerAscii().startsWith(prefix))`,
      message: 'This header belongs to HTTP, proxies or MCP itself and can\'t be set; use the header that the server documents for its key.',
    },
  ),
});

/** Rules of a server's address that the API server can check; egress and the catalog check the rest. */
export const URL_RULES = cel(
  { rule: 'isURL(self) && url(self).getScheme() in [\'https\', \'http\'] && url(self).getHost() != \'\'', message: 'Enter an absolute https:// URL, for example https://mcp.example.com/mcp.' },
  { rule: '!self.matches(\'^[A-Za-z]+://[^/?#]*@\')', message: 'Leave credentials out of the URL: they belong into Secrets, which enrollments name.' },
  { rule: '!self.contains(\'#\')', message: 'Leave out the part from # on.' },
);
