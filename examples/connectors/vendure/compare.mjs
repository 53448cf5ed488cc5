// What the shop really has, compared object by object with the source.

import { slug } from './vendure.mjs';

const PAGE = 100;

async function all(shop, list, fields) {
  const items = [];
  for (;;) {
    const query = `query($options: ${list[0].toUpperCase()}${list.slice(1, -1)}ListOptions) { ${list}(options: $options) { items { ${fields} } totalItems } }`;
    const page = (await shop.ask(query, { options: { skip: items.length, take: PAGE } }))[list];
    items.push(...page.items);
    if (items.length >= page.totalItems || page.items.length === 0) return items;
  }
}

/** Everything in the shop, in the form of the source. */
export async function stateOf(shop) {
  const facetId = await shop.categories();
  const values = await all(shop, 'facetValues', 'id code name facetId');
  const categories = values.filter((value) => value.facetId === facetId);
  const codes = new Map(categories.map((value) => [value.id, value.code]));
  const collections = new Map((await all(shop, 'collections', 'slug name')).map((one) => [one.slug, one.name]));
  const products = await all(shop, 'products', 'slug name description facetValues { id }');
  const variants = await all(shop, 'productVariants', 'sku name price stockLevels { stockOnHand } product { slug }');
  return {
    category: new Map(categories.map(({ code, name }) => [code, { name, collection: collections.get(slug(code)) }])),
    product: new Map(
      products.map(({ slug, name, description, facetValues }) => [
        slug,
        { name, description, categories: facetValues.map((value) => codes.get(value.id)) },
      ]),
    ),
    offer: new Map(
      variants.map(({ sku, name, price, stockLevels, product }) => [
        sku,
        { name, price, stock: stockLevels[0]?.stockOnHand, product: product.slug },
      ]),
    ),
  };
}

/** What the source wants the shop to have, in the same form. */
function wanted(catalog) {
  return {
    category: new Map([...catalog.category].map(([id, { name }]) => [id, { name, collection: name }])),
    product: new Map(
      [...catalog.product].map(([id, { name, description, category }]) => [
        slug(id),
        { name, description, categories: [category] },
      ]),
    ),
    offer: new Map(
      [...catalog.offer].map(([sku, { name, price, stock, product }]) => [sku, { name, price, stock, product: slug(product) }]),
    ),
  };
}

/** How many objects of each type are the same, and each difference in words. */
export async function compare(shop, catalog) {
  const [is, should] = [await stateOf(shop), wanted(catalog)];
  const same = {};
  const differences = [];
  for (const type of Object.keys(should)) {
    same[type] = 0;
    for (const [id, object] of should[type]) {
      const [a, b] = [JSON.stringify(object), JSON.stringify(is[type].get(id))];
      if (a === b) same[type] += 1;
      else differences.push(`${type} ${id}: ${a} in the source, ${b ?? 'nothing'} in the shop`);
    }
    for (const id of is[type].keys()) {
      if (!should[type].has(id)) differences.push(`${type} ${id}: nothing in the source, something in the shop`);
    }
  }
  return { same, differences };
}
