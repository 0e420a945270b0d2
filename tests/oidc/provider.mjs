// A real OpenID provider (oidc-provider) for tests, with a second port that plays its users and its faults.
//
//   node provider.mjs --state FOLDER [--port 0] [--control-port 0]
//
// Prints one line of JSON: {"issuer", "control"}. Keys, grants and tokens are kept in the folder, so that it can be
// killed and started again on the same ports without losing anything.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { parseArgs } from 'node:util';

import * as jose from 'jose';
import { Provider } from 'oidc-provider';

const { values: options } = parseArgs({
  options: {
    state: { type: 'string' },
    port: { type: 'string', default: '0' },
    'control-port': { type: 'string', default: '0' },
  },
});
fs.mkdirSync(options.state, { recursive: true });

const ACCESS_SECONDS = 3600;
const now = () => Math.floor(Date.now() / 1000);

// A value in a file of the folder, written whole or not at all.
const stored = (name, initial) => {
  const file = path.join(options.state, name);
  const value = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : initial;
  const save = () => {
    fs.writeFileSync(`${file}.new`, JSON.stringify(value));
    fs.renameSync(`${file}.new`, file);
  };
  return { value, save };
};

// Everything that the provider keeps: by model and id, and by user code and grant besides.
const { value: rows, save: saveRows } = stored('rows.json', {});
class FolderAdapter {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    rows[this.key(id)] = { payload, until: expiresIn ? now() + expiresIn : null };
    for (const index of ['userCode', 'uid']) {
      if (payload[index]) rows[`${index}:${payload[index]}`] = { payload: id, until: null };
    }
    if (payload.grantId) {
      rows[`grant:${payload.grantId}`] ??= { payload: [], until: null };
      rows[`grant:${payload.grantId}`].payload.push(this.key(id));
    }
    saveRows();
  }

  async find(id) {
    const row = rows[this.key(id)];
    return row && (row.until === null || row.until > now()) ? row.payload : undefined;
  }

  async findByUserCode(code) {
    const row = rows[`userCode:${code}`];
    return row && this.find(row.payload);
  }

  async findByUid(uid) {
    const row = rows[`uid:${uid}`];
    return row && this.find(row.payload);
  }

  async consume(id) {
    const row = rows[this.key(id)];
    if (row) row.payload.consumed = now();
    saveRows();
  }

  async destroy(id) {
    delete rows[this.key(id)];
    saveRows();
  }

  async revokeByGrantId(grantId) {
    for (const key of rows[`grant:${grantId}`]?.payload ?? []) delete rows[key];
    delete rows[`grant:${grantId}`];
    saveRows();
  }
}

// One key for each algorithm, in generations. `EdDSA` is named `Ed25519` in its key, as RFC 9864 has it.
const makeKeys = (serial) => {
  const kinds = [['RS256', { modulusLength: 2048 }], ['ES256', {}], ['EdDSA', { crv: 'Ed25519' }]];
  return Promise.all(kinds.map(async ([alg, more]) => {
    const { privateKey } = await jose.generateKeyPair(alg, { extractable: true, ...more });
    const jwk = await jose.exportJWK(privateKey);
    const kid = `${alg.toLowerCase()}-${serial}`;
    return { ...jwk, kid, alg: alg === 'EdDSA' ? 'Ed25519' : alg, use: 'sig' };
  }));
};
const { value: ring, save: saveRing } = stored('keys.json', { serial: 1, keys: [], withdrawn: [] });
if (ring.keys.length === 0) ring.keys = await makeKeys(ring.serial);
saveRing();

// The users, by their subject. Two of them have the same name.
const GROUP = 'urn:geant:example.org:group:physics';
const USERS = {
  alice: {
    preferred_username: 'alice',
    eduperson_entitlement: [`${GROUP}#aai.example.org`],
  },
  bob: { preferred_username: 'bob', eduperson_entitlement: [`${GROUP}s`] },
  mallory: { preferred_username: 'alice' },
};

// Audiences, each with the format of its access tokens.
const AUDIENCES = {
  'https://kv.example.org': 'RS256',
  'https://kv.example.org/es256': 'ES256',
  'https://kv.example.org/eddsa': 'Ed25519',
  'https://other.example.org': 'RS256',
  'https://opaque.example.org': undefined,
};
const SCOPES = 'storage.read:/ storage.modify:/ storage.create:/ storage.read:/in storage.modify:/out compute.create';
// A server of a test has a port of its own.
const isLocal = (audience) => audience.startsWith('http://127.0.0.1:');
const resourceServer = (audience) => {
  if (!(audience in AUDIENCES) && !isLocal(audience)) throw new Error(`unknown audience ${audience}`);
  const alg = isLocal(audience) ? 'RS256' : AUDIENCES[audience];
  const format = alg ? { accessTokenFormat: 'jwt', jwt: { sign: { alg } } } : { accessTokenFormat: 'opaque' };
  return { scope: SCOPES, audience, accessTokenTTL: ACCESS_SECONDS, ...format };
};

