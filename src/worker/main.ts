import { dataHome } from '../home.ts';
import type { WorkerContext } from './context.ts';
import { serveCheckpoints } from './handlers/checkpoints.ts';
import { serveEngine } from './handlers/engine.ts';
import { serveIndex } from './handlers/index.ts';
import { servePrune } from './handlers/prune.ts';
import { serveSearch } from './handlers/search.ts';
import { serveTrain } from './handlers/train.ts';
import { serve } from './server.ts';

const threads = Number.parseInt(process.env['L3PRUNE_THREADS'] ?? '', 10);
const context: WorkerContext = { home: dataHome(), threads: threads > 0 ? threads : undefined, engine: process.env['L3PRUNE_ENGINE'] };

await serve(
  (server) => {
    serveCheckpoints(server, context);
    servePrune(server, context);
    serveTrain(server, context);
    serveEngine(server, context);
    serveIndex(server, context);
    serveSearch(server, context);
  },
  { threads: context.threads, watchdog: new URL('./watchdog.mjs', import.meta.url) },
);
