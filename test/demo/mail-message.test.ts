import { describe, expect, it } from 'vitest';
import { summarizeMail } from '../../src/demo/mail-message.js';

const mail = (...lines: string[]) => Buffer.from(lines.join('\r\n'), 'utf8');

describe('summarizeMail', () => {
  it('joins encoded words over folded header lines', () => {
    const raw = mail('Subject: =?UTF-8?B?xIJuYQ==?=', ' =?utf-8?q?_=C8=99i_Ion?=', 'From: a@b.c', '', 'x');
    expect(summarizeMail(raw, 0).subject).toBe('Ăna și Ion');
  });

  it('takes the plain part of a multipart message and decodes it', () => {
    const raw = mail(
      'Content-Type: multipart/alternative; boundary="b1"',
      '',
      '--b1',
      'Content-Type: text/html; charset=utf-8',
      '',
      '<p>html</p>',
      '--b1',
      'Content-Type: text/plain; charset=iso-8859-2',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'Bun=E3 ziua, =',
      'vecine',
      '--b1--',
    );
    expect(summarizeMail(raw, 0).snippet).toBe('Bună ziua, vecine');
  });

  it('strips tags and scripts when there is only HTML, sent as base64', () => {
    const html = Buffer.from('<style>p{}</style><p>Dear <b>you</b></p><script>alert(1)</script>').toString(
      'base64',
    );
    const raw = mail('Content-Type: text/html', 'Content-Transfer-Encoding: base64', '', html);
    expect(summarizeMail(raw, 0).snippet).toBe('Dear you');
  });

  it('uses the time of arrival when the Date can not be read, and survives a message without a body', () => {
    expect(summarizeMail(mail('Date: soon', 'Subject: x'), Date.parse('2026-11-24T06:00:00Z'))).toEqual({
      from: '',
      subject: 'x',
      date: '2026-11-24T06:00:00Z',
      snippet: '',
    });
  });

  it('does not follow multipart messages without end', () => {
    const nested = Array.from(
      { length: 50 },
      () => 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n',
    ).join('');
    expect(summarizeMail(Buffer.from(nested), 0).snippet).toBe('');
  });
});
