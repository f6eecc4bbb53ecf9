// Run an OIDC issuer that is not ours (npm's oidc-provider) on loopback, for tests.
//
//   node server.mjs PORT AUDIENCE [ALG]     PORT 0 picks a free one; ALG is RS256 (default), PS256, ES256 or EdDSA
//
// Prints its URL on one line once it listens. The client `orders-job` (secret `orders-secret`) gets JWT access
// tokens by client_credentials with `resource=AUDIENCE` (RFC 8707, RFC 9068). POST /rotate replaces the key.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const [port, audience, alg = 'RS256'] = process.argv.slice(2);
if (port === undefined || audience === undefined) {
  process.stderr.write('usage: node server.mjs PORT AUDIENCE [RS256|PS256|ES256|EdDSA]\n');
  process.exit(2);
}

function newKey() {
  const { privateKey } = {
    RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: () => generateKeyPairSync('ed25519'),
  }[alg]();
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg };
}

function provider(issuer, keys) {
  return new Provider(issuer, {
    jwks: { keys },
    clients: [
      {
        client_id: 'orders-job',
        client_secret: 'orders-secret',
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        id_token_signed_response_alg: alg,
      },
    ],
    extraTokenClaims: () => ({ project_id: '20', environment: 'production' }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          audience,
          scope: 'bastion',
          accessTokenTTL: 600,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg } },
        }),
      },
    },
  });
}

const server = createServer();
server.listen(Number(port), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let keys = [newKey()];
  let answer = provider(issuer, keys).callback();
  server.on('request', (request, response) => {
    if (request.method === 'POST' && request.url === '/rotate') {
      keys = [newKey()];
      answer = provider(issuer, keys).callback();
      response.end();
    } else {
      answer(request, response);
    }
  });
  process.stdout.write(`${issuer}\n`);
});
