import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a model of the test hub misbehaves. */
export interface HubFaults {
  /** Answer everything about it with this status. */
  status?: number;
  /** Files whose content is not what the listing's hash says. */
  corrupt?: string;
  /** A file whose transfer ends half way. */
  cut?: string;
  /** A file whose transfer never ends. */
  hang?: string;
}

export const COMMIT = 'a'.repeat(40);

/**
 * A Hugging Face hub for tests: model info, tree listing, and `resolve` with a redirect to another path for large files,
 * as the real one has it. `requests` collects what was asked, with the token it was asked with.
 */
export async function startHub(models: Record<string, { files: Record<string, Buffer>; faults?: HubFaults }>) {
  const requests: Array<{ path: string; token: string | undefined }> = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://hub').pathname);
    requests.push({ path, token: request.headers.authorization });
    const name = /^\/(?:api\/models\/|cdn\/)?([\w.-]+\/[\w.-]+)/.exec(path)?.[1] ?? '';
    const model = models[name];
    if (!model) return fail(response, 404);
    if (model.faults?.status) return fail(response, model.faults.status);
    if (path.startsWith(`/api/models/${name}/revision/`)) return json(response, { _id: '1', id: name, sha: COMMIT });
    if (path.startsWith(`/api/models/${name}/tree/`)) return json(response, Object.entries(model.files).map(listed));
    const file = path.split('/').slice(path.startsWith('/cdn/') ? 4 : 5).join('/');
    const content = model.files[file];
    if (!content) return fail(response, 404);
    if (isLarge(file) && !path.startsWith('/cdn/'))
      return response.writeHead(302, { Location: `/cdn/${name}/${file}`, 'X-Linked-Size': content.length, 'X-Linked-ETag': `"${sha256(content)}"` }).end();
    return send(request, response, content, { file, faults: model.faults ?? {} });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const isLarge = (file: string) => file.endsWith('.safetensors');
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const gitHash = (content: Buffer) => createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');

function listed([path, content]: [string, Buffer]) {
  const size = content.length;
  const lfs = isLarge(path) ? { lfs: { oid: sha256(content), size, pointerSize: 130 } } : {};
  return { type: 'file', path, size, oid: gitHash(content), ...lfs };
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  { file, faults }: { file: string; faults: HubFaults },
) {
  const bytes = faults.corrupt === file ? Buffer.from(content).fill(1, 0, 1) : content;
  const headers = { ETag: `"${isLarge(file) ? sha256(content) : gitHash(content)}"`, 'Accept-Ranges': 'bytes' };
  if (request.headers.range === 'bytes=0-0')
    return response.writeHead(206, { ...headers, 'Content-Range': `bytes 0-0/${bytes.length}` }).end(bytes.subarray(0, 1));
  response.writeHead(200, { ...headers, 'Content-Length': bytes.length });
  if (faults.hang === file) return response.write(bytes.subarray(0, bytes.length / 2));
  if (faults.cut === file) return response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
  return response.end(bytes);
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}

function fail(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end('{"error":"no"}');
}