const configuration = () => ({
  adapter: FolderAdapter,
  clients: [
    {
      client_id: 'prominence-cli',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/callback'],
      response_types: ['code'],
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token', 'authorization_code'],
    },
    {
      client_id: 'prominence-web',
      token_endpoint_auth_method: 'none',
      // The second one stands for every port of this machine.
      application_type: 'native',
      redirect_uris: ['https://kv.example.org/', 'http://127.0.0.1/'],
      response_types: ['code'],
      grant_types: ['authorization_code'],
    },
    {
      // As which the existing command line logs in, which asks for no audience.
      client_id: 'prominence-pypi',
      client_secret: 'the secret of prominence-pypi',
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [],
      response_types: [],
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
    },
    {
      client_id: 'prominence-kv',
      client_secret: 'the secret of prominence-kv',
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [],
      response_types: [],
      grant_types: [],
    },
  ],
  claims: { openid: ['sub'], profile: ['preferred_username', 'eduperson_entitlement'] },
  scopes: ['openid', 'offline_access', ...SCOPES.split(' ')],
  jwks: { keys: ring.keys },
  routes: { introspection: '/introspect', userinfo: '/userinfo', jwks: '/jwks', device_authorization: '/devicecode', revocation: '/revoke' },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'Ed25519'] },
  features: {
    devInteractions: { enabled: false },
    deviceFlow: { enabled: true },
    registration: { enabled: true },
    revocation: { enabled: true, allowedPolicy: (_, client, token) => token.clientId === client.clientId },
    introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === 'prominence-kv' },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_, client, oneOf) => {
        if (oneOf || client.clientId === 'prominence-cli') return oneOf;
        return 'https://kv.example.org';
      },
      useGrantedResource: () => true,
      getResourceServerInfo: (_, audience) => resourceServer(audience),
    },
  },
  extraTokenClaims: (_, token) => USERS[token.accountId],
  findAccount: (_, id) => USERS[id] && { accountId: id, claims: () => ({ sub: id, ...USERS[id] }) },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  ttl: { AccessToken: ACCESS_SECONDS, DeviceCode: 600, Grant: 86400, IdToken: 3600, Session: 86400, Interaction: 600 },
  cookies: { keys: ['only for tests'] },
});

let issuer;
let provider;
const makeProvider = () => {
  provider = new Provider(issuer, configuration());
  provider.on('server_error', (_, error) => console.error(error));
};

const grant = (accountId, clientId, audience) => {
  const made = new provider.Grant({ accountId, clientId });
  made.addOIDCScope('openid profile offline_access');
  if (audience) made.addResourceScope(audience, SCOPES);
  return made.save();
};

// The algorithms of the Web Cryptography API.
const SIGNING = { RS256: 'RSASSA-PKCS1-v1_5', ES256: { name: 'ECDSA', hash: 'SHA-256' }, EdDSA: 'Ed25519' };
const encode = (part) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
const withoutNulls = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));

// What is answered instead of the provider, by path, and how often each path was asked for.
const faults = {};
const counts = {};

