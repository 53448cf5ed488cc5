// What the connector does with objects: categories, products and offers become collections, products and variants. Everything is found
// again by an id of ours (the slug of a collection or product, the SKU of a variant) before it is made, so doing it twice does no harm.

import { Refused, slug } from './vendure.mjs';

const en = (name, more = {}) => [{ languageCode: 'en', name, ...more }];

/** For each type of objects what its actions do, and an example. */
export const operations = {
  category: {
    example: { id: 'bags', name: 'Bags' },
    create: putCategory,
    update: putCategory,
    delete: deleteCategory,
  },
  product: {
    example: { id: '85123', name: 'A hanging heart', category: 'bags' },
    create: putProduct,
    update: putProduct,
    delete: deleteProduct,
  },
  offer: {
    example: { sku: '85123A', product: '85123', name: 'White', price: 255, stock: 7 },
    create: putOffer,
    update: putOffer,
    delete: deleteOffer,
  },
};

function need(body, fields) {
  for (const [field, type] of Object.entries(fields)) {
    if (typeof body?.[field] !== type) throw new Refused('invalid', `\`${field}\` is no ${type}`);
  }
}

async function putCategory(shop, id, body) {
  need(body, { name: 'string' });
  const facetId = await shop.categories();
  const known = await shop.category(id);
  const value = known
    ? await shop.do('mutation($input: [UpdateFacetValueInput!]!) { updateFacetValues(input: $input) { id } }', {
        input: [{ id: known, translations: en(body.name) }],
      })
    : await shop.do('mutation($input: [CreateFacetValueInput!]!) { createFacetValues(input: $input) { id } }', {
        input: [{ facetId, code: id, translations: en(body.name) }],
      });
  const translations = en(body.name, { slug: slug(id), description: '' });
  const collection = await shop.collection(id);
  if (collection) {
    await shop.do('mutation($input: UpdateCollectionInput!) { updateCollection(input: $input) { id } }', {
      input: { id: collection, translations },
    });
    return;
  }
  const filters = [
    {
      code: 'facet-value-filter',
      arguments: [
        { name: 'facetValueIds', value: JSON.stringify([value[0].id]) },
        { name: 'containsAny', value: 'false' },
      ],
    },
  ];
  await shop.do('mutation($input: CreateCollectionInput!) { createCollection(input: $input) { id } }', {
    input: { translations, filters },
  });
}

async function deleteCategory(shop, id) {
  const collection = await shop.collection(id);
  const value = await shop.category(id);
  if (!collection && !value) throw new Refused('gone', `there is no category ${id}`);
  if (collection) await shop.do('mutation($id: ID!) { deleteCollection(id: $id) { result } }', { id: collection });
  if (value) {
    await shop.do('mutation($ids: [ID!]!) { deleteFacetValues(ids: $ids, force: true) { result } }', { ids: [value] });
  }
}

async function putProduct(shop, id, body) {
  need(body, { name: 'string', category: 'string' });
  const category = await shop.category(body.category);
  // Not invalid: whoever sends without belts may have sent the product first.
  if (!category) throw new Refused('retryable', `there is no category ${body.category} yet`);
  const translations = en(body.name, { slug: slug(id), description: body.description ?? '' });
  const known = await shop.product(id);
  if (known) {
    await shop.do('mutation($input: UpdateProductInput!) { updateProduct(input: $input) { id } }', {
      input: { id: known.id, translations, facetValueIds: [category] },
    });
    return;
  }
  await shop.do('mutation($input: CreateProductInput!) { createProduct(input: $input) { id } }', {
    input: { enabled: true, translations, facetValueIds: [category] },
  });
}

async function deleteProduct(shop, id) {
  const known = await shop.product(id);
  if (!known) throw new Refused('gone', `there is no product ${id}`);
  await shop.do('mutation($id: ID!) { deleteProduct(id: $id) { result } }', { id: known.id });
}

async function putOffer(shop, sku, body) {
  need(body, { product: 'string', name: 'string', price: 'number', stock: 'number' });
  if (!Number.isInteger(body.price) || body.price < 0) throw new Refused('invalid', `the price ${body.price} is none`);
  await shop.prepare();
  // Offers of one product share an option group, which the first of them makes.
  await shop.inTurn(body.product, () => writeOffer(shop, sku, body));
}

async function writeOffer(shop, sku, body) {
  const known = await shop.variant(sku);
  if (known) {
    await shop.do('mutation($input: [UpdateProductVariantInput!]!) { updateProductVariants(input: $input) { id } }', {
      input: [{ id: known, translations: en(body.name), price: body.price, stockOnHand: body.stock }],
    });
    return;
  }
  const product = await shop.product(body.product);
  if (!product) throw new Refused('retryable', `there is no product ${body.product} yet`);
  await shop.do('mutation($input: [CreateProductVariantInput!]!) { createProductVariants(input: $input) { id } }', {
    input: [
      {
        productId: product.id,
        sku,
        translations: en(body.name),
        price: body.price,
        stockOnHand: body.stock,
        trackInventory: 'TRUE',
        optionIds: [await optionOf(shop, product, sku)],
      },
    ],
  });
}

// Vendure tells the variants of a product apart by options: each offer is an option of the group `offer` of its product.
async function optionOf(shop, product, sku) {
  let group = product.optionGroups[0];
  if (!group) {
    group = await shop.do(
      'mutation($input: CreateProductOptionGroupInput!) { createProductOptionGroup(input: $input) { id options { id code } } }',
      { input: { code: `offer-${product.id}`, translations: en('Offer'), options: [] } },
    );
    await shop.do('mutation($product: ID!, $group: ID!) { addOptionGroupToProduct(productId: $product, optionGroupId: $group) { id } }', {
      product: product.id,
      group: group.id,
    });
  }
  const option = group.options.find((option) => option.code === slug(sku));
  if (option) return option.id;
  const input = { productOptionGroupId: group.id, code: slug(sku), translations: en(sku) };
  const made = await shop.do('mutation($input: CreateProductOptionInput!) { createProductOption(input: $input) { id } }', { input });
  return made.id;
}

async function deleteOffer(shop, sku) {
  const known = await shop.variant(sku);
  if (!known) throw new Refused('gone', `there is no offer ${sku}`);
  await shop.do('mutation($id: ID!) { deleteProductVariant(id: $id) { result } }', { id: known });
}
