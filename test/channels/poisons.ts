/** Mails that break parsers, or keep them busy. */

/** @param to an address that is taken */
export function poisons(from: string, to: string): string[] {
  let count = 0
  const head = (...lines: string[]) =>
    [
      `From: <${from}>`,
      `To: <${to}>`,
      `Message-ID: <poison-${++count}@people.test>`,
      'MIME-Version: 1.0',
      ...lines,
    ].join('\n')
  const part = '--b\nContent-Type: text/plain\n\nx\n'
  const nested = Array.from({ length: 3000 }, (_, depth) => {
    return `Content-Type: multipart/mixed; boundary="n${depth}"\n\n--n${depth}\n`
  }).join('')
  return [
    `${head('Content-Type: multipart/mixed; boundary="b"')}\n\n${part.repeat(10_000)}--b--\n`,
    `${head()}\n${nested}\nthe end\n`,
    `${head(`Subject: ${'giant '.repeat(80_000)}`)}\n\nbelow a giant header\n`,
    `${head(...Array.from({ length: 20_000 }, (_, at) => `X-${at}: ${at}`))}\n\nbelow many headers\n`,
    `${head('Content-Type: text/plain; charset="no-such-charset"')}\n\nin a charset that there is not\n`,
    `${head('Content-Type: text/plain; charset="utf-8"', 'Content-Transfer-Encoding: base64')}\n\n=====!!\n`,
    `${head(`Subject: ${'=?x?Q?=?= '.repeat(10_000)}`)}\n\nwords of no charset\n`,
    `${head('Content-Type: text/html')}\n\n${'<div>'.repeat(50_000)}deep\n`,
    `${head()}\n\n${'>'.repeat(100_000)}\nOn ${'On '.repeat(30_000)}wrote:\n`,
    `${head('Content-Type: message/rfc822')}\n\n${'Content-Type: message/rfc822\n\n'.repeat(3000)}x\n`,
    `${head('Date: yesterday, or the day before', 'Content-Type: ;;;=')}\n\nodd headers\n`,
  ]
}
