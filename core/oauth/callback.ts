import * as oauth from 'oauth4webapi';
import { quotePeer } from '../errors.js';
import type { PendingAuthorization } from './authorization.js';
import { OAuthFault } from './fault.js';
import { errorCode, peerWords } from './refusal.js';
import { requestTokens, type TokenParties } from './token-request.js';
import type { TokenSet } from './token-set.js';

/** The answer that came with the browser, and what it must fit. */
export interface AuthorizationAnswer extends TokenParties {
  /** The callback's query. */
  parameters: URLSearchParams;
  /** The one whose stored hash matched the query's `state`: **finding it is the check of `state`**, and the caller's, as is that it is used once. */
  pending: PendingAuthorization;
}

/**
 * Ends an authorization: believes nothing of the answer before its issuer is known to be the one that was asked, errors included; then turns the code into tokens.
 * https://www.rfc-editor.org/rfc/rfc9207#section-2.4 , https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3
 * @throws {OAuthFault} `ISSUER_MISMATCH`: the answer isn't from whom we asked, and nothing of it is shown; `ACCESS_DENIED`: the person said no; the codes of a token request otherwise.
 * A code is never presented twice: after any fault, the person starts again.
 */
export async function finishAuthorization({ parameters, pending, ...parties }: AuthorizationAnswer): Promise<TokenSet> {
  const { metadata, issuer } = parties.discovery;
  if (pending.issuer !== issuer || pending.clientId !== parties.client.clientId) {
    throw new OAuthFault('ISSUER_MISMATCH', 'The server\'s issuer or client changed while consent was being asked for. Start again.');
  }
  const believed = believedAnswer(parameters, metadata, pending);
  const code = believed.get('code')!;
  const { redirectUri, codeVerifier, resource, scopes } = pending;
  return requestTokens({ ...parties, discovery: { ...parties.discovery, resource } }, {
    send: (client, authentication, options) => oauth.authorizationCodeGrantRequest(metadata, client, authentication, believed, redirectUri, codeVerifier, options),
    process: (client, response) => oauth.processAuthorizationCodeResponse(metadata, client, response),
    requestedScopes: scopes, refreshToken: null, secrets: [code, codeVerifier],
  });
}

/**
 * The answer's parameters, in the form that oauth4webapi's next step demands.
 * @throws {OAuthFault}
 */
function believedAnswer(parameters: URLSearchParams, metadata: oauth.AuthorizationServer, pending: PendingAuthorization): URLSearchParams {
  checkIssuer(parameters, metadata, pending.issuer);
  try {
    // `state` was checked by its hash, which is all that is kept of it.
    const believed = oauth.validateAuthResponse(metadata, { client_id: pending.clientId }, parameters, oauth.skipStateCheck);
    if (believed.getAll('code').length === 1 && believed.get('code') !== '') return believed;
  } catch (error) {
    // Its errors carry the parameters in their cause, so none is passed on.
    if (error instanceof oauth.AuthorizationResponseError) throw denied(parameters, pending);
    if (!(error instanceof oauth.OperationProcessingError) && !(error instanceof oauth.UnsupportedOperationError)) throw error;
  }
  throw new OAuthFault('INVALID_ANSWER', `${quotePeer(pending.issuer)} sent the browser back without a usable answer. Start again.`);
}

/** Compared character by character. https://www.rfc-editor.org/rfc/rfc9207#section-2.4 */
function checkIssuer(parameters: URLSearchParams, metadata: oauth.AuthorizationServer, expected: string): void {
  const said = parameters.getAll('iss');
  if (said.length === 0 && metadata.authorization_response_iss_parameter_supported !== true) return;
  if (said.length === 1 && said[0] === expected) return;
  const how = said.length === 0 ? 'without saying from whom, although it promises to' : 'in the name of another issuer';
  throw new OAuthFault('ISSUER_MISMATCH', `The answer of ${quotePeer(expected)} came ${how}. Nothing of it was used. Start again; if it happens again, tell the server's operator.`);
}

function denied(parameters: URLSearchParams, { issuer, codeVerifier }: PendingAuthorization): OAuthFault {
  const error = parameters.get('error')!;
  const words = peerWords(error, parameters.get('error_description'), [codeVerifier]);
  const kind = errorCode(error);
  if (kind === 'ACCESS_DENIED') return new OAuthFault('ACCESS_DENIED', `Consent was refused at ${quotePeer(issuer)}: ${words}. Start again to give it.`, { error });
  if (kind === 'TEMPORARY' || error === 'server_error') return new OAuthFault('TEMPORARY', `${quotePeer(issuer)} could not ask for consent: ${words}. Start again later.`, { error });
  // Never INVALID_CLIENT: a person can write what they like into their own callback, and a client that is replaced costs everybody their login. Only the token endpoint is believed that.
  return new OAuthFault('REFUSED', `${quotePeer(issuer)} refused the request for consent: ${words}.`, { error });
}
