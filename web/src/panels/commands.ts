/** The text of commands, as the session's grammar reads it: words as in a shell, values as YAML in one line. */

/** A word of a command: as it is where brackets hold it together, else in quotes. */
export function word(text: string): string {
  return isOneWord(text) ? text : JSON.stringify(text)
}

/** A value of a command: a number or plain word as it is, all else as JSON, which YAML reads alike. */
export function value(given: unknown): string {
  if (typeof given === 'number') return number(given)
  if (typeof given === 'string' && /^[A-Za-z_][\w./-]*$/.test(given) && !MEANING.test(given)) return given
  return JSON.stringify(given, (_, one) => (typeof one === 'number' ? rounded(one) : one))
}

/** Words that YAML reads as something else than text. */
const MEANING = /^(true|false|null|y|n|yes|no|on|off)$/i

function isOneWord(text: string): boolean {
  if (text === '' || /["'=\p{Cc}]/u.test(text)) return false
  const awaited: string[] = []
  for (const letter of text) {
    const closing = CLOSING.get(letter)
    if (closing) awaited.push(closing)
    else if (letter === awaited.at(-1)) awaited.pop()
    else if (/\s/.test(letter) && !awaited.length) return false
  }
  return !awaited.length
}

const CLOSING = new Map([
  ['[', ']'],
  ['(', ')'],
  ['{', '}'],
])

/** A command: a name, then words, then `key=value` for what is named. */
export function command(name: string, words: readonly string[] = [], named: Readonly<Record<string, unknown>> = {}): string {
  const last = Object.entries(named)
    .filter(([, given]) => given !== undefined)
    .map(([key, given]) => `${key}=${value(given)}`)
  return [name, ...words, ...last].join(' ')
}

/** What a command is called for people, with long values left out: `clamp image [784 numbers]`. */
export function shortened(text: string, most = 80): string {
  if (text.length <= most) return text
  // The server cuts the longest texts itself: a list that ends in dots is not all there.
  const brief = text.replace(/\[[-\d,\s[\]e+.]{40,}/g, (part) => {
    const space = /\s*$/.exec(part)![0]
    return part.trimEnd().endsWith('...') ? '[many numbers]' : `[${part.split(',').length} numbers]${space}`
  })
  return brief.length <= most ? brief : `${brief.slice(0, most - 1)}…`
}

function number(given: number): string {
  if (Number.isNaN(given)) return '.nan'
  if (!Number.isFinite(given)) return given > 0 ? '.inf' : '-.inf'
  return String(given)
}

function rounded(given: number): number {
  return Number.isInteger(given) ? given : Number(given.toPrecision(6))
}
