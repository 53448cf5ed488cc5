// Catalog sync without the midnight panic, from end to end: a real shop, a connector, a Trunkline server, and a night on which things go
// wrong. At the end the shop is compared object by object with the source.
//
// Usage: node sync.mjs [--categories N | --input FILE.csv --products N] [--trunkline PROGRAM] [--folder FOLDER]
// Needs `npm install` here first: setup.sh does both.

import { spawn } from 'node:child_process';
import { mkdtempSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generated, read, serve } from './catalog.mjs';
import { compare } from './compare.mjs';
import { Vendure } from './vendure.mjs';

const { values: args } = parseArgs({
  options: {
    categories: { type: 'string', default: '5' },
    input: { type: 'string' },
    products: { type: 'string', default: '500' },
    trunkline: { type: 'string', default: 'trunkline' },
    folder: { type: 'string' },
  },
});
const folder = args.folder ?? mkdtempSync(join(tmpdir(), 'trunkline-vendure-'));
const started = new Set();
process.on('exit', () => started.forEach((child) => child.kill('SIGKILL')));

const begun = Date.now();
const say = (what) => console.log(`${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${what}`);
const pause = (ms) => new Promise((over) => setTimeout(over, ms));

function freePort() {
  return new Promise((found) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

/** Starts a program, and waits until it has said `ready`. */
async function start(name, program, argv, ready) {
  const log = openSync(join(folder, `${name}.log`), 'a');
  const child = spawn(program, argv, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', log] });
  started.add(child);
  let said = '';
  await new Promise((ok, failed) => {
    child.stdout.on('data', (text) => {
      said += text;
      if (said.includes(ready)) ok();
    });
    child.on('error', failed);
    child.on('exit', (code) => failed(new Error(`${name} ended with ${code}: see ${folder}/${name}.log`)));
  });
  child.removeAllListeners('exit');
  return child;
}

const ports = { shop: await freePort(), connector: await freePort(), source: await freePort(), server: await freePort() };
const admin = `http://127.0.0.1:${ports.shop}/admin-api`;
const api = `http://127.0.0.1:${ports.server}`;

async function call(method, path, body) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json().catch(() => undefined);
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

const destination = () => call('GET', '/v1/egress/destinations/shop');

/** Waits until the destination has nothing more to do. */
async function drained() {
  for (;;) {
    const { pending, in_flight } = await destination();
    if (pending + in_flight === 0) return;
    await pause(200);
  }
}

/**
 * Ships jobs for these objects: each in a lane of its own, so that changes of one object stay in order and calls are shared. What
 * stands on a belt waits for the lower stages of its batch.
 */
async function ship(type, ids, action = 'update', belt = {}) {
  const job = (id) => ({
    destination: 'shop',
    lane: `${type}/${id}`,
    object_type: type,
    object_ids: [id],
    action,
    ...(action === 'delete' ? {} : { resolve: true }),
    ...belt,
  });
  for (let from = 0; from < ids.length; from += 500) {
    await call('POST', '/v1/egress/jobs', ids.slice(from, from + 500).map(job));
  }
}

const connector = () =>
  start('connector', process.execPath, ['connector.mjs', String(ports.connector), admin], 'connector ready');

const catalog = args.input ? read(args.input, Number(args.products)) : generated(Number(args.categories));
const count = () => `${catalog.category.size} categories, ${catalog.product.size} products, ${catalog.offer.size} offers`;
say(`the source has ${count()}`);
const { asked } = await serve(catalog, ports.source);
await start('shop', process.execPath, ['shop.mjs', String(ports.shop)], 'shop ready');
say('a Vendure shop is up, and empty');
let between = await connector();
const address = `127.0.0.1:${ports.server}`;
const server = ['server', '--data', join(folder, 'data'), '--listen', address, '--egress-allow', 'loopback'];
let trunkline = await start('trunkline', args.trunkline, server, 'listening on');
await call('PUT', '/v1/egress/destinations/shop', {
  url: `http://127.0.0.1:${ports.connector}`,
  connector: { batch_max: 20 },
  resolve: { url: `http://127.0.0.1:${ports.source}`, ttl_ms: 1000 },
  concurrency: 2,
  timeout_ms: 60000,
  retry: { initial_ms: 200, max_ms: 2000 },
});

// Evening: the whole catalog at once, on three belts. Nobody waits for a belt to be empty: that is the stages' business.
for (const [stage, type] of ['category', 'product', 'offer'].entries()) {
  await ship(type, [...catalog[type].keys()], 'update', { batch: 'evening', stage });
}
say(`shipped on three belts: ${count()}`);
await drained();
say('the belts are empty');

// Midnight: prices change, something is wrong with one of them, a product is dropped; and the connector and the server are killed.
const shop = new Vendure(admin, {
  user: process.env.VENDURE_USER ?? 'superadmin',
  password: process.env.VENDURE_PASSWORD ?? 'superadmin',
});
const skus = [...catalog.offer.keys()];
for (const sku of skus) catalog.offer.get(sku).price += 10;
const wrong = skus[1];
const right = catalog.offer.get(wrong).price;
catalog.offer.get(wrong).price = -1;
await ship('offer', skus);
await pause(500);
between.kill('SIGKILL');
trunkline.kill('SIGKILL');
say('prices change; the connector and the Trunkline server are killed (kill -9) in the middle');
trunkline = await start('trunkline', args.trunkline, server, 'listening on');
await pause(1000);
say(`the server is back; the destination waits: ${(await destination()).pending} jobs pending`);
between = await connector();
await drained();
say('the connector is back, and the lanes have drained');
const dropped = [...catalog.product.keys()].at(-1);
const of = skus.filter((sku) => catalog.offer.get(sku).product === dropped);
of.forEach((sku) => catalog.offer.delete(sku));
catalog.product.delete(dropped);
await ship('offer', of, 'delete', { batch: 'drop', stage: 0 });
await ship('product', [dropped], 'delete', { batch: 'drop', stage: 1 });
await drained();
say(`product ${dropped} and its offers are dropped`);

// Morning: one dead letter, which says why. The source is corrected, and the letter replayed.
const dead = (await call('GET', '/v1/egress/destinations/shop/jobs?state=dead')).jobs;
for (const job of dead) say(`dead letter: offer ${job.object_ids[0]}: ${job.last_error}`);
catalog.offer.get(wrong).price = right;
for (const job of dead) await call('POST', `/v1/egress/destinations/shop/jobs/${job.id}/replay`);
await drained();

const { same, differences } = await compare(shop, catalog);
const { succeeded, dead: left } = await destination();
say(`${succeeded} jobs delivered, ${left} dead; the source was asked ${asked.questions} times for ${asked.objects} objects`);
for (const [type, number] of Object.entries(same)) say(`the same in source and shop: ${number} of ${catalog[type].size} ${type}`);
for (const difference of differences.slice(0, 20)) say(difference);
say(differences.length === 0 ? 'the shop equals the source' : `${differences.length} differences`);
process.exit(differences.length === 0 && left === 0 && dead.length === 1 ? 0 : 1);
