// The source: a catalog, made up or read from a file of order lines, and the metadata API that Trunkline resolves bodies from.

import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';

const KINDS = ['Bag', 'Lantern', 'Mug', 'Clock', 'Candle', 'Doll', 'Frame', 'Jar', 'Tray', 'Sign'];
const LOOKS = ['Red', 'White', 'Vintage', 'Paisley', 'Striped', 'Wooden', 'Glass', 'Tiny', 'Hanging', 'Folding'];

/** A catalog of so many categories, ten products in each, three offers of each product. */
export function generated(categories) {
  const catalog = empty();
  for (let c = 1; c <= categories; c += 1) {
    const category = `c-${c}`;
    const kind = KINDS[c % KINDS.length];
    catalog.category.set(category, { id: category, name: `${kind}s ${c}` });
    for (let p = 1; p <= 10; p += 1) {
      const product = `p-${c}-${p}`;
      const name = `${LOOKS[p % LOOKS.length]} ${kind.toLowerCase()}`;
      catalog.product.set(product, { id: product, name, category, description: `${name}, from collection ${c}` });
      for (const [size, more] of [['S', 0], ['M', 100], ['L', 250]]) {
        const sku = `${product}-${size}`.toUpperCase();
        const price = 500 + 37 * c + 11 * p + more;
        catalog.offer.set(sku, { sku, product, name: `${name} ${size}`, price, stock: (7 * c + 3 * p) % 40 });
      }
    }
  }
  return catalog;
}

/**
 * A catalog out of order lines (CSV with StockCode, Description and UnitPrice): a stock code is an offer, its digits are the product, and
 * the first two of them its category.
 */
export function read(file, products) {
  const catalog = empty();
  const [head, ...lines] = readFileSync(file, 'utf8').trim().split(/\r?\n/).map(fields);
  const at = (name) => head.indexOf(name);
  for (const line of lines) {
    const [sku, name, price] = ['StockCode', 'Description', 'UnitPrice'].map((column) => line[at(column)]?.trim());
    const product = /^(\d{5})[A-Z]?$/.exec(sku)?.[1];
    if (!product || !name || !(Number(price) > 0)) continue;
    if (!catalog.product.has(product) && catalog.product.size >= products) continue;
    const category = `range-${product.slice(0, 2)}`;
    if (!catalog.category.has(category)) catalog.category.set(category, { id: category, name: `Range ${product.slice(0, 2)}` });
    if (!catalog.product.has(product)) catalog.product.set(product, { id: product, name, category, description: '' });
    catalog.offer.set(sku, { sku, product, name, price: Math.round(Number(price) * 100), stock: Number(product) % 50 });
  }
  return catalog;
}

function empty() {
  return { category: new Map(), product: new Map(), offer: new Map() };
}

/** The fields of a line of CSV, quoted or not. */
function fields(line) {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map((m) => m[1]?.replaceAll('""', '"') ?? m[2]);
}

/** Serves the catalog as a metadata API: objects by type and ids, as they are now. */
export function serve(catalog, port) {
  const asked = { questions: 0, objects: 0 };
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const { object_type, ids } = JSON.parse(body);
    const known = ids.filter((id) => catalog[object_type]?.has(id));
    asked.questions += 1;
    asked.objects += known.length;
    const objects = Object.fromEntries(known.map((id) => [id, catalog[object_type].get(id)]));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ objects }));
  });
  return new Promise((ready) => server.listen(port, '127.0.0.1', () => ready({ server, asked })));
}
