/** What keys and tokens look like that are of use to whoever finds them, by the prefixes that their issuers publish. */
const SECRETS = [
  /-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----/,
  /\b(AKIA|ASIA)[0-9A-Z]{16}\b/, // Amazon
  /\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_\w{50,}\b/,
  /\bglpat-[\w-]{20,}/, // GitLab
  /\bxox[abeoprs]-[\w-]{10,}/, // Slack
  /\bAIza[\w-]{35}/, // Google
  /\bsk-(?:[a-z]+-)?[A-Za-z0-9_-]{32,}/, // several providers of models
  /\bsk_live_\w{16,}|\brk_live_\w{16,}/, // Stripe
  /\b(hf|npm)_[A-Za-z0-9]{30,}\b/, // model hub, package registry
  /\bpypi-[A-Za-z0-9_-]{50,}/,
  /\beyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20,}/, // JSON Web Token
  /\b\w*(?:password|passwd|secret|api_?key|access_?token|auth_?token)\w*["']?\s*[:=]>?\s*["'](?=[^"'\s]*\d)(?=[^"'\s]*[A-Za-z])[^"'\s$%{}<>()]{16,}["']/i,
];

/** Whether a text holds what looks like a key, a token or a password. */
export function holdsSecret(text: string): boolean {
  return SECRETS.some((secret) => secret.test(text));
}
