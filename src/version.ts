import packageJson from '../package.json' with { type: 'json' };

export const version: string = packageJson.version;
/** This program's name and version, as manifests and reports give it. */
export const createdBy = `l3prune ${version}`;
