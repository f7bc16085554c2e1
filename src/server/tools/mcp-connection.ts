import { createHash } from 'node:crypto';
import type { Client, PriorDiscovery, Transport } from '@modelcontextprotocol/client';
import type { McpServer } from '../../domain/tool.js';
import { ToolError } from '../../domain/tool-error.js';
import type { ConnectorServices } from './connector.js';
import { createGuardedFetch } from './guarded-fetch.js';
import { CallStreams } from './mcp-streams.js';

/** Longest time to start a server and agree on a revision of the protocol, milliseconds. */
const CONNECT_TIMEOUT_MS = 30_000;
/** A connection that nobody used for this long is closed when the next call comes by, milliseconds. */
const IDLE_MS = 5 * 60_000;
/** The largest message a stdio server may write, bytes: the answer's bound and room for what wraps it. */
const MAX_MESSAGE_BYTES = 6 * 1024 * 1024;
const MODERN_REVISION = '2026-07-28';

/** An MCP server with its secrets filled in: the identity of a connection. */
export interface ResolvedServer {
  server: McpServer;
  era: 'auto' | 'modern' | 'legacy';
  grants: readonly string[];
}

/** A connection that could not be opened: nothing was asked of the server yet. */
export class ConnectFailure extends Error {
  constructor(
    override readonly cause: unknown,
    /** What the server last wrote to its standard error; often the only hint there is. */
    readonly stderr: string,
  ) {
    super('the connection could not be opened');
  }
}

/** A connection that is shared by all calls to the same server with the same secrets. */
export interface McpConnection {
  client: Client;
  /** What the server last wrote to its standard error, for the message when it dies. */
  stderr(): string;
}

interface Entry {
  connection: Promise<McpConnection>;
  streams: CallStreams;
  usedAt: number;
}

/** Opens connections to MCP servers and keeps them for the next call. */
export class McpConnections {
  readonly #services: ConnectorServices;
  readonly #entries = new Map<string, Entry>();
  /** What a server turned out to speak, so that a new connection need not ask again. */
  readonly #eras = new Map<string, PriorDiscovery>();
  #closed = false;

  constructor(services: ConnectorServices) {
    this.#services = services;
  }

  /**
   * Runs `use` with a connection to the server, opening one when there is none.
   * @throws what connecting or `use` throws.
   */
  async with<T>(target: ResolvedServer, use: (connection: McpConnection) => Promise<T>): Promise<T> {
    if (this.#closed) throw new ToolError('transport', 'The tool callers are closed.');
    this.#sweep();
    const key = keyOf(target);
    let entry = this.#entries.get(key);
    if (!entry) {
      const streams = new CallStreams();
      const opened: Entry = { connection: this.#open(key, target, streams), streams, usedAt: 0 };
      this.#entries.set(key, opened);
      // A connection that failed to open must not be what the next call gets.
      opened.connection.catch(() => this.#forget(key, opened));
      entry = opened;
    }
    entry.streams.enter();
    try {
      return await use(await entry.connection);
    } finally {
      entry.streams.leave();
      entry.usedAt = this.#services.clock.monotonic();
    }
  }

  /** Lets go of the connection to a server, so that the next call opens a new one. */
  async drop(target: ResolvedServer): Promise<void> {
    const key = keyOf(target);
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    await closeQuietly(entry);
  }

  /** Closes all connections; child processes are ended. */
  async close(): Promise<void> {
    this.#closed = true;
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map(closeQuietly));
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
  }

  #sweep(): void {
    const now = this.#services.clock.monotonic();
    for (const [key, entry] of this.#entries) {
      if (entry.streams.users > 0 || entry.usedAt === 0 || now - entry.usedAt < IDLE_MS) continue;
      this.#entries.delete(key);
      void closeQuietly(entry);
    }
  }

  async #open(key: string, target: ResolvedServer, streams: CallStreams): Promise<McpConnection> {
    const { Client: McpClient } = await import('@modelcontextprotocol/client');
    const mode = target.era === 'modern' ? { pin: MODERN_REVISION } : target.era;
    const client = new McpClient(
      { name: 'pao', version: this.#services.userAgent.slice('pao/'.length) },
      { capabilities: {}, versionNegotiation: { mode }, inputRequired: { autoFulfill: false } },
    );
    const { transport, stderr } = await this.#transport(target, streams);
    const prior = this.#eras.get(key);
    try {
      await client.connect(transport, {
        timeout: CONNECT_TIMEOUT_MS,
        ...(prior === undefined ? {} : { prior }),
      });
    } catch (error) {
      this.#eras.delete(key);
      await client.close().catch(() => undefined);
      await transport.close().catch(() => undefined);
      throw new ConnectFailure(error, stderr());
    }
    const connection: McpConnection = { client, stderr };
    const discover = client.getDiscoverResult();
    if (client.getProtocolEra() === 'legacy') this.#eras.set(key, { kind: 'legacy' });
    else if (discover) this.#eras.set(key, { kind: 'modern', discover });
    client.onclose = () => {
      const entry = this.#entries.get(key);
      void entry?.connection.then((current) => current === connection && this.#forget(key, entry));
    };
    return connection;
  }

  async #transport(
    target: ResolvedServer,
    streams: CallStreams,
  ): Promise<{ transport: Transport; stderr: () => string }> {
    const { server } = target;
    if (server.transport === 'http') {
      const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
      const transport = new StreamableHTTPClientTransport(new URL(server.url), {
        fetch: streams.limit(await createGuardedFetch(this.#services, target.grants)),
        requestInit: { headers: { 'user-agent': this.#services.userAgent, ...server.headers } },
        // Going on with a stream asks nothing anew; whether to ask again, only the worker may decide.
        reconnectionOptions: {
          initialReconnectionDelay: 500,
          maxReconnectionDelay: 2000,
          reconnectionDelayGrowFactor: 2,
          maxRetries: 2,
        },
      });
      return { transport: streams.watch(transport as Transport), stderr: () => '' };
    }
    const { getDefaultEnvironment, StdioClientTransport } = await import(
      '@modelcontextprotocol/client/stdio'
    );
    const transport = new StdioClientTransport({
      command: server.command,
      args: server.args ?? [],
      // PATH, HOME and the like only: our own environment holds secrets that are none of the server's business.
      env: { ...getDefaultEnvironment(), ...server.env },
      ...(server.cwd === undefined ? {} : { cwd: server.cwd }),
      stderr: 'pipe',
      maxBufferSize: MAX_MESSAGE_BYTES,
    });
    let tail = '';
    transport.stderr?.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString('utf8')).slice(-500);
    });
    return { transport: transport as Transport, stderr: () => tail };
  }
}

async function closeQuietly(entry: Entry): Promise<void> {
  try {
    await (await entry.connection).client.close();
  } catch {
    // It is gone either way.
  }
}

function keyOf(target: ResolvedServer): string {
  return createHash('sha256').update(JSON.stringify(target)).digest('hex');
}
