/** How the sender of a hook signs what it sends. */
export const HOOK_SCHEMES = ['standard', 'github'] as const;
/** `standard`: Standard Webhooks 1.0; `github`: `X-Hub-Signature-256`. */
export type HookScheme = (typeof HOOK_SCHEMES)[number];

/** An inbound webhook: what is posted to `/hooks/{id}` with a right signature becomes an event on its topic. */
export interface Hook {
  id: string;
  /** The agent in whose name the events are published. */
  agentId: string;
  /** Unique per agent. */
  name: string;
  topic: string;
  scheme: HookScheme;
  /** Shown once; kept, since it is the key of a signature. */
  secret: string;
  /** The one before a rotation, and until when it counts as well, epoch milliseconds. */
  oldSecret: string | null;
  oldSecretUntil: number | null;
  /** With `github`: a delivery whose body was sent before is an event of its own, if its id is new. */
  allowRepeats: boolean;
  createdAt: number;
  updatedAt: number;
  lastReceivedAt: number | null;
}
