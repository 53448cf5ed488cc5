// A Vendure shop on this machine: SQLite in its own process (sql.js), no plugins, reachable from this machine only. It lives as long as the
// process: what it would write to a file after each change would be the whole database.
//
// Usage: node shop.mjs PORT

import vendure from '@vendure/core';

const { bootstrap, DefaultLogger, LogLevel, LanguageCode } = vendure;
const [port] = process.argv.slice(2);
process.env.VENDURE_DISABLE_TELEMETRY = 'true';

const server = await bootstrap({
  apiOptions: { hostname: '127.0.0.1', port: Number(port), adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
  authOptions: {
    tokenMethod: ['bearer'],
    superadminCredentials: {
      identifier: process.env.VENDURE_USER ?? 'superadmin',
      password: process.env.VENDURE_PASSWORD ?? 'superadmin',
    },
    requireVerification: false,
  },
  dbConnectionOptions: {
    type: 'sqljs',
    synchronize: true,
    autoSave: false,
    logging: false,
  },
  defaultLanguageCode: LanguageCode.en,
  paymentOptions: { paymentMethodHandlers: [] },
  logger: new DefaultLogger({ level: LogLevel.Warn }),
  plugins: [],
});
console.log(`shop ready on http://127.0.0.1:${port}/admin-api`);

process.on('SIGTERM', () => server.close().then(() => process.exit(0)));
