/** The nine percentiles of a tensor over time, as a fan: a band from each percentile to its mirror image, and the median. */

export const PERCENTILES = [0, 7, 16, 31, 50, 69, 84, 93, 100] as const
const COUNT = PERCENTILES.length

/** The newest rows of percentiles, with the frame of each. When full, every second one of the older half is dropped. */
export class Fan {
  readonly frames: number[] = []
  readonly rows: Float32Array[] = []

  constructor(private readonly most = 360) {}

  get length(): number {
    return this.rows.length
  }

  /** Adds the percentiles of a frame; those of later frames are dropped, as after going back. */
  push(frame: number, percentiles: ArrayLike<number>): void {
    if (percentiles.length !== COUNT) return
    while (this.frames.length && this.frames.at(-1)! >= frame) {
      this.frames.pop()
      this.rows.pop()
    }
    if (this.rows.length >= this.most) this.thin()
    this.frames.push(frame)
    this.rows.push(Float32Array.from(percentiles))
  }

  /** Adds rows of a frame and its percentiles, one after another; the first rows of a watch are all that was kept before. */
  pushRows(rows: ArrayLike<number>): void {
    for (let at = 0; at + COUNT < rows.length; at += COUNT + 1) {
      this.push(rows[at]!, Array.from({ length: COUNT }, (_, n) => rows[at + 1 + n]!))
    }
  }

  /** The newest percentiles. */
  get last(): Float32Array | null {
    return this.rows.at(-1) ?? null
  }

  /** The smallest and the greatest number, without what is none. */
  get extent(): [number, number] | null {
    let low = Infinity
    let high = -Infinity
    for (const row of this.rows) {
      if (Number.isFinite(row[0])) low = Math.min(low, row[0]!)
      if (Number.isFinite(row[COUNT - 1])) high = Math.max(high, row[COUNT - 1]!)
    }
    return low > high ? null : [low, high]
  }

  private thin(): void {
    const half = this.rows.length >> 1
    const keep = (_: unknown, n: number) => n >= half || n % 2 === 0
    const frames = this.frames.filter(keep)
    const rows = this.rows.filter(keep)
    this.frames.splice(0, this.frames.length, ...frames)
    this.rows.splice(0, this.rows.length, ...rows)
  }
}

export interface FanColours {
  band: string
  median: string
  text: string
  line: string
}

/** Draws a fan; `format` writes the numbers at its sides. */
export function drawFan(context: CanvasRenderingContext2D, fan: Fan, width: number, height: number, colours: FanColours, format: (value: number) => string): void {
  context.clearRect(0, 0, width, height)
  const extent = fan.extent
  if (!extent || !fan.length) return
  const [low, high] = extent[0] === extent[1] ? [extent[0] - 1, extent[1] + 1] : extent
  const right = 46
  const frames = fan.length === 1 ? [0, 1] : fan.frames // one reading is drawn as if it had always been so
  const rows = fan.length === 1 ? [fan.rows[0]!, fan.rows[0]!] : fan.rows
  const first = frames[0]!
  const span = Math.max(1, frames.at(-1)! - first)
  const x = (n: number) => ((frames[n]! - first) / span) * (width - right)
  const y = (value: number) => 4 + (1 - (value - low) / (high - low)) * (height - 8)

  if (low < 0 && high > 0) {
    context.strokeStyle = colours.line
    context.lineWidth = 1
    context.beginPath()
    context.moveTo(0, y(0))
    context.lineTo(width - right, y(0))
    context.stroke()
  }
  context.fillStyle = colours.band
  for (let band = 0; band < 4; band += 1) {
    context.globalAlpha = 0.16 + 0.1 * band
    context.beginPath()
    rows.forEach((row, n) => context.lineTo(x(n), y(row[COUNT - 1 - band]!)))
    for (let n = rows.length - 1; n >= 0; n -= 1) context.lineTo(x(n), y(rows[n]![band]!))
    context.closePath()
    context.fill()
  }
  context.globalAlpha = 1
  context.strokeStyle = colours.median
  context.lineWidth = 1.5
  context.beginPath()
  rows.forEach((row, n) => context.lineTo(x(n), y(row[4]!)))
  context.stroke()
  context.fillStyle = colours.text
  context.textBaseline = 'middle'
  const last = fan.last!
  let above = -Infinity
  const shown = new Set<string>()
  for (const place of [8, 4, 0]) {
    if (shown.has(format(last[place]!))) continue
    shown.add(format(last[place]!))
    const at = Math.min(height - 6, Math.max(6, y(last[place]!), above + 11))
    context.fillText(format(last[place]!), width - right + 4, at)
    above = at
  }
}
