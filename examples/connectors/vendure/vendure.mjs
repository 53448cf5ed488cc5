// What the connector asks of Vendure: its admin API, with one session that is renewed when it has ended.

/** An error that says, in a class of the connector contract, what Vendure did not like. */
export class Refused extends Error {
  constructor(errorClass, message) {
    super(message);
    this.errorClass = errorClass;
  }
}

/** Talks to the admin API at `url`. */
export class Vendure {
  #url;
  #credentials;
  #token;
  #known = new Map();
  #turns = new Map();

  constructor(url, credentials) {
    this.#url = url;
    this.#credentials = credentials;
  }

  async ask(query, variables = {}) {
    if (!this.#token) await this.#logIn();
    let answer = await this.#post(query, variables);
    if (isForbidden(answer)) {
      await this.#logIn();
      answer = await this.#post(query, variables);
    }
    if (isForbidden(answer)) throw new Refused('auth', 'the shop does not let us do that');
    if (answer.errors) throw new Refused('invalid', answer.errors.map((error) => error.message).join('; '));
    return answer.data;
  }

  /** The same, of a mutation whose result may be an error: then it has an `errorCode`. */
  async do(query, variables) {
    const data = await this.ask(query, variables);
    const result = Object.values(data)[0];
    if (result?.errorCode) throw new Refused('invalid', `${result.errorCode}: ${result.message}`);
    return result;
  }

  async #logIn() {
    const answer = await this.#post(
      'mutation($user: String!, $password: String!) { login(username: $user, password: $password) { __typename ... on ErrorResult { message } } }',
      this.#credentials,
    );
    const login = answer.data?.login;
    if (login?.__typename !== 'CurrentUser') throw new Refused('auth', login?.message ?? 'the shop refused the login');
  }

  async #post(query, variables) {
    const headers = { 'content-type': 'application/json' };
    if (this.#token) headers.authorization = `Bearer ${this.#token}`;
    let response;
    try {
      response = await fetch(this.#url, {
        method: 'POST',
        headers,
        body: JSON.stringify({ query, variables }),
        redirect: 'error',
        signal: AbortSignal.timeout(20_000),
      });
    } catch (error) {
      throw new Refused('retryable', `the shop does not answer: ${error.cause?.code ?? error.message}`);
    }
    this.#token = response.headers.get('vendure-auth-token') ?? this.#token;
    if (response.status === 429) throw new Refused('rate_limited', 'the shop answered 429');
    if (response.status >= 500) throw new Refused('retryable', `the shop answered ${response.status}`);
    return response.json();
  }

  /** What never changes once it is there, remembered by a key; made once, also if two calls want it at the same time. */
  async once(key, make) {
    if (!this.#known.has(key)) {
      const made = make();
      made.catch(() => this.#known.delete(key));
      this.#known.set(key, made);
    }
    return this.#known.get(key);
  }

  /** Does what is done under the same key one after the other: Vendure does not keep two calls from making the same thing twice. */
  async inTurn(key, work) {
    const before = this.#turns.get(key) ?? Promise.resolve();
    const turn = before.catch(() => undefined).then(work);
    this.#turns.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    }
  }

  // A shop that was never set up has no tax zone and no tax category, and takes no prices.
  async prepare() {
    await this.once('prepared', async () => {
      const { activeChannel } = await this.ask('{ activeChannel { id defaultTaxZone { id } } }');
      if (!activeChannel.defaultTaxZone) {
        const zone = await this.do('mutation { createZone(input: { name: "Everywhere" }) { id } }', {});
        await this.do(
          `mutation($id: ID!, $zone: ID!) { updateChannel(input: { id: $id, defaultTaxZoneId: $zone, defaultShippingZoneId: $zone }) {
             __typename ... on ErrorResult { errorCode message } } }`,
          { id: activeChannel.id, zone: zone.id },
        );
        const tax = await this.do(
          'mutation { createTaxCategory(input: { name: "Standard", isDefault: true }) { id } }',
          {},
        );
        await this.do(
          'mutation($tax: ID!, $zone: ID!) { createTaxRate(input: { name: "Standard", enabled: true, value: 0, categoryId: $tax, zoneId: $zone }) { id } }',
          { tax: tax.id, zone: zone.id },
        );
      }
      return true;
    });
  }

  /** The facet whose values are the categories. */
  async categories() {
    return this.once('categories', async () => {
      const { facets } = await this.ask('{ facets(options: { filter: { code: { eq: "category" } } }) { items { id } } }');
      if (facets.items.length > 0) return facets.items[0].id;
      const input = { code: 'category', isPrivate: false, translations: [{ languageCode: 'en', name: 'Category' }] };
      return (await this.do('mutation($input: CreateFacetInput!) { createFacet(input: $input) { id } }', { input })).id;
    });
  }

  async category(id) {
    const facetId = await this.categories();
    const { facetValues } = await this.ask(
      'query($code: String!, $facetId: String!) { facetValues(options: { filter: { code: { eq: $code }, facetId: { eq: $facetId } } }) { items { id } } }',
      { code: id, facetId },
    );
    return facetValues.items[0]?.id;
  }

  async collection(id) {
    return (await this.ask('query($slug: String!) { collection(slug: $slug) { id } }', { slug: slug(id) })).collection?.id;
  }

  async product(id) {
    const { product } = await this.ask(
      'query($slug: String!) { product(slug: $slug) { id optionGroups { id options { id code } } } }',
      { slug: slug(id) },
    );
    return product;
  }

  async variant(sku) {
    const { productVariants } = await this.ask(
      'query($sku: String!) { productVariants(options: { filter: { sku: { eq: $sku } } }) { items { id } } }',
      { sku },
    );
    return productVariants.items[0]?.id;
  }
}

/** What Vendure makes of an id in an address: lower case, and nothing but letters, digits and dashes. */
export function slug(id) {
  return id.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
}

function isForbidden(answer) {
  return answer.errors?.some((error) => error.extensions?.code === 'FORBIDDEN') ?? false;
}
