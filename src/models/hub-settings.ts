import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { HUB_URL, getHFHubCachePath } from '@huggingface/hub';
import { dataHome } from '../home.ts';

/** What Hugging Face's own environment variables say, read when asked for. */
export interface HubSettings {
  /** `HF_ENDPOINT` without a slash at its end, or the hub's own address. */
  readonly endpoint: string;
  /** `HF_HUB_OFFLINE`: nothing may be asked of the network. */
  readonly offline: boolean;
  /** `HF_TOKEN`, or the file that `huggingface-cli login` writes. */
  readonly token: string | undefined;
  /** Folders that are laid out as the Hugging Face cache, in the order they are looked into. */
  readonly caches: readonly string[];
  /** The one that downloads go to: the data home's, unless the user has named a cache of their own. */
  readonly downloadCache: string;
}

export async function readHubSettings(home: string | undefined): Promise<HubSettings> {
  const { env } = process;
  const own = join(dataHome(home), 'models');
  const shared = getHFHubCachePath();
  const isChosen = Boolean(env['HF_HUB_CACHE'] || env['HUGGINGFACE_HUB_CACHE'] || env['HF_HOME']);
  return {
    endpoint: (env['HF_ENDPOINT'] || HUB_URL).replace(/\/+$/, ''),
    offline: /^(1|true|yes|on)$/i.test(env['HF_HUB_OFFLINE'] ?? ''),
    token: env['HF_TOKEN']?.trim() || (await readTokenFile()),
    caches: [shared, own].filter((folder) => folder !== ''),
    downloadCache: isChosen ? shared : own,
  };
}

async function readTokenFile(): Promise<string | undefined> {
  const { env } = process;
  const folder = env['HF_HOME'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'huggingface');
  const text = await readFile(env['HF_TOKEN_PATH'] ?? join(folder, 'token'), 'utf8').catch(() => '');
  return text.trim() || undefined;
}
