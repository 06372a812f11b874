import type * as oauth from 'oauth4webapi';
import type { OAuthClientIdentity } from './client-information.js';

/**
 * Puts a client's credentials into a request, as oauth4webapi's `ClientAuth`. A public client sends its id and never a secret, not even an empty one.
 * https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
 */
export function clientAuthentication({ clientId, clientSecret, authMethod }: OAuthClientIdentity): oauth.ClientAuth {
  return (_server, _client, body, headers) => {
    if (authMethod === 'none' || clientSecret === null || clientSecret === '') {
      body.set('client_id', clientId);
    } else if (authMethod === 'client_secret_post') {
      body.set('client_id', clientId);
      body.set('client_secret', clientSecret);
    } else {
      headers.set('authorization', `Basic ${Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64')}`);
    }
  };
}

/**
 * `application/x-www-form-urlencoded` as the URL standard has it: `-`, `_`, `.` and `*` stay as they are. oauth4webapi's own encodes them as %XX, which is allowed,
 * and which servers that don't decode refuse.
 */
function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}
