import { dataHome } from '../home.ts';
import { serveCheckpoints } from './handlers/checkpoints.ts';
import { servePrune } from './handlers/prune.ts';
import { serve } from './server.ts';

const threads = Number.parseInt(process.env['L3PRUNE_THREADS'] ?? '', 10);
const context = { home: dataHome(), threads: threads > 0 ? threads : undefined };

await serve(
  (server) => {
    serveCheckpoints(server, context);
    servePrune(server, context);
  },
  { threads: context.threads, watchdog: new URL('./watchdog.mjs', import.meta.url) },
);
