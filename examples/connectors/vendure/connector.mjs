// The connector between Trunkline and a Vendure shop: the contract of docs/guides/connectors.md, in plain Node.
//
// Usage: node connector.mjs PORT ADMIN-API-URL        (VENDURE_USER and VENDURE_PASSWORD in the environment)

import { createServer } from 'node:http';
import { operations } from './objects.mjs';
import { Refused, Vendure } from './vendure.mjs';

const [port, url] = process.argv.slice(2);
const user = process.env.VENDURE_USER ?? 'superadmin';
const shop = new Vendure(url, { user, password: process.env.VENDURE_PASSWORD ?? 'superadmin' });

const CLASSES = ['retryable', 'rate_limited', 'invalid', 'auth', 'gone', 'unknown'];
const CHECK_PREFIX = 'trunkline-check-';
const BODY_BYTES_MAX = 1 << 20;

const manifest = {
  contract: 1,
  name: 'vendure',
  title: 'Vendure shops',
  version: '0.1.0',
  auth: ['none'],
  settings: { type: 'object', properties: {} },
  operations: Object.entries(operations).map(([object_type, { example, ...actions }]) => ({
    object_type,
    actions: Object.keys(actions),
    example,
  })),
  batch_max: 20,
  body_bytes_max: BODY_BYTES_MAX,
  timeout_ms: 60_000,
  // Everything is found by its id before it is made or changed.
  idempotency: 'natural',
};

function failed(id, errorClass, message) {
  return { id, status: 'failed', error: { class: errorClass, message } };
}

async function carryOut(call, item, isCheck) {
  const object = item.object_ids?.[0];
  const wanted = String(object).startsWith(CHECK_PREFIX) ? object.slice(CHECK_PREFIX.length) : undefined;
  if (isCheck && CLASSES.includes(wanted)) return failed(item.id, wanted, 'as the check asked');
  const action = operations[call.object_type]?.[call.action];
  if (typeof action !== 'function') {
    return failed(item.id, 'invalid', `there is no ${call.action} of ${call.object_type}`);
  }
  if (item.object_ids?.length !== 1) return failed(item.id, 'invalid', 'an item is about exactly one object');
  try {
    if (!isCheck) await action(shop, object, item.body);
    return { id: item.id, status: 'succeeded' };
  } catch (error) {
    if (error instanceof Refused) return failed(item.id, error.errorClass, error.message);
    return failed(item.id, 'unknown', String(error));
  }
}

async function bodyOf(request) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    // Read to its end, so that the caller hears the answer; but not kept.
    if (bytes <= BODY_BYTES_MAX) parts.push(part);
  }
  return bytes <= BODY_BYTES_MAX ? Buffer.concat(parts) : undefined;
}

async function answer(request) {
  if (request.method === 'GET' && request.url.endsWith('/manifest')) return [200, manifest];
  if (request.method !== 'POST') return [405, { error: 'GET /manifest, or POST' }];
  const body = await bodyOf(request);
  if (!body) return [413, { error: `more than ${BODY_BYTES_MAX} bytes` }];
  let call;
  try {
    call = JSON.parse(body);
  } catch (error) {
    return [400, { error: error.message }];
  }
  if (!Array.isArray(call?.items)) return [400, { error: '`items` is no list' }];
  const items = [];
  // One after the other: the shop's database takes one writer at a time.
  for (const item of call.items) items.push(await carryOut(call, item, 'trunkline-check' in request.headers));
  return [200, { items }];
}

createServer(async (request, response) => {
  const [status, body] = await answer(request).catch((error) => [500, { error: String(error) }]);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}).listen(Number(port), '127.0.0.1', () => console.log(`connector ready on http://127.0.0.1:${port}`));