const control = {
  // Approves a device code, as its user would in a browser.
  'POST /approve': async ({ user_code: userCode, user = 'alice' }) => {
    const bare = userCode.replace(/[^A-Z0-9]/gi, '').toUpperCase();
    const code = await provider.DeviceCode.findByUserCode(bare, { ignoreExpiration: true });
    const { scope, resource } = code.params;
    const grantId = await grant(user, code.clientId, resource);
    Object.assign(code, { accountId: user, authTime: now(), grantId, scope, resource, claims: undefined });
    await code.save();
    return {};
  },
  // A code of the page's login, as a browser would bring it back.
  'POST /code': async ({ user = 'alice', challenge, redirect }) => {
    const client = await provider.Client.find('prominence-web');
    const resource = 'https://kv.example.org';
    const grantId = await grant(user, client.clientId, resource);
    const code = new provider.AuthorizationCode({
      accountId: user, client, grantId, resource, redirectUri: redirect, scope: 'openid profile', authTime: now(),
      gty: 'authorization_code', codeChallenge: challenge, codeChallengeMethod: 'S256',
    });
    return { code: await code.save() };
  },
  // An access token as the provider itself makes it; for the audience `none` one for userinfo.
  'POST /mint': async ({ user = 'alice', audience = 'https://kv.example.org', scope = 'openid profile' }) => {
    const client = await provider.Client.find('prominence-cli');
    const forApi = audience === 'none' ? undefined : audience;
    const grantId = await grant(user, client.clientId, forApi);
    const token = new provider.AccessToken({ accountId: user, client, grantId, gty: 'device_code', scope });
    if (forApi) token.resourceServer = new provider.ResourceServer(forApi, resourceServer(forApi));
    return { access_token: await token.save() };
  },
  // The public key that signs by RS256 now, as PEM.
  'GET /pem': async () => {
    const { kty, n, e } = ring.keys.find((key) => key.kty === 'RSA');
    const key = crypto.createPublicKey({ key: { kty, n, e }, format: 'jwk' });
    return { pem: key.export({ type: 'spki', format: 'pem' }) };
  },
  // Any header and any claims, signed with a key of the provider, as a hostile or odd issuer would. `null` leaves a
  // member out.
  'POST /sign': async ({ alg = 'RS256', serial = ring.serial }, body) => {
    const { header = {}, claims = {}, text } = JSON.parse(body);
    const kid = `${alg.toLowerCase()}-${serial}`;
    const jwk = [...ring.keys, ...ring.withdrawn].find((key) => key.kid === kid);
    const signedHeader = withoutNulls({ alg, kid, typ: 'at+jwt', ...header });
    const payload = withoutNulls({
      iss: issuer, sub: 'alice', preferred_username: 'alice', aud: 'https://kv.example.org',
      iat: now(), exp: now() + ACCESS_SECONDS, client_id: 'prominence-cli', ...claims,
    });
    const input = `${encode(signedHeader)}.${encode(text ?? payload)}`;
    const key = await jose.importJWK(jwk, alg);
    const signature = await globalThis.crypto.subtle.sign(SIGNING[alg], key, Buffer.from(input));
    return { access_token: `${input}.${Buffer.from(signature).toString('base64url')}` };
  },
  // New keys: `add` publishes them and signs with them, `replace` withdraws the old ones besides, and `publish` goes on
  // signing with the old ones.
  'POST /rotate': async ({ mode }) => {
    const fresh = await makeKeys(ring.serial + 1);
    if (mode !== 'publish') ring.serial += 1;
    if (mode === 'replace') ring.withdrawn.push(...ring.keys);
    ring.keys = { replace: fresh, publish: [...ring.keys, ...fresh], add: [...fresh, ...ring.keys] }[mode];
    saveRing();
    makeProvider();
    return { serial: ring.serial };
  },
  'POST /fault': async ({ path: where }, body) => {
    faults[where] = JSON.parse(body);
    return {};
  },
  'DELETE /fault': async () => {
    for (const where of Object.keys(faults)) delete faults[where];
    return {};
  },
  'GET /requests': async () => counts,
  'DELETE /requests': async () => {
    for (const where of Object.keys(counts)) delete counts[where];
    return {};
  },
};

const answer = (response, status, value) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
};

// The form that somebody sees who logs in with a browser, and what follows from it.
const form = (response) => {
  const buttons = [...Object.keys(USERS), 'refuse'].map((name) => `<button name="user" value="${name}">${name}</button>`);
  response.writeHead(200, { 'content-type': 'text/html' });
  response.end(`<!doctype html><link rel="icon" href="data:,"><title>The Campus</title><form method="post">${buttons.join('')}</form>`);
};
const decide = async (request, response) => {
  const body = [];
  for await (const chunk of request) body.push(chunk);
  const user = new URLSearchParams(Buffer.concat(body).toString()).get('user');
  if (user === 'refuse') {
    const refusal = { error: 'access_denied', error_description: 'the user has refused' };
    return provider.interactionFinished(request, response, refusal);
  }
  const { params } = await provider.interactionDetails(request, response);
  const grantId = await grant(user, params.client_id, 'https://kv.example.org');
  return provider.interactionFinished(request, response, { login: { accountId: user }, consent: { grantId } });
};

// The provider's port: a fault, the form, or the provider.
const outside = async (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  counts[pathname] = (counts[pathname] ?? 0) + 1;
  const fault = faults[pathname] ?? faults['*'];
  if (!fault && pathname.startsWith('/interaction/')) {
    return request.method === 'POST' ? decide(request, response) : form(response);
  }
  if (!fault) return provider.callback()(request, response);
  if (fault.hangs) return undefined;
  const { status = 200, type = 'application/json', location, bytes, body = '' } = fault;
  response.writeHead(status, { 'content-type': type, ...(location ? { location } : {}) });
  return response.end(bytes ? Buffer.alloc(bytes, ' ') : body);
};

// The port of the test.
const inside = (request, response) => {
  const url = new URL(request.url, 'http://control');
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    const act = control[`${request.method} ${url.pathname}`];
    try {
      answer(response, 200, await act(Object.fromEntries(url.searchParams), Buffer.concat(chunks).toString()));
    } catch (error) {
      answer(response, 500, { error: String(error.stack) });
    }
  });
};

const listen = (handle, port) => new Promise((resolve) => {
  const server = http.createServer(handle);
  server.listen(Number(port), '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`));
});
issuer = await listen(outside, options.port);
makeProvider();
const controlUrl = await listen(inside, options['control-port']);
console.log(JSON.stringify({ issuer, control: controlUrl }));
