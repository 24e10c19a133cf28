/** A key that is shorter, in characters of base64, is an example. */
const SHORTEST_KEY = 40;
/** What may be between the first line of a key and its first: `Proc-Type` and `DEK-Info`, or a language's quotes. */
const KEY_WITHIN = 300;
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]{1,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----/g;
const BASE64 = new RegExp(`[A-Za-z0-9+/]{${SHORTEST_KEY}}`);

/**
 * What the tokens look like whose issuers publish it. All counts are fixed, so that the time is linear in the text. What
 * only looks like a password, by the name that it is assigned to, is not among them: half of all tests have one.
 */
const TOKENS = [
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g, // Amazon
  /\bgh[pousr]_[A-Za-z0-9]{36}/g,
  /\bgithub_pat_\w{50}/g,
  /\bglpat-[\w-]{20}/g, // GitLab
  /\bxox[abeoprs]-\d{6,14}-[\w-]{10}/g, // Slack
  /\bhooks\.slack\.com\/services\/T\w{8,12}\/B\w{8,12}\/\w{24}/g,
  /\bAIza[\w-]{35}/g, // Google
  /\b(?:sk|rk)_live_[A-Za-z0-9]{16}/g, // Stripe
  /\bsk-(?:ant-|proj-|or-)[\w-]{32}/g, // Providers of models
  /\bsk-[A-Za-z0-9]{48}\b/g,
  /\bhf_[A-Za-z0-9]{34}\b/g,
  /\bnpm_[A-Za-z0-9]{36}\b/g,
  /\bpypi-AgEI[\w-]{50}/g,
  /\bSG\.[\w-]{22}\.[\w-]{43}/g, // SendGrid
  /\bdop_v1_[0-9a-f]{64}\b/g, // DigitalOcean
  /\bshp(?:at|ss|ca|pa)_[0-9a-fA-F]{32}\b/g, // Shopify
  /\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b/g,
  // A JSON Web Token that is assigned to a name.
  /[\w"'\]][ \t]{0,4}[:=][ \t]{0,4}(?:Bearer )?["'`]?eyJ[\w-]{10,400}\.eyJ[\w-]{10,2000}\.[\w-]{20}/g,
];
/** A token of fewer different characters is a placeholder. */
const FEWEST_CHARACTERS = 10;

/** Whether a text holds a private key or a token of a known kind. */
export function holdsSecret(text: string): boolean {
  return holdsPrivateKey(text) || TOKENS.some((token) => Array.from(text.matchAll(token), ([found]) => found).some((found) => !isPlaceholder(found)));
}

/** A line that only says how a key begins is no key: those who read keys have it in their code. */
function holdsPrivateKey(text: string): boolean {
  const begins = Array.from(text.matchAll(PRIVATE_KEY), ({ 0: line, index }) => index + line.length);
  return begins.some((begin) => BASE64.test(text.slice(begin, begin + KEY_WITHIN)));
}

/** What documentation has in a token's place: `AKIA…EXAMPLE`, `ghp_xxxx…`, `…1234567890`. */
function isPlaceholder(token: string): boolean {
  return new Set(token).size < FEWEST_CHARACTERS || /example|x{8}|0{8}|1234567890(?!\d)/i.test(token);
}
