declare module 'hoodiecrow-imap' {
  import type { Server } from 'node:net';

  interface Hoodiecrow {
    listen(port: number, host: string, callback: () => void): void;
    close(callback?: () => void): void;
    server: Server;
  }
  export default function hoodiecrow(options: {
    plugins: string[];
    storage: Record<string, { messages: { raw: string; flags?: string[]; internaldate?: string }[] }>;
  }): Hoodiecrow;
}
