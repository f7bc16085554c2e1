import type { MailSummary } from './mail-message.js';

/** Where the mail server gets messages from: a local mailbox in the demo, a real IMAP server in the tests. */
export interface MailSource {
  /**
   * The newest unread messages, newest first.
   * @param count how many at most.
   */
  topUnread(count: number): Promise<{ emails: MailSummary[]; totalUnread: number }>;
}
