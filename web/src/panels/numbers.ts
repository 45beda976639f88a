/** Numbers, times and shapes as people read them. */

const MINUS = '−'

/** A number in few letters: `0.00123`, `12.3 k`, `1.2e-7`, `–` for none. */
export function brief(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return '–'
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : `${MINUS}∞`
  const size = Math.abs(value)
  if (size === 0) return '0'
  if (size >= 1e15 || size < 1e-4) return value.toExponential(Math.max(0, digits - 2)).replace('e+', 'e').replace('-', MINUS)
  if (size >= 1e4) {
    const [unit, name] = size >= 1e12 ? [1e12, 'T'] : size >= 1e9 ? [1e9, 'G'] : size >= 1e6 ? [1e6, 'M'] : [1e3, 'k']
    return `${trimmed(value / unit, digits)} ${name}`
  }
  return trimmed(value, digits)
}

function trimmed(value: number, digits: number): string {
  const text = value.toPrecision(digits)
  const plain = text.includes('e') ? String(Math.round(value)) : text
  return (plain.includes('.') ? plain.replace(/\.?0+$/, '') : plain).replace('-', MINUS)
}

/** A whole number with narrow spaces between thousands, at which no line breaks: `12 345`. */
export function whole(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f')
    .replace('-', MINUS)
}

/** The shortest text that a number field shows and reads back as the same number, to seven digits. */
export function exact(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  const rounded = Number(value.toPrecision(7))
  const size = Math.abs(rounded)
  return size !== 0 && (size < 1e-4 || size >= 1e9) ? rounded.toExponential() : String(rounded)
}

/** A number as somebody typed it, with `,` for `.` allowed; null if it is none. */
export function parsed(text: string): number | null {
  const tidy = text.trim().replace(MINUS, '-').replace(',', '.')
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(tidy)) return null
  const value = Number(tidy)
  return Number.isFinite(value) ? value : null
}

/** `16 × 16 × 16`, or `scalar`. */
export function shapeText(shape: readonly number[] | readonly number[][] | null | undefined): string {
  if (!shape) return 'unknown'
  if (shape.length === 0) return 'scalar'
  if (Array.isArray(shape[0])) return (shape as number[][]).map((one) => shapeText(one)).join(', ')
  return shape.join(' × ')
}

/** A shape and how many numbers that are: `16 × 5 × 5 = 400`; of one dimension the number alone. */
export function sizeText(shape: readonly number[], count: number): string {
  return shape.length > 1 ? `${shapeText(shape)} = ${whole(count)}` : shapeText(shape)
}

/** Bytes with a unit of 1024: `1.5 GiB`. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  let rest = value
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (rest < 1024) return `${trimmed(rest, 3)} ${unit}`
    rest /= 1024
  }
  return `${trimmed(rest, 3)} TiB`
}

/** How long ago, or how long it took: `5 s`, `3 min`, `2 h 5 min`, `4 d`. */
export function duration(seconds: number): string {
  const total = Math.max(0, Math.round(seconds))
  if (total < 60) return `${total} s`
  if (total < 3600) return `${Math.floor(total / 60)} min`
  if (total < 86_400) {
    const minutes = Math.floor((total % 3600) / 60)
    return `${Math.floor(total / 3600)} h${minutes ? ` ${minutes} min` : ''}`
  }
  return `${Math.floor(total / 86_400)} d`
}
